"""What a change of a job does to the state that the job before it has left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..graph import State
from . import fields
from .model import EVERYTHING, Dropped, Lock, LockedOperator, Verdict

_UNKNOWN = "unknown"
"""The type of a broadcast state whose descriptor was not found (`graph.State`)."""

_ASK_IN_OPEN = "Ask for every state in open(), and let open() work without the services that only the cluster reaches."
_PICKLED = ("PickledByteArrayTypeInfo", "RowTypeInfo", "TupleTypeInfo")
_ALIKE = {"Byte": "Long", "Short": "Long", "Integer": "Long", "Float": "Double", "Char": "String"}
"""What thread mode stores some types as."""
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
    """

    verdict: Verdict
    what: str
    remedy: str | None = None
    uid: str | None = None
    state: str | None = None
    proved: bool = True
    of_code: bool = False

    def is_covered(self, dropped: Sequence[Dropped]) -> bool:
        """Whether the loss was declared."""
        return any(entry.uid == EVERYTHING or (entry.uid == self.uid and entry.state in (None, self.state)) for entry in dropped)

    def to_json(self) -> dict[str, Any]:
        """Return the change as `jobkit lock --json` shows it."""
        return asdict(self)


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
    if _version(new.flink) < _version(old.flink):
        yield Change(
            "loses-state",
            f"Flink {old.flink} becomes {new.flink}: an older Flink does not read what a newer one has written.",
            f"Stay with Flink {old.flink}.",
        )
    elif new.flink != old.flink:
        major = _version(old.flink)[:1] != _version(new.flink)[:1]
        what = f"Flink {old.flink} becomes {new.flink}" + (": it promises nothing about state across major versions." if major else ".")
        yield Change("cautious", what, "Start from a savepoint, and keep it: there is no way back from a snapshot of the newer Flink.")


def _backend(old: Lock, new: Lock) -> Iterator[Change]:
    if old.backend != new.backend:
        yield Change(
            "cautious",
            f"The state backend {old.backend} becomes {new.backend}: neither reads the checkpoints of the other.",
            "Start from a savepoint of the format CANONICAL, which is Flink's default.",
        )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _gone(operator: LockedOperator, old: Lock, new: Lock) -> Iterator[Change]:
    """An operator that there is no longer."""
    kept = operator.keeps
    if kept is not None:
        yield Change("loses-state", f"“{operator.uid}” is gone, and with it {kept}.", uid_back(operator, old, new), operator.uid)
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
        yield Change(lost, what, "Let Flink make the id of the uid." if lost != "harmless" else None, old.uid)
    if old.name != new.name:
        yield Change("harmless", f"{label} is called {new.name} instead of {old.name}.", uid=old.uid)
    if old.kind != new.kind:
        ends = {"source", "sink"} & {old.kind, new.kind}
        verdict: Verdict = "cautious" if lost == "loses-state" and not ends else lost
        remedy = None if verdict == "harmless" else "Give it a uid of its own."
        yield Change(verdict, f"{label} was of the kind {old.kind}, and is {new.kind}.", remedy, old.uid)
    if old.max_parallelism != new.max_parallelism:
        yield _max_parallelism(old, new)
    if old.key_type != new.key_type:
        remedy = None if lost == "harmless" else f"Keep the key {old.key_type}, or give the operator another uid."
        yield Change(lost, f"The key of {label} was {old.key_type}, and is {new.key_type}.", remedy, old.uid)
    if old.execution_mode != new.execution_mode:
        what = f"{label} ran in {old.execution_mode} mode, and runs in {new.execution_mode} mode"
        remedy = None if lost == "harmless" else f"Set python.execution-mode: {old.execution_mode}."
        yield Change(lost, f"{what}." if lost == "harmless" else f"{what}, which sees none of the other's state.", remedy, old.uid)
    if old.timers != new.timers:
        yield _timers(old, new)
    yield from _states(old, new, flink)
    yield from _code(old, new)


def _code(old: LockedOperator, new: LockedOperator) -> Iterator[Change]:
    """What neither Flink nor the types of the states tell."""
    if old.keeps is None or new.keeps is None:
        if (old.key, old.function, old.pickles) != (new.key, new.function, new.pickles):
            yield Change("harmless", f"“{old.uid}” has other code; it kept nothing, or keeps nothing now.", uid=old.uid, of_code=True)
        return
    label = f"“{old.uid}”"
    if old.key != new.key:
        what = f"The key of {label} was made by {old.key}, and is made by {new.key}"
        yield _code_changed(
            (old.key, new.key),
            f"What makes the key of {label}",
            f"{what}: a record whose key is another one now finds none of its state.",
            "See that each record has the key that it had; a test can compare the two.",
            old.uid,
        )
    if old.function != new.function:
        yield _code_changed(
            (old.function, new.function),
            f"What {label} runs",
            f"{label} ran {old.function}, and runs {new.function}, with the same state.",
            "See that it means by its states what the old one meant.",
            old.uid,
        )
    before, after = dict(old.pickles), dict(new.pickles)
    for name in sorted(set(before) & set(after)):
        if before[name] != after[name]:
            what = f"The class {name}, whose objects may be in the state of {label}, has other fields: an old object keeps the old ones."
            yield Change("cautious", what, "Let the code work with objects that lack the new fields.", old.uid, of_code=True)
    for name in sorted(set(before) - set(after)):
        what = f"The class {name}, whose objects may be in the state of {label}, is gone: old objects cannot be read without it."
        yield Change("cautious", what, "Keep a class of that name in that module.", old.uid, proved=bool(after), of_code=True)
    for name in sorted(set(after) - set(before)):
        yield Change("harmless", f"Objects of the class {name} may be in the state of {label} now.", uid=old.uid, of_code=True)


def _code_changed(known: tuple[str | None, str | None], subject: str, what: str, remedy: str, uid: str) -> Change:
    if known[0] is None:
        return Change("harmless", f"{subject} is known now: {known[1]}.", uid=uid, of_code=True)
    if known[1] is None:
        return Change("cautious", f"{subject} can no longer be known; it was {known[0]}.", remedy, uid, proved=False, of_code=True)
    return Change("cautious", what, remedy, uid, of_code=True)


def swapped(old: Lock, new: Lock) -> Iterator[Change]:
    """Yield the operators whose uids have changed places: Flink gives each the state of another."""
    for one in old.operators:
        now = new.operator(one.uid)
        if now is None or one.keeps is None or None in (one.function, now.function) or one.function == now.function:
            continue
        owner = _owner(old, new, one, str(now.function))
        if owner is not None:
            what = f"“{one.uid}” runs {now.function}, as “{owner.uid}” did: it would read the state of {one.function} as its own."
            yield Change("loses-state", what, "Give each operator its uid back.", one.uid)


def _owner(old: Lock, new: Lock, one: LockedOperator, function: str) -> LockedOperator | None:
    """Return the operator whose uid another one has taken, while a third, or that very one, has got its own."""
    was = [other for other in old.operators if other.function == function and other.keeps is not None]
    for other in was:
        instead = new.operator(other.uid)
        if instead is not None and instead.function == one.function:
            return other
    still_runs = was and getattr(new.operator(was[0].uid), "function", None) == function
    moved = any(
        each.function == one.function and getattr(old.operator(each.uid), "function", None) != one.function for each in new.operators
    )
    return was[0] if len(was) == 1 and moved and not still_runs else None


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


def _states(old: LockedOperator, new: LockedOperator, flink: str) -> Iterator[Change]:
    reason = f": {new.why}" if new.why else ""
    if new.unknown and not old.unknown:
        yield Change("cautious", f"The states of “{old.uid}” can no longer be found{reason}.", _ASK_IN_OPEN, old.uid, proved=False)
    elif old.unknown and not new.unknown:
        yield Change("harmless", f"The states of “{old.uid}” can be found now.", uid=old.uid)
    for state in old.states:
        successor = new.like(state)
        if successor is not None:
            yield from _state(old, state, successor, flink)
        elif new.unknown:
            what = f"The state “{state.name}” of “{old.uid}” is gone, or was not found{reason}."
            yield Change("cautious", what, _ASK_IN_OPEN, old.uid, state.name, proved=False)
        else:
            yield _dropped(old, state, new)
    for state in new.states:
        if old.like(state) is None:
            yield Change("harmless", f"“{old.uid}” has a new state, “{state.name}”, which begins empty.", uid=old.uid, state=state.name)


def _dropped(operator: LockedOperator, state: State, new: LockedOperator) -> Change:
    heirs = [entry.name for entry in new.states if operator.like(entry) is None and (entry.kind, entry.type) == (state.kind, state.type)]
    remedy = f"If it is the one that is called “{heirs[0]}” now, give it its name back." if heirs else None
    what = f"The state “{state.name}” of “{operator.uid}” is gone: Flink leaves what is in it behind, and says nothing."
    return Change("loses-state", what, remedy, operator.uid, state.name)


def _state(operator: LockedOperator, old: State, new: State, flink: str) -> Iterator[Change]:
    uid = operator.uid
    label = f"The state “{old.name}” of “{uid}”"
    if (old.kind, new.kind, operator.execution_mode) == ("value", "list", "process") and new.type == f"ListTypeInfo<{old.type}>":
        what = f"{label} was a value, and is a list: in process mode PyFlink keeps a value as a list of one."
        yield Change("cautious", what, "Expect lists of one; there is no way back.", uid, old.name)
    elif old.kind != new.kind:
        what = f"{label} was of the kind {old.kind}, and is {new.kind}."
        yield Change("loses-state", what, "Give the new one a name of its own.", uid, old.name)
    elif old.type != new.type and _UNKNOWN in (old.type, new.type):
        what = f"The type of {label[0].lower()}{label[1:]} is not known in both: {old.type}, {new.type}."
        yield Change("cautious", what, "Keep its descriptor where the function can see it.", uid, old.name, proved=False)
    elif old.type != new.type and operator.execution_mode == "thread" and _stored(old.type) == _stored(new.type):
        what = f"{label} was {old.type}, and is {new.type}: in thread mode both are stored alike, and old values come back as they were."
        yield Change("cautious", what, "Let the code work with the old values as well.", uid, old.name)
    elif old.type != new.type:
        yield Change(
            "loses-state",
            f"{label} was {old.type}, and is {new.type}: what is in it would be read as something else.",
            "Give the new one a name of its own, and read the old one until it is empty.",
            uid,
            old.name,
        )
    if old.ttl != new.ttl:
        yield _time_to_live(uid, label, old, new, flink)
    if (old.version, old.fields) != (new.version, new.fields):
        yield Change(*fields.compare(label, old, new), uid, old.name)


def _stored(kind: str) -> str:
    """Return what thread mode makes of a type (`to_java_typeinfo` in PyFlink's embedded/java_utils.py): tuples and rows are pickled."""
    for holder in ("ListTypeInfo", "MapTypeInfo"):
        if kind.startswith(f"{holder}<"):
            return f"{holder}<{', '.join(map(_stored, _parts(kind[len(holder) + 1 : -1])))}>"
    return "pickled" if kind.startswith(_PICKLED) else _ALIKE.get(kind, kind)


def _parts(text: str) -> list[str]:
    """Divide the arguments of a type at the commas that are not within another."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _time_to_live(uid: str, label: str, old: State, new: State, flink: str) -> Change:
    """Flink 2.2 is the first that reads state with a time to live as one without, and the other way about (FLINK-32955)."""
    what = f"{label} had the time to live {old.ttl or 'without end'}, and has {new.ttl or 'without end'}"
    if old.ttl is not None and new.ttl is not None:
        return Change(
            "cautious", f"{what}: what is there expires by the new one.", "See that nothing expires that is needed.", uid, old.name
        )
    if _version(flink) < (2, 2):
        return Change("loses-state", f"{what}: Flink {flink} does not restore it.", "Give the new one a name of its own.", uid, old.name)
    return Change("cautious", f"{what}: Flink stores it anew when it restores it.", "Expect the first start to take longer.", uid, old.name)
