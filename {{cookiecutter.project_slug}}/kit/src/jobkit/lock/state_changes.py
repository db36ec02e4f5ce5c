"""What a change of a state, or of an operator's states, does to what is in them."""

from __future__ import annotations

from collections.abc import Iterator

from ..graph import UNKNOWN, State
from . import fields
from .change import Change
from .model import LockedOperator, numbers

_ASK_IN_OPEN = "Ask for every state in open(), and let open() work without the services that only the cluster reaches."
_PICKLED = ("PickledByteArrayTypeInfo", "RowTypeInfo", "TupleTypeInfo")
_ALIKE = {"Byte": "Long", "Short": "Long", "Integer": "Long", "Float": "Double", "Char": "String"}
"""What thread mode stores some types as."""


def state_changes(old: LockedOperator, new: LockedOperator, flink: str) -> Iterator[Change]:
    """Yield what becomes of each state of an operator; see `operator_changes`."""
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
    yield from (_added(old, state) for state in new.states if old.like(state) is None)


def _added(operator: LockedOperator, state: State) -> Change:
    if operator.unknown:  # the lock was written where not all states were found
        what = f"“{operator.uid}” has the state “{state.name}”, of which the lock did not know: it may have been there, of another type."
        remedy = "Compare with a snapshot: jobkit compat SNAPSHOT. If it was there, keep its name and type."
        return Change("cautious", what, remedy, operator.uid, state.name)
    return Change("harmless", f"“{operator.uid}” has a new state, “{state.name}”, which begins empty.", uid=operator.uid, state=state.name)


def _dropped(operator: LockedOperator, state: State, new: LockedOperator) -> Change:
    heirs = [entry.name for entry in new.states if operator.like(entry) is None and (entry.kind, entry.type) == (state.kind, state.type)]
    remedy = f"If it is the one that is called “{heirs[0]}” now, give it its name back." if heirs else None
    what = f"The state “{state.name}” of “{operator.uid}” is gone: Flink leaves what is in it behind, and says nothing."
    return Change("loses-state", what, remedy, operator.uid, state.name, left_behind=True)


def _state(operator: LockedOperator, old: State, new: State, flink: str) -> Iterator[Change]:
    uid = operator.uid
    label = f"The state “{old.name}” of “{uid}”"
    if (old.kind, new.kind, operator.execution_mode) == ("value", "list", "process") and new.type == f"ListTypeInfo<{old.type}>":
        what = f"{label} was a value, and is a list: in process mode PyFlink keeps a value as a list of one."
        yield Change("cautious", what, "Expect lists of one; there is no way back.", uid, old.name)
    elif old.kind != new.kind:
        what = f"{label} was of the kind {old.kind}, and is {new.kind}."
        yield Change("loses-state", what, "Give the new one a name of its own.", uid, old.name)
    elif old.type != new.type and UNKNOWN in (old.type, new.type):
        what = f"The type of {label[0].lower()}{label[1:]} is not known in both: {old.type}, {new.type}."
        yield Change("cautious", what, "Keep its descriptor where the function can see it.", uid, old.name, proved=False)
    elif old.type != new.type and operator.execution_mode == "thread" and _stored(old.type) == _stored(new.type):
        what = f"{label} was {old.type}, and is {new.type}: in thread mode both are stored alike, and old values come back as they were."
        yield Change("cautious", what, "Let the code work with the old values as well.", uid, old.name)
    elif old.type != new.type:
        yield Change(
            "loses-state",
            f"{label} was {old.type}, and is {new.type}: what is in it would be read as something else.",
            "Give the new one a name of its own, and have it take over from the old one: before=… and convert=… of jobkit.evolution.",
            uid,
            old.name,
        )
    if old.ttl != new.ttl:
        yield _time_to_live(uid, label, old, new, flink)
    if (old.version, old.fields, old.migrates) != (new.version, new.fields, new.migrates):
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
    if numbers(flink) < (2, 2):
        return Change("loses-state", f"{what}: Flink {flink} does not restore it.", "Give the new one a name of its own.", uid, old.name)
    return Change("cautious", f"{what}: Flink stores it anew when it restores it.", "Expect the first start to take longer.", uid, old.name)
