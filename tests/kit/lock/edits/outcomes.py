"""What Flink did with the states of a branch, told from the lines that the branch wrote after it was restored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Outcome = Literal["kept", "lost", "garbage", "refused", "failed"]
Line = Mapping[str, Any]

KEYS = 4
LEFT = range(40)
"""The numbers, which are event times too, that the old job counts; then it is quiet, and the snapshot is taken."""
GIVEN = (*range(1000, 1008), *range(9000, 9008))
"""Those of a job that was started from the snapshot; the later ones let all timers and windows of the earlier ones fire."""


@dataclass(frozen=True)
class Branch:
    """What a branch of the job reads when nothing was lost.

    Attributes:
        right: What it reads of each state first, out of the number of the key.
        initial: What it reads of a state that begins from nothing, where that is not None, [] or {}.
    """

    right: Mapping[str, Callable[[int], Any]]
    initial: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def _always(value: Any) -> Callable[[int], Any]:
    return lambda _: value


EACH = len(LEFT) // KEYS
LAST = LEFT[-1] - KEYS + 1
_COUNT = {"count": _always(EACH)}
BRANCHES: Mapping[str, Branch] = {
    "count": Branch(_COUNT),
    "fresh": Branch({"fresh": _always(EACH)}),
    "several": Branch(
        {
            "last": lambda key: [LAST - KEYS + key, LAST + key],
            "seen": lambda key: {"1": LAST + key},
            "pair": lambda key: [LAST + key, "text"],
        }
    ),
    "note": Branch({"note": _always(EACH)}),
    "tally": Branch({"count": _always(EACH), "latest": lambda key: LAST + key}),
    "two": Branch({"half": _always(EACH * 0.5), "tens": _always(EACH * 10), **_COUNT}),
    "mapped": Branch(_COUNT),
    "timer": Branch({"calls": _always(EACH), "fired": _always(1)}),
    "window": Branch({"gathered": _always(EACH)}, {"gathered": 0}),
    "aggregated": Branch({"gathered": _always(EACH)}, {"gathered": 0}),
    "rules": Branch({"rule": _always(LEFT[-1])}),
    "policy": Branch({"rule": _always(LEFT[-1])}),
    "limits": Branch({"limit": _always(LEFT[-1])}),
    "both": Branch({"both": _always(EACH)}),
    "added": Branch({"sum": _always(EACH), "mean": lambda key: sum(LEFT[key::KEYS]) / EACH}),
    "paired": Branch({"number": _always(EACH)}),
    "query": Branch({"total": lambda key: sum(LEFT[key::KEYS]) + GIVEN[key]}),
    "position": Branch({"has_read": lambda _: True}, {"has_read": False}),
    "batch": Branch({"count": _always(EACH), "latest": lambda key: LAST + key}, {"count": 0, "latest": -1}),
}
QUIET = {"window", "aggregated"}
"""Those that say nothing of a number before a window is closed; beside them another must run, which says what was counted."""


def read(lines: Iterable[Line], branch: Branch, missing: frozenset[str]) -> dict[int, dict[str, Any]] | None:
    """Return what each key has read first of each state, or None when more is to come.

    Windows and timers that were left are those that end, or fire, before the first number that is given: what windows have
    gathered is added up. That a later one fires shows that there are no more of these.

    Args:
        lines: What the branch has written.
        branch: What is to be read.
        missing: The states that the edited branch does not read.
    """
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    done: dict[int, set[str]] = defaultdict(set)
    for line in lines:
        key, value = int(line["key"]), line["value"]
        found[key].update()  # it may read nothing
        for name, content in line["read"].items():
            is_late = value > GIVEN[0] + KEYS
            if name == "gathered":
                gathered = 0 if is_late else content
                found[key][name] = found[key].get(name, 0) + gathered
            elif name == "fired":
                found[key].setdefault(name, None if is_late else content)
            else:
                found[key].setdefault(name, content)
            if is_late or name != "gathered":
                done[key].add(name)
    count = 1 if "has_read" in branch.right else KEYS
    is_all = len(found) == count and all(done[key] >= set(branch.right) - missing for key in found)
    return dict(found) if is_all else None


def judge(branch: Branch, found: Mapping[int, Mapping[str, Any]], right: Mapping[str, Any]) -> tuple[Outcome, str]:
    """Return what became of the states, and what was read of the first that is not right.

    Args:
        branch: What was to be read.
        found: What was read, by key and state.
        right: What counts as right where an edit changes the form of a state.
    """
    outcome: Outcome = "kept"
    cause = ""
    for key, reads in sorted(found.items()):
        for name, of_key in branch.right.items():
            wanted, got = right.get(name, of_key(key)), reads.get(name)
            if got == wanted or str(got) == str(wanted):
                continue
            is_initial = got in (None, [], {}, branch.initial.get(name))
            if outcome == "kept" or (outcome == "lost" and not is_initial):
                outcome = "lost" if is_initial else "garbage"
                cause = f"{name} reads {got!r} instead of {wanted!r}"
    return outcome, cause
