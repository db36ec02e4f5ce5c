"""From one lock to the next: what has changed, what of it loses state, and what was given up on purpose."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ..errors import ConfigurationError, JobkitError
from ..graph import UNKNOWN, State
from .change import Change
from .changes import compare
from .model import EVERYTHING, Dropped, Lock, LockedOperator


class LosesState(JobkitError):
    """A change would lose state, and nobody has said that it may.

    Attributes:
        losses: What would be lost.
    """

    exit_code = 1

    def __init__(self, losses: Sequence[Change]) -> None:
        targets = list(dict.fromkeys(change.target for change in losses))
        remedies = dict.fromkeys(change.remedy for change in losses if change.remedy)
        super().__init__(
            "The lock was not written: the job would lose state.",
            found=", ".join(targets),
            remedy=" ".join([*remedies, *_ways_out(losses)]),
        )
        self.losses = list(losses)


def _ways_out(losses: Sequence[Change]) -> Iterator[str]:
    """Yield the commands that give up what can be given up, and what to do about the rest."""
    given_up = " ".join(f"--drop {shlex.quote(target)}" for target in dict.fromkeys(each.target for each in losses if each.left_behind))
    if given_up:
        yield f'If it may be lost: jobkit lock {given_up} --reason "…".'
    if not all(change.left_behind for change in losses):
        others = ", ".join(dict.fromkeys(change.target for change in losses if not change.left_behind))
        yield f"What Flink would misread or refuse cannot be given up by its name ({others})."
        yield f'If the job may begin without any snapshot: jobkit lock --drop {shlex.quote(EVERYTHING)} --reason "…".'


@dataclass(frozen=True)
class Revision:
    """A lock that was written, and that of the job as it is now.

    Attributes:
        old: The one that was written; None when there is none.
        found: The job's, without anything dropped, as it was found here and now.
    """

    old: Lock | None
    found: Lock

    @cached_property
    def new(self) -> Lock:
        """The job's lock. Where less could be found than before, what was known stays: it is still in the snapshots."""
        if self.old is None:
            return self.found
        known = {operator.uid: operator for operator in self.old.operators}
        return replace(self.found, operators=tuple(_with_what_was_known(each, known.get(each.uid)) for each in self.found.operators))

    @property
    def is_current(self) -> bool:
        """Whether the lock that was written is the job's."""
        return self.old is not None and replace(self.old, dropped=()) == replace(self.new, dropped=())

    @cached_property
    def changes(self) -> list[Change]:
        """What has changed, the worst first, and what could no longer be found; nothing when there is no lock yet."""
        return [] if self.old is None else compare(self.old, self.found)

    @property
    def _losses(self) -> list[Change]:
        return [change for change in self.changes if change.verdict == "loses-state"]

    def losses(self, dropped: Sequence[Dropped]) -> list[Change]:
        """Return what would be lost, but for what was left behind on purpose."""
        return [change for change in self._losses if not (change.left_behind and change.is_covered(dropped))]

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
        losses = [change for change in self._losses if not change.is_covered(dropped)]
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
        for target in targets:
            chosen = [change for change in self._losses if target in (EVERYTHING, change.uid, change.target)]
            if target != EVERYTHING:
                _require_left_behind(target, chosen, self._losses)
            yield from (Dropped(change.uid or EVERYTHING, change.state, reason) for change in chosen)

    def to_json(self) -> dict[str, Any]:
        """Return it as `jobkit lock --json` shows it."""
        return {"exists": self.old is not None, "current": self.is_current, "changes": [change.to_json() for change in self.changes]}


def _has(lock: Lock | None, entry: Dropped) -> bool:
    operator = lock.operator(entry.uid) if lock else None
    return operator is not None and (entry.state is None or entry.state in [state.name for state in operator.states])


def _require_left_behind(target: str, chosen: Sequence[Change], losses: Sequence[Change]) -> None:
    """Refuse to give up what is not lost, and what would still be there, to be misread."""
    if not chosen:
        found = ", ".join(dict.fromkeys(change.target for change in losses)) or "nothing"
        raise ConfigurationError(f"Nothing of {target} would be lost.", found=f"what would be: {found}")
    kept = [change for change in chosen if not change.left_behind]
    # In the other execution mode nothing of the operator is seen, and so nothing is misread.
    if kept and not any(change.left_behind and change.state is None for change in chosen):
        what = f"{target} cannot be given up: the state stays where it is, and the job would find it."
        remedy = " ".join([*dict.fromkeys(change.remedy for change in kept if change.remedy), *_ways_out(kept)])
        raise ConfigurationError(what, found=" ".join(change.what for change in kept), remedy=remedy)


def _with_what_was_known(found: LockedOperator, known: LockedOperator | None) -> LockedOperator:
    """Return an operator with the states that could be found before, and now cannot."""
    if known is None:
        return found
    states = [_with_its_type(state, known.like(state)) for state in found.states]
    if not found.unknown:
        return replace(found, states=tuple(states))
    states += [state for state in known.states if found.like(state) is None]
    states.sort(key=lambda state: (state.name, state.kind))
    return replace(found, states=tuple(states), unknown=known.unknown)


def _with_its_type(found: State, known: State | None) -> State:
    is_less = known is not None and found.type == UNKNOWN and found.kind == known.kind
    return replace(found, type=known.type) if is_less and known is not None else found
