"""What becomes of a job's operators, and of those of the snapshot that it is to start from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..lock import Change
from .snapshots import Snapshot

Outcome = Literal["restored", "rescaled", "new", "dropped", "incompatible", "unknown"]


@dataclass(frozen=True)
class Fate:
    """What becomes of an operator.

    Attributes:
        uid: Its uid; None for one of the snapshot whose uid nobody knows.
        id: Its operator id.
        name: What the web UI calls it; None when nobody knows.
        verdict: `restored`; `rescaled`: restored, with another parallelism; `new`: it begins without state; `dropped`: the job has no such
            operator, or not that state; `incompatible`: Flink does not start, or the state would be misread; `unknown`.
        reason: Why; None when it is simply restored, or new.
        remedy: What to do, or None.
        bytes: How much state the snapshot holds of it.
        allowed: The reason for which the project's lock gives it up, or None.
    """

    uid: str | None
    id: str
    name: str | None
    verdict: Outcome
    reason: str | None = None
    remedy: str | None = None
    bytes: int = 0
    allowed: str | None = None

    @property
    def loses_state(self) -> bool:
        """Whether it forbids the start."""
        return self.verdict in {"dropped", "incompatible"} and self.allowed is None

    @property
    def label(self) -> str:
        """What to call it."""
        return self.uid or self.name or self.id


@dataclass(frozen=True)
class Compatibility:
    """A job, compared with a snapshot.

    Attributes:
        snapshot: The snapshot; None for a start without one.
        lock: Where the lock of the job that took it was found; None when it was not: then the types of states were not compared.
        fates: What becomes of each operator, the worst first.
        changes: What has changed for the whole job, such as the version of Flink.
    """

    snapshot: Snapshot | None
    lock: str | None
    fates: tuple[Fate, ...]
    changes: tuple[Change, ...] = ()

    @property
    def is_compatible(self) -> bool:
        """Whether the job may start from it."""
        return not any(fate.loses_state for fate in self.fates) and not any(change.verdict == "loses-state" for change in self.changes)

    @property
    def is_open(self) -> bool:
        """Whether something could not be found out."""
        return any(fate.verdict == "unknown" for fate in self.fates) or any(not change.proved for change in self.changes)

    def to_json(self) -> dict[str, Any]:
        """Return it as `jobkit compat --json` shows it."""
        return {
            "compatible": self.is_compatible,
            "snapshot": self.snapshot.path if self.snapshot else None,
            "lock": self.lock,
            "changes": [change.to_json() for change in self.changes],
            "operators": [asdict(fate) for fate in self.fates],
        }
