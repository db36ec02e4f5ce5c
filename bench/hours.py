"""What the template's own job must have written: the delays of each airport and hour, computed from the input alone."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from .errors import WrongOutput
from .flights import CLOSING
from .tail import Written
from .verify import compare_rejects, json_object, some, text

_LATE_MINUTES = 15
_TOLERANCE = 1e-9
_FIELDS = {"date": str, "delay": int, "distance": int, "origin": str, "destination": str}


class Hour(NamedTuple):
    """An airport and an hour, as the output names it."""

    origin: str
    hour: str


class ExpectedHours:
    """What an input of flights in the order of time gives.

    Attributes:
        good: How many flights can be counted, without the closing ones.
        delays: The delays of each airport and hour.
        rejects: The bytes of the other records, and how often each is there.
        keys: How many airports there are.
        total: How many records there are, without the closing ones.
    """

    def __init__(self, partitions: Iterable[Iterable[bytes]]) -> None:
        """Compute it from the input's partitions."""
        self.delays: dict[Hour, array[int]] = {}
        self.rejects: Counter[bytes] = Counter()
        for values in partitions:
            for value in values:
                flight = parse(value)
                if flight is None:
                    self.rejects[value] += 1
                elif flight["destination"] != CLOSING:
                    self.delays.setdefault(_hour(flight), array("q")).append(flight["delay"])
        self.good = sum(map(len, self.delays.values()))
        self.keys = len({hour.origin for hour in self.delays})
        self.total = self.good + self.rejects.total()

    def shown(self, output: Mapping[int, Written]) -> int:
        """Return for how many flights the last row of each airport and hour stands, unchecked."""
        last = {_named(row): row["flights"] for _, row in _rows(output) if _named(row) in self.delays}
        return sum(last.values())

    def check(
        self, output: Mapping[int, Written], late: Mapping[int, Written], rejects: Mapping[int, Written], *, once: bool, is_complete: bool
    ) -> list[tuple[int, int]]:
        """Check all that was written.

        Args:
            output: The rows.
            late: The flights that came too late, each of which is in no row.
            rejects: The records that are no flights.
            once: Whether there is one row for each airport and hour. Otherwise the last one is right.
            is_complete: Whether all must be there. Otherwise a row may lack flights that were not read.

        Returns:
            The times, each with how many flights show from then on.

        Raises:
            WrongOutput: When a row is wrong, missing, or there twice.
        """
        compare_rejects(rejects, self.rejects, is_complete=is_complete)
        left = self._without(late)
        last: dict[Hour, dict[str, Any]] = {}
        steps = []
        for stamp, row in _rows(output):
            name = _named(row)
            if name not in left:
                if name in self.delays or not is_closing(name):
                    raise WrongOutput("A row is there that the input does not give.", found=str(row))
                continue
            if once and name in last:
                raise WrongOutput("A row is there twice.", found=str(row))
            more = row["flights"] - (last[name]["flights"] if name in last else 0)
            if more > 0:
                steps.append((stamp, more))
            last[name] = row
        for name, row in last.items():
            self._compare(row, left[name], is_complete=is_complete)
        missing = [f"{name.origin} at {name.hour}" for name in left if name not in last]
        if missing and is_complete:
            raise WrongOutput("Rows are missing.", found=some(missing))
        return steps

    def _without(self, late: Mapping[int, Written]) -> dict[Hour, Sequence[int]]:
        """Return the delays of each airport and hour without those of late flights."""
        left: dict[Hour, Sequence[int]] = dict(self.delays)
        gone: dict[Hour, Counter[int]] = {}
        for part in late.values():
            for value in part.values:
                flight = parse(value)
                if flight is None or _hour(flight) not in self.delays:
                    raise WrongOutput("A late record is there that the input does not give.", found=text(value))
                gone.setdefault(_hour(flight), Counter())[flight["delay"]] += 1
        for name, delays in gone.items():
            rest = Counter(self.delays[name])
            if delays - rest:
                raise WrongOutput("A flight is late too often.", found=f"{name.origin} at {name.hour}")
            left[name] = list((rest - delays).elements())
        return {name: delays for name, delays in left.items() if delays}

    @staticmethod
    def _compare(row: Mapping[str, Any], delays: Sequence[int], *, is_complete: bool) -> None:
        if not is_complete and row["flights"] < len(delays):
            return
        right = {
            "flights": len(delays),
            "mean_delay": sum(delays) / len(delays),
            "max_delay": max(delays),
            "late_share": sum(delay >= _LATE_MINUTES for delay in delays) / len(delays),
        }
        if not all(math.isclose(row.get(name, math.nan), value, rel_tol=_TOLERANCE) for name, value in right.items()):
            raise WrongOutput("A row is wrong.", found=str(dict(row)), remedy=f"Right is {right}.")


def is_closing(name: Hour) -> bool:
    """Return whether an hour is that of the closing flights, which a contender may write or not."""
    return name.hour.startswith("9999/")


def parse(value: bytes) -> dict[str, Any] | None:
    """Return a flight, or None when it is malformed."""
    try:
        flight = orjson.loads(value)
    except ValueError:
        return None
    if not isinstance(flight, dict) or any(type(flight.get(name)) is not kind for name, kind in _FIELDS.items()):
        return None
    return flight if _is_date(flight["date"]) else None


@lru_cache(maxsize=100_000)
def _is_date(date: str) -> bool:
    try:
        datetime.strptime(date, "%Y/%m/%d %H:%M")  # noqa: DTZ007  (local time, as in the file)
    except ValueError:
        return False
    return True


def _hour(flight: Mapping[str, Any]) -> Hour:
    return Hour(flight["origin"], flight["date"][:-2] + "00")


def _rows(parts: Mapping[int, Written]) -> Iterable[tuple[int, dict[str, Any]]]:
    """Yield the rows in the order of time, without those that take an earlier one back."""
    pairs = sorted(pair for part in parts.values() for pair in zip(part.times, part.offsets, part.values, strict=True))
    for stamp, _, value in pairs:
        row = json_object(value)
        if row.get("diff", 1) > 0:
            yield stamp, row


def _named(row: Mapping[str, Any]) -> Hour:
    return Hour(str(row.get("origin")), str(row.get("hour")))
