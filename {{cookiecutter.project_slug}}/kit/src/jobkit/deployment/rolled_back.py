"""How an upgrade, or a rollback, ends whose new version did not prove itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import JobkitError


class RolledBack(JobkitError):
    """The new version did not prove itself; the old one runs again.

    Attributes:
        root_cause: Why.
        python_traceback: The traceback of the job's Python, or None.
        savepoint: What the old one was started from, and, but for a `rollback --from`, the new one.
        back: The uid of the instance that runs again.
        committed: How many records the new version had committed, by topic and partition: `{"from", "to", "records"}`; None when not known.
        uncounted: The sinks of the new version that do not say where they write to; None when not known.
    """

    exit_code = 1

    def __init__(self, details: Mapping[str, Any]) -> None:
        obstacle = f" ({details['obstacle']})" if details.get("obstacle") else ""
        again = "runs again" if details.get("proved", True) else f"was started again, and has no complete checkpoint yet{obstacle}"
        super().__init__(
            f"The new version did not prove itself; the old one {again}.", found=details["reason"], where=f"savepoint {details['way_back']}"
        )
        self.root_cause = str(details["reason"])
        self.python_traceback: str | None = details.get("traceback")
        self.savepoint = str(details["way_back"])
        self.back = str(details["back"])
        self.committed: dict[str, dict[str, dict[str, int]]] | None = details.get("committed")
        self.uncounted: list[str] | None = details.get("uncounted")


class NotRestored(JobkitError):
    """Neither version runs; the savepoint is there."""

    exit_code = 1
