"""What a change of a job does to its state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .model import EVERYTHING, Dropped, Verdict

SEVERITY: tuple[Verdict, ...] = ("loses-state", "cautious", "harmless")


@dataclass(frozen=True)
class Change:
    """One difference between two locks.

    Attributes:
        verdict: `harmless`; `cautious`: something is to be done, or could not be known; `loses-state`: state is dropped, or
            misread, or Flink does not start the job from the snapshot.
        what: What has changed, and what comes of it.
        remedy: What to do; None when there is nothing to do.
        uid: The operator's, or None for the whole job.
        state: The state's name, or None for the whole operator.
        proved: False when it may only be that less was found this time than before.
        of_code: Whether it is about code, and not about what Flink knows of the state.
        left_behind: Whether what is lost is what Flink leaves behind: only that can be given up. Otherwise it is misread, or Flink
            refuses to start.
    """

    verdict: Verdict
    what: str
    remedy: str | None = None
    uid: str | None = None
    state: str | None = None
    proved: bool = True
    of_code: bool = False
    left_behind: bool = False

    @property
    def target(self) -> str:
        """What to call what it is about, as `--drop` takes it: `UID`, `UID/STATE`, or `*`."""
        if self.uid is None:
            return EVERYTHING
        return self.uid if self.state is None else f"{self.uid}/{self.state}"

    def is_covered(self, dropped: Sequence[Dropped]) -> bool:
        """Whether the loss was declared, by its own name."""
        return any(entry.uid == EVERYTHING or (entry.uid, entry.state) == (self.uid, self.state) for entry in dropped)

    def to_json(self) -> dict[str, Any]:
        """Return the change as `jobkit lock --json` shows it."""
        return asdict(self)
