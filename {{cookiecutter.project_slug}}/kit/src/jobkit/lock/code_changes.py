"""What a change of an operator's code does to the state that the code before it has left."""

from __future__ import annotations

from collections.abc import Iterator

from .change import Change
from .keys import UNKNOWN
from .model import Lock, LockedOperator


def code_changes(old: LockedOperator, new: LockedOperator) -> Iterator[Change]:
    """Yield what neither Flink nor the types of the states tell."""
    if old.plan != new.plan and new.plan is not None:
        yield _code_changed(
            (old.plan, new.plan),
            f"What the query of “{old.uid}” computes",
            f"The query of “{old.uid}” computes something else than before, with the state that is there.",
            "See that it means by its state what the old one meant, or give the query that it serves another uid.",
            old.uid,
        )
    if old.keeps is None or new.keeps is None:
        if any(getattr(old, name) != getattr(new, name) for name in ("key", "function", "pickles", "code")):
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
    yield from _pickled(old, new)


def _pickled(old: LockedOperator, new: LockedOperator) -> Iterator[Change]:
    """Yield what may have become of the objects that are pickled in the state."""
    label = f"“{old.uid}”"
    if old.code != new.code and None not in (old.code, new.code):
        what = f"{label} has other code, and pickles: what its tuples, lists and dicts hold, and in which order, no type tells."
        remedy = "See that it reads what the old code has written."
        yield Change("cautious", what, remedy, old.uid, of_code=True)
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
    if known[1] is None or (UNKNOWN in known[1].split(", ") and UNKNOWN not in known[0].split(", ")):
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
