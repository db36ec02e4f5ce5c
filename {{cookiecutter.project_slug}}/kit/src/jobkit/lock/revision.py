"""From one lock to the next: what has changed, what of it loses state, and what was given up on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ..errors import ConfigurationError, JobkitError
from .change import Change
from .changes import compare
from .model import EVERYTHING, Dropped, Lock


class LosesState(JobkitError):
    """A change would lose state, and nobody has said that it may.

    Attributes:
        losses: What would be lost.
    """

    exit_code = 1

    def __init__(self, losses: Sequence[Change]) -> None:
        targets = list(dict.fromkeys(_target(change) for change in losses))
        super().__init__(
            "The lock was not written: the job would lose state.",
            found=", ".join(targets),
            remedy=" ".join(change.remedy for change in losses if change.remedy)
            + " If it may be lost: jobkit lock "
            + " ".join(f"--drop {target}" for target in targets)
            + ' --reason "…".',
        )
        self.losses = list(losses)


@dataclass(frozen=True)
class Revision:
    """A lock that was written, and that of the job as it is now.

    Attributes:
        old: The one that was written; None when there is none.
        new: The job's, without anything dropped.
    """

    old: Lock | None
    new: Lock

    @property
    def is_current(self) -> bool:
        """Whether the lock that was written is the job's."""
        return self.old is not None and replace(self.old, dropped=()) == replace(self.new, dropped=())

    @cached_property
    def changes(self) -> list[Change]:
        """What has changed, the worst first; nothing when there is no lock yet."""
        return [] if self.old is None else compare(self.old, self.new)

    def next(self, targets: Sequence[str] = (), reason: str | None = None) -> Lock:
        """Return the lock to write.

        Args:
            targets: What may be lost: `UID`, `UID/STATE`, or `*` for everything.
            reason: Why.

        Raises:
            ConfigurationError: When nothing of a target would be lost, or there is no reason.
            LosesState: When something else would.
        """
        if self.is_current and self.old is not None and not targets and not reason:
            return self.old
        dropped = tuple(self._dropped(targets, reason))
        losses = [change for change in self.changes if change.verdict == "loses-state" and not change.is_covered(dropped)]
        if losses:
            raise LosesState(losses)
        return replace(self.new, dropped=(*self._kept(dropped), *dropped))

    def _kept(self, dropped: Sequence[Dropped]) -> Iterator[Dropped]:
        """Yield what was dropped before, but for what comes back with this revision: that would have to be dropped anew."""
        for entry in self.old.dropped if self.old else ():
            is_back = entry.uid == EVERYTHING or (_has(self.new, entry) and not _has(self.old, entry))
            if not is_back and entry.target not in [each.target for each in dropped]:
                yield entry

    def _dropped(self, targets: Sequence[str], reason: str | None) -> Iterator[Dropped]:
        reason = (reason or "").strip()
        if bool(targets) != bool(reason):
            missing, given = ("--reason", "--drop") if targets else ("--drop", "--reason")
            raise ConfigurationError(f"{given} needs {missing}.", remedy='Write --drop UID/STATE --reason "why it may be lost".')
        losses = [change for change in self.changes if change.verdict == "loses-state"]
        for target in targets:
            if target == EVERYTHING:
                yield from (Dropped(change.uid or EVERYTHING, change.state, reason) for change in losses)
                continue
            change = next((change for change in losses if target in (change.uid, _target(change))), None)
            if change is None:
                found = ", ".join(dict.fromkeys(map(_target, losses))) or "nothing"
                raise ConfigurationError(f"Nothing of {target} would be lost.", found=f"what would be: {found}")
            yield Dropped(str(change.uid), None if target == change.uid else change.state, reason)

    def to_json(self) -> dict[str, Any]:
        """Return it as `jobkit lock --json` shows it."""
        return {"exists": self.old is not None, "current": self.is_current, "changes": [change.to_json() for change in self.changes]}


def _has(lock: Lock | None, entry: Dropped) -> bool:
    operator = lock.operator(entry.uid) if lock else None
    return operator is not None and (entry.state is None or entry.state in [state.name for state in operator.states])


def _target(change: Change) -> str:
    if change.uid is None:
        return EVERYTHING
    return change.uid if change.state is None else f"{change.uid}/{change.state}"
