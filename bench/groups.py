"""The runs of one contender on one kind of input: their medians, and what one should know of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

_DISTURBED = 0.05
"""The share of a run's processors that may go to other processes: what is measured beyond it says little."""


@dataclass(frozen=True)
class Group:
    """The runs of one contender on one kind of input.

    Attributes:
        keys: How many keys the input may have.
        contender: Its name.
        runs: The runs, as in the JSON document.
    """

    keys: int
    contender: str
    runs: list[dict[str, Any]]

    @property
    def good(self) -> list[dict[str, Any]]:
        """The figures of the runs that have not failed; of those that were not disturbed, where there are some."""
        found = [run["figures"] for run in self.runs if not run["error"]]
        return [figures for figures in found if not is_disturbed(figures)] or found

    @property
    def rounds(self) -> set[int]:
        """The numbers of the rounds whose figures count."""
        counting = [id(figures) for figures in self.good]
        return {int(run["round"]) for run in self.runs if id(run["figures"]) in counting}

    def only(self, rounds: Collection[int]) -> Group:
        """Return the runs of some rounds."""
        return Group(self.keys, self.contender, [run for run in self.runs if run["round"] in rounds])

    @property
    def disturbed(self) -> bool:
        """Whether other processes took much of the processors in all of them."""
        return any(map(is_disturbed, self.good))

    @property
    def is_short(self) -> bool:
        """Whether one of them was at full pace for too short a time."""
        return any(figures.get("is_short") for figures in self.good)

    @property
    def warm_up(self) -> float | None:
        """The shortest time that one of them was given to get warm, where that is known."""
        return min((figures["warm_up_seconds"] for figures in self.good if "warm_up_seconds" in figures), default=None)

    @property
    def with_startup(self) -> bool:
        """Whether one of them was measured from its launch on."""
        return any(figures.get("with_startup") for figures in self.good)

    @property
    def complete(self) -> bool:
        """Whether no run was stopped before its end."""
        return all(run["complete"] for run in self.runs if not run["error"])

    def figures(self, *path: str) -> list[float]:
        """Return one figure of every good run."""
        found = []
        for entry in self.good:
            value: Any = entry
            for name in path:
                value = value[name]
            found.append(float(value))
        return found

    def median(self, *path: str) -> float:
        """Return the median of one figure."""
        return median(self.figures(*path))


def is_disturbed(figures: Mapping[str, Any]) -> bool:
    """Return whether other processes took much of the processors in a run."""
    return bool(figures.get("foreign_share", 0.0) > _DISTURBED)


def groups(document: Mapping[str, Any], kind: str = "throughput") -> Iterator[Group]:
    """Yield the runs of one kind, by number of keys and contender."""
    for keys in document["settings"]["keys"]:
        for name in document["contenders"]:
            found = [run for run in document["runs"] if (run["kind"], run["keys"], run["contender"]) == (kind, keys, name)]
            if found:
                yield Group(keys, name, found)
