"""May this job start from that snapshot: each operator of either side, and what becomes of its state.

The snapshot says which states there are, how large, and into how many key groups they are divided. Their types are in the lock
of the job that took it, when that is known: of a state's serialiser, PyFlink's snapshots say no more than “bytes”.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..graph import UNKNOWN, State
from ..lock import Change, Dropped, Lock, LockedOperator, flink_changes, operator_changes, swapped, uid_back
from ..lock.changes import short
from ..lock.model import BROADCAST
from .fates import Compatibility, Fate, Outcome
from .snapshots import KeyedState, OperatorState, Snapshot, given_name

_ORDER: tuple[Outcome, ...] = ("incompatible", "dropped", "unknown", "rescaled", "new", "restored")
_BACKENDS = {
    "IncrementalRemoteKeyedStateHandle": "rocksdb",
    "KeyGroupsStateHandle": "hashmap",
}
"""Which state backend wrote, and alone can read, keyed state outside of canonical savepoints, by the class of Flink's handle to it."""


@dataclass(frozen=True)
class Start:
    """A job that is to start.

    Attributes:
        lock: Its lock, made of the job itself.
        tasks: Parallelism and maximum parallelism (None when it is not set) of the task that each operator runs in, by operator id: Flink
            compares those, and operators that run in one task may have others of their own.
        dropped: What the project gives up on purpose.
    """

    lock: Lock
    tasks: Mapping[str, tuple[int, int | None]]
    dropped: Sequence[Dropped] = ()


def without_snapshot(job: Start) -> Compatibility:
    """Say what a start without a snapshot is: everything is new."""
    return Compatibility(None, None, tuple(map(_new, job.lock.operators)))


def compare(snapshot: Snapshot, job: Start, written_by: Lock | None, address: str | None = None) -> Compatibility:
    """Compare a job with a snapshot.

    Args:
        snapshot: What it is to start from.
        job: The job.
        written_by: The lock of the job that took the snapshot, if it was found.
        address: Where that was found.
    """
    ours = {operator.id: operator for operator in job.lock.operators}
    theirs = {operator.id: operator for operator in written_by.operators} if written_by else {}
    held = {state.id for state in snapshot.operators}
    swaps = {change.uid: change for change in swapped(written_by, job.lock)} if written_by else {}
    backend = short(written_by.backend) if written_by else None
    fates = [
        _Comparison(snapshot, state, job, ours[state.id], theirs.get(state.id), swaps.get(ours[state.id].uid), backend).fate()
        if state.id in ours
        else _gone(state, theirs.get(state.id), job, written_by)
        for state in snapshot.operators
        if state.id in ours or _holds_something(state)
    ]
    fates += [_new(operator) for operator in job.lock.operators if operator.id not in held]
    fates.sort(key=lambda fate: (_ORDER.index(fate.verdict), -fate.bytes, fate.label))
    changes = (*flink_changes(written_by, job.lock),) if written_by else ()
    return Compatibility(snapshot, address if written_by else None, tuple(fates), changes)


def _new(operator: LockedOperator) -> Fate:
    return Fate(operator.uid, operator.id, operator.name, "new")


def _holds_something(state: OperatorState) -> bool:
    """Whether Flink would miss the operator: it passes over those that are in the snapshot and hold nothing."""
    return bool(state.bytes or state.keyed_states or state.operator_states or state.has_raw_state)


def _gone(state: OperatorState, theirs: LockedOperator | None, job: Start, written_by: Lock | None) -> Fate:
    uid = state.uid or (theirs.uid if theirs else None)
    name = state.name or (theirs.name if theirs else None)
    reason = "The job has no operator with this id: Flink starts only with --allowNonRestoredState, and leaves the state behind."
    remedy = uid_back(theirs, written_by, job.lock) if theirs and written_by else None
    if remedy is None:
        remedy = "If the operator is still there, give it its uid back" + (f': .uid("{uid}").' if uid else ".")
    allowed = _allowed([Change("loses-state", reason, uid=uid)], job.dropped)
    return Fate(uid, state.id, name, "dropped", reason, remedy, state.bytes, allowed)


def _allowed(losses: Sequence[Change], dropped: Sequence[Dropped]) -> str | None:
    """Return the reasons for which the project gives all of it up; None when it does not."""
    reasons = [next((entry.reason for entry in dropped if change.is_covered([entry])), None) for change in losses]
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason)) if all(reasons) else None


@dataclass(frozen=True)
class _Comparison:
    """An operator that the snapshot and the job both have."""

    snapshot: Snapshot
    state: OperatorState
    job: Start
    ours: LockedOperator
    theirs: LockedOperator | None
    swap: Change | None
    their_backend: str | None

    def fate(self) -> Fate:
        """Return what becomes of its state."""
        _, limit = self._task
        before, ours = self._before(), replace(self.ours, max_parallelism=limit)
        refusals = list(self._refusals())
        found = [*refusals, *(change for change in operator_changes(before, ours, self.job.lock.flink) if self._holds(change.state))]
        found += [self.swap] if self.swap else []
        losses = [change for change in found if change.verdict == "loses-state"]
        doubts = [*(change for change in found if not change.proved), *self._doubts(found)]
        notes = [change for change in found if change.verdict == "cautious"]
        if losses:
            left = {state.name for state in self.ours.states}
            is_dropped = all(change.state is not None and change.state not in left for change in losses)
            # Only what Flink leaves behind can be given up: what it refuses, or would misread, stays what it is.
            is_left_behind = is_dropped or (not refusals and before.execution_mode != ours.execution_mode)
            allowed = _allowed(losses, self.job.dropped) if is_left_behind else None
            return self._as("dropped" if is_dropped else "incompatible", losses, allowed)
        if doubts:
            return self._as("unknown", doubts)
        own, _ = self._task
        if own != self.state.parallelism:
            change = Change("harmless", f"From {self.state.parallelism} subtasks to {own}.")
            return self._as("rescaled", [change, *notes])
        return self._as("restored", notes)

    @property
    def _task(self) -> tuple[int, int | None]:
        return self.job.tasks.get(self.ours.id, (self.state.parallelism, self.ours.max_parallelism))

    def _as(self, verdict: Outcome, why: Sequence[Change], allowed: str | None = None) -> Fate:
        reason = " ".join(change.what for change in why) or None
        remedy = " ".join(dict.fromkeys(change.remedy for change in why if change.remedy)) or None
        return Fate(self.ours.uid, self.ours.id, self.ours.name, verdict, reason, remedy, self.state.bytes, allowed)

    def _before(self) -> LockedOperator:
        """Return the operator as it was when the snapshot was taken: what that says goes before the lock's word."""
        # Where the job sets none, Flink takes the snapshot's; of what holds something, `_refusals` compares it.
        limit = self._task[1]
        max_parallelism = limit if limit is None or _holds_something(self.state) else self.state.max_parallelism
        if self.theirs is not None:
            states = (*self.theirs.states, *self._untold(self.theirs))
            return replace(self.theirs, max_parallelism=max_parallelism, execution_mode=self._mode(self.theirs), states=states)
        return replace(
            self.ours,
            max_parallelism=max_parallelism,
            execution_mode=self._mode(self.ours),
            states=tuple(self._states()) if self.ours.execution_mode is not None else self.ours.states,
        )

    def _states(self) -> Iterator[State]:
        """Yield the states that the snapshot names, as the job has them: it does not tell their types."""
        for state in self._named():
            yield self.ours.like(state) or state

    def _untold(self, theirs: LockedOperator) -> Iterator[State]:
        """Yield the states that the snapshot holds, and that a lock does not have which was made where not all could be found."""
        for state in self._named() if theirs.unknown else ():
            if theirs.like(state) is None:
                ours = self.ours.like(state)
                yield replace(state, kind=ours.kind) if ours else state

    def _named(self) -> Iterator[State]:
        """Yield the states that the snapshot names, without their types."""
        for each in self._keyed:
            yield State(each.name, "value", UNKNOWN)
        for name in self.state.operator_states:
            yield State(given_name(name), BROADCAST, UNKNOWN)

    def _mode(self, known: LockedOperator) -> str | None:
        """Return the mode in which the keyed states were written, which their names tell; what is known when there are none."""
        if known.execution_mode is None:
            return None
        modes = {"process" if each.stored_as != each.name else "thread" for each in self._keyed}
        return modes.pop() if len(modes) == 1 else known.execution_mode

    @property
    def _keyed(self) -> list[KeyedState]:
        """The keyed states that the snapshot holds, timers aside."""
        return [each for each in self.state.keyed_states if each.kind != "timers"]

    @property
    def _names(self) -> set[str]:
        """The names of all states that it holds, timers aside."""
        return {each.name for each in self._keyed} | set(map(given_name, self.state.operator_states))

    @property
    def _is_read(self) -> bool:
        """Whether all states could be read; those of some kinds of handles, as of the changelog, cannot."""
        return bool(self.state.keyed_states) or not self.state.keyed_handles

    def _holds(self, state: str | None) -> bool:
        """Whether a state counts: one that no record ever touched is in no snapshot."""
        return state is None or not self._is_read or state in self._names

    def _refusals(self) -> Iterator[Change]:
        """Yield for what Flink would refuse the state, whatever the job was like that took the snapshot."""
        parallelism, own_limit = self._task
        if own_limit is None and parallelism > self.state.max_parallelism:
            limit = self.state.max_parallelism
            what = f"Its parallelism is {parallelism}, and the snapshot's maximum parallelism {limit}: Flink does not start it."
            yield Change("loses-state", what, f"Run it with at most {limit} subtasks.", self.ours.uid)
        if own_limit is not None and own_limit != self.state.max_parallelism and _holds_something(self.state):
            limit = self.state.max_parallelism
            what = f"The maximum parallelism of its task was {limit}, and is {own_limit}: Flink does not start it."
            yield Change("loses-state", what, f"Set it to {limit} again.", self.ours.uid)
        if self.theirs is not None and not self.theirs.unknown:
            new = {state.name for state in self.ours.states} - {state.name for state in self.theirs.states}
            for name in sorted(self._names & new):
                what = f"The snapshot holds an older state “{name}”, of a job before the one that took it: it would be read as this one."
                yield Change("loses-state", what, "Give the new one a name that no state had.", self.ours.uid, name)
        kinds = {each.name: each.kind for each in self._keyed} if self.theirs is None else {}
        for state in self.ours.states:
            was = kinds.get(state.name)
            if was is not None and state.kind != BROADCAST and (was == "map") != (state.kind == "map"):
                what = f"The state “{state.name}” is stored as a {was}, and the job has a {state.kind}: Flink does not restore it."
                yield Change("loses-state", what, "Give the new one a name of its own.", self.ours.uid, state.name)
        backend = short(self.job.lock.backend)
        wrote = {_BACKENDS.get(handle) for handle in self.state.keyed_handles} - {None, backend}
        if wrote and backend in _BACKENDS.values() and self.snapshot.format != "canonical":
            other = str(next(iter(wrote)))
            what = f"Its keyed state was written by the state backend {other}, and the job has {backend}, which cannot read that."
            remedy = f"Take a savepoint of the format CANONICAL, which every backend reads, or keep state.backend.type: {other}."
            yield Change("loses-state", what, remedy, self.ours.uid)

    def _doubts(self, found: Sequence[Change]) -> Iterator[Change]:
        """Yield what the snapshot does not tell."""
        if not _holds_something(self.state):
            yield from (change for change in found if change.verdict == "cautious" and not change.of_code)
            return
        is_python = self.ours.execution_mode is not None
        if is_python and (not self._is_read or self.state.has_raw_state):
            what = "What states the snapshot holds of it cannot be read."
            yield Change("cautious", what, "Take a savepoint of the format CANONICAL.", self.ours.uid)
        if self.theirs is None and is_python and self._names:
            what = "The lock of the job that took the snapshot was not found: whether types and key are the same cannot be known."
            yield Change("cautious", what, "Name the lock: --lock FILE.", self.ours.uid)
        backend = short(self.job.lock.backend)
        is_judged = backend == self.their_backend or backend in _BACKENDS.values() or self.snapshot.format == "canonical"
        if self.state.keyed_handles and not is_judged:
            what = f"Whether the state backend {backend} reads what the snapshot holds is not known."
            yield Change("cautious", what, "Take a savepoint of the format CANONICAL, which every backend reads.", self.ours.uid)
        if self.ours.unknown:
            what = f"The states of the operator could not all be found{f': {self.ours.why}' if self.ours.why else ''}."
            yield Change("cautious", what, uid=self.ours.uid)
