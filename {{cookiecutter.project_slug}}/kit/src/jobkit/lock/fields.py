"""What a change of the class of a `KeyedFunction`'s state, or of one of `jobkit.evolution`'s, does to what is there.

A state is written as the version and the values of the fields, in their order; no name is in it.
"""

from __future__ import annotations

from ..graph import State
from .model import Verdict

Finding = tuple[Verdict, str, str | None]
"""How bad it is, what has changed, and what to do."""

_ANOTHER_NAME = (
    "Give the new one a name of its own, and have it take over from the old one: before=… and convert=… of jobkit.evolution. "
    "A KeyedFunction needs another uid."
)
_IF_RENAMED = "Nothing, if each is the old one under another name: they are told apart by their order."


def compare(label: str, old: State, new: State) -> Finding:
    """Judge a state whose version or fields have changed.

    Args:
        label: What to call it, to begin a sentence.
        old: As it was written.
        new: As the job would read it.
    """
    if old.version is None or new.version is None:
        return "loses-state", f"{label} has, or had, no version: it is packed otherwise.", _ANOTHER_NAME
    if old.version == new.version:
        return _same_version(label, old, new, f"Set version = {old.version + 1}, and write migrate().")
    what = f"{label} was of version {old.version}, and is of {new.version}"
    if new.version < old.version:
        return "loses-state", f"{what}.", f"Count the version up, to {old.version + 1} at least."
    if not new.migrates:
        remedy = f"Write migrate(version, values), for version {old.version}: {_shown(old)}."
        return "loses-state", f"{what}, and there is no migrate(): the job fails at the first old state.", remedy
    remedy = f"Have a test that gives migrate() the values of version {old.version}: {_shown(old)}."
    return "cautious", f"{what}: migrate() makes the new of the old when it is read.", remedy


def _same_version(label: str, old: State, new: State, count_up: str) -> Finding:
    if old.migrates and not new.migrates:
        what = f"{label} had a migrate() for earlier versions, and has none: the job fails at the first state that one of them has left."
        return "loses-state", what, "Keep migrate(): a key that was quiet since then still has such a state."
    if old.fields == new.fields:
        return "harmless", f"{label} has a migrate() now, for states of earlier versions.", None
    if len(old.fields) != len(new.fields):
        what = f"{label} had the fields {_shown(old)}, and has {_shown(new)}, in the same version: the job fails at the first old state."
        return "loses-state", what, count_up
    if _is_reordered(old, new):
        what = f"{label} has its fields in another order, {_shown(new)} instead of {_shown(old)}: each would be read as another."
        return "loses-state", what, f"Restore the order. Or: {count_up}"
    if [kind for _, kind in old.fields] != [kind for _, kind in new.fields]:
        what = f"{label} had the fields {_shown(old)}, and has {_shown(new)}: old values stay what they were."
        return "cautious", what, f"If the function cannot work with them: {count_up}"
    return "cautious", f"{label} has fields with other names: {_shown(new)} instead of {_shown(old)}.", _IF_RENAMED


def _is_reordered(old: State, new: State) -> bool:
    """Whether a field that is in both stands at another place."""
    before, after = ([name for name, _ in state.fields] for state in (old, new))
    return any(before.index(name) != after.index(name) for name in set(before) & set(after))


def _shown(state: State) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in state.fields) or "none"
