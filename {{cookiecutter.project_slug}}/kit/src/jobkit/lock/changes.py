"""What a change of a job does to the state that the job before it has left."""

from __future__ import annotations

from collections.abc import Iterator

from . import windows
from .change import SEVERITY, Change
from .code_changes import code_changes, swapped
from .model import Lock, LockedOperator, Verdict, numbers
from .state_changes import state_changes

_FACTORIES = {
    "EmbeddedRocksDBStateBackendFactory": "rocksdb",
    "RocksDBStateBackendFactory": "rocksdb",
    "HashMapStateBackendFactory": "hashmap",
    "ForStStateBackendFactory": "forst",
}
"""Flink's classes that stand for a backend in `state.backend.type`, by the short name (`StateBackendLoader`)."""


def compare(old: Lock, new: Lock) -> list[Change]:
    """Return what has changed, the worst first.

    Args:
        old: What left the state.
        new: What is to start from it.
    """
    found = [*flink_changes(old, new), *_backend(old, new)]
    for operator in old.operators:
        successor = new.operator(operator.uid)
        found += _gone(operator, old, new) if successor is None else operator_changes(operator, successor, new.flink)
    found += swapped(old, new)
    found += _back(old, new)
    found += (_new(operator) for operator in new.operators if old.operator(operator.uid) is None)
    return sorted(found, key=lambda change: SEVERITY.index(change.verdict))


def flink_changes(old: Lock, new: Lock) -> Iterator[Change]:
    """Yield what another version of Flink does to the state."""
    if numbers(new.flink) < numbers(old.flink):
        yield Change(
            "loses-state",
            f"Flink {old.flink} becomes {new.flink}: an older Flink does not read what a newer one has written.",
            f"Stay with Flink {old.flink}.",
        )
    elif new.flink != old.flink:
        major = numbers(old.flink)[:1] != numbers(new.flink)[:1]
        what = f"Flink {old.flink} becomes {new.flink}" + (": it promises nothing about state across major versions." if major else ".")
        yield Change("cautious", what, "Start from a savepoint, and keep it: there is no way back from a snapshot of the newer Flink.")


def _backend(old: Lock, new: Lock) -> Iterator[Change]:
    if short(old.backend) != short(new.backend):
        yield Change(
            "cautious",
            f"The state backend {old.backend} becomes {new.backend}: neither reads the checkpoints of the other.",
            "Start from a savepoint of the format CANONICAL, which is Flink's default.",
        )


def short(backend: str) -> str:
    """Return the name of a state backend that may have been named by the class of its factory."""
    return _FACTORIES.get(backend.rpartition(".")[2], backend)


def _gone(operator: LockedOperator, old: Lock, new: Lock) -> Iterator[Change]:
    """An operator that there is no longer."""
    kept = operator.keeps
    if kept is not None:
        what = f"“{operator.uid}” is gone, and with it {kept}."
        yield Change("loses-state", what, uid_back(operator, old, new), operator.uid, left_behind=True)
    elif operator.may_keep:
        yield Change(
            "cautious",
            f"“{operator.uid}” is gone; whether it kept anything cannot be known.",
            "Start it without --allowNonRestoredState: Flink refuses when the snapshot holds something of it.",
            operator.uid,
        )
    else:
        yield Change("harmless", f"“{operator.uid}”, which kept nothing, is gone.", uid=operator.uid)


def uid_back(operator: LockedOperator, old: Lock, new: Lock) -> str | None:
    """Return what to do when an operator that is gone may be there under another uid; None when there is none like it."""
    heir = next((entry for entry in new.operators if old.operator(entry.uid) is None and _is_like(operator, entry)), None)
    return f'If it is the one that is called “{heir.uid}” now, give it its uid back: .uid("{operator.uid}").' if heir else None


def _back(old: Lock, new: Lock) -> Iterator[Change]:
    """Yield the states that come back under a name that was given up: RocksDB keeps what was in them, from snapshot to snapshot."""
    for operator in new.operators:
        before = old.operator(operator.uid)
        for state in operator.states:
            is_given_up = any(entry.uid == operator.uid and entry.state in (None, state.name) for entry in old.dropped)
            if before is not None and before.like(state) is None and is_given_up:
                what = f"The state “{state.name}” of “{operator.uid}” comes back, and snapshots may still hold what was in it."
                yield Change("cautious", what, "Give it a name that no state had.", operator.uid, state.name)


def _is_like(one: LockedOperator, other: LockedOperator) -> bool:
    return (one.kind, one.key_type, one.states) == (other.kind, other.key_type, other.states)


def _new(operator: LockedOperator) -> Change:
    begins = f"; it begins without {operator.keeps}" if operator.states or operator.timers == "set" else ""
    return Change("harmless", f"“{operator.uid}” is new{begins}.", uid=operator.uid)


def operator_changes(old: LockedOperator, new: LockedOperator, flink: str) -> Iterator[Change]:
    """Yield what has changed of an operator that is in both.

    Args:
        old: As it was.
        new: As it is.
        flink: The version of Flink that the new one runs on.
    """
    if old == new:
        return
    label, has_state = f"“{old.uid}”", old.keeps is not None
    lost: Verdict = "loses-state" if has_state else "cautious" if old.may_keep else "harmless"
    if old.id != new.id:
        what = f"{label} has the id {new.id} instead of {old.id}, by which Flink finds its state."
        remedy = "Let Flink make the id of the uid." if lost != "harmless" else None
        yield Change(lost, what, remedy, old.uid, left_behind=lost == "loses-state")
    if old.name != new.name:
        yield Change("harmless", f"{label} is called {new.name} instead of {old.name}.", uid=old.uid)
    if old.kind != new.kind:
        ends = {"source", "sink"} & {old.kind, new.kind}
        verdict: Verdict = "cautious" if lost == "loses-state" and not ends else lost
        remedy = None if verdict == "harmless" else "Give it a uid of its own."
        yield Change(verdict, f"{label} was of the kind {old.kind}, and is {new.kind}.", remedy, old.uid)
    if old.max_parallelism != new.max_parallelism:
        yield _max_parallelism(old, new)
    yield from _stored_otherwise(old, new, lost)
    if old.timers != new.timers:
        yield _timers(old, new)
    if old.connector != new.connector and old.kind == new.kind:
        yield _connector(old, new)
    if None not in (old.window, new.window) and old.window != new.window:
        yield windows.compare(old, new)
    yield from state_changes(old, new, flink)
    yield from code_changes(old, new)


def _stored_otherwise(old: LockedOperator, new: LockedOperator, lost: Verdict) -> Iterator[Change]:
    """Yield what keeps Flink, or Python, from finding the state of a key."""
    label = f"“{old.uid}”"
    if old.key_type != new.key_type:
        remedy = None if lost == "harmless" else f"Keep the key {old.key_type}, or give the operator another uid."
        yield Change(lost, f"The key of {label} was {old.key_type}, and is {new.key_type}.", remedy, old.uid)
    if old.execution_mode != new.execution_mode:
        what = f"{label} ran in {old.execution_mode} mode, and runs in {new.execution_mode} mode"
        remedy = None if lost == "harmless" else f"Set python.execution-mode: {old.execution_mode}."
        what = f"{what}." if lost == "harmless" else f"{what}, which sees none of the other's state."
        yield Change(lost, what, remedy, old.uid, left_behind=lost == "loses-state")


def _max_parallelism(old: LockedOperator, new: LockedOperator) -> Change:
    """Flink compares that of a task, the first operator's, as soon as one of its operators has state (`StateAssignmentOperation`)."""
    what = f"The maximum parallelism of “{old.uid}” was {old.max_parallelism}, and is {new.max_parallelism}"
    remedy = f"Set it to {old.max_parallelism} again."
    if old.max_parallelism is None or new.max_parallelism is None:
        what = f"{what} (None: as Flink derives it at the first start). It must be what the snapshot has."
        return Change("cautious", what, "Set it to what the web UI shows of the job that runs.", old.uid)
    if old.keeps is not None:
        return Change("loses-state", f"{what}: Flink does not start it from a snapshot of before.", remedy, old.uid)
    what = f"{what}: where it is the first of a task in which another has state, Flink does not start it from a snapshot of before."
    return Change("cautious", what, remedy, old.uid)


def _connector(old: LockedOperator, new: LockedOperator) -> Change:
    if old.connector is None or new.connector is None:
        return Change("harmless", f"“{old.uid}” is {new.connector or 'of a connector that is not known any more'}.", uid=old.uid)
    what = f"“{old.uid}” was {old.connector}, and is {new.connector}, which does not read what the other one keeps in its state"
    verdict: Verdict = "loses-state" if old.kind == "source" or old.is_transactional else "cautious"
    return Change(verdict, f"{what}.", "Give it a uid of its own.", old.uid)


def _timers(old: LockedOperator, new: LockedOperator) -> Change:
    if old.timers == "none" and new.timers == "set":
        return Change("harmless", f"“{old.uid}” sets timers now.", uid=old.uid)
    if new.timers == "none":
        return Change(
            "cautious",
            f"“{old.uid}” sets no timers any more; those that it has set are restored, and fire.",
            "Keep an on_timer that knows what to do then.",
            old.uid,
        )
    if new.timers == "set":
        return Change("harmless", f"“{old.uid}” sets timers: that is known now.", uid=old.uid)
    what = f"Whether “{old.uid}” sets timers cannot be known as well as before."
    return Change("cautious", what, "Call the timer service directly.", old.uid, proved=False)
