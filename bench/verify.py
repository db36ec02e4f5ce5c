"""What a contender must have written, computed from the input alone, and whether it has."""

from __future__ import annotations

import base64
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

import orjson

from .errors import WrongOutput
from .tail import Written

_TOLERANCE = 1e-9
_SHOWN = 5


class Expected:
    """What an input gives, record by record.

    Attributes:
        good: How many records can be counted.
        sums: For each key the sum of its delays up to each of its records, in the order of its partition.
        rejects: The bytes of the others, and how often each is there.
        values: The bytes of all, and how often each is there.
        total: How many records there are.
    """

    def __init__(self, partitions: Iterable[Iterable[bytes]]) -> None:
        """Compute it from the input's partitions, each in its order."""
        delays: dict[str, array[int]] = {}
        self.rejects: Counter[bytes] = Counter()
        self.values: Counter[bytes] = Counter()
        for values in partitions:
            for value in values:
                self.values[value] += 1
                flight = parse(value)
                if flight is None:
                    self.rejects[value] += 1
                else:
                    delays.setdefault(flight[0], array("q")).append(flight[1])
        self.sums: dict[str, array[int]] = {key: array("q", accumulate(series)) for key, series in delays.items()}
        self.good = sum(map(len, self.sums.values()))
        self.total = self.good + self.rejects.total()

    @property
    def keys(self) -> int:
        """How many keys there are."""
        return len(self.sums)

    def check_each(self, parts: Mapping[int, Written], *, is_complete: bool) -> int:
        """Check an output of one record for each good record of the input; return how many it holds.

        Args:
            parts: The output's partitions.
            is_complete: Whether all must be there. Otherwise each key's first ones, without a gap.

        Raises:
            WrongOutput: When one is wrong, missing, there twice, or in the wrong place.
        """
        seen = {key: bytearray(len(series)) for key, series in self.sums.items()}
        for number, part in parts.items():
            last: dict[str, int] = {}
            for value in part.values:
                key, count = self._one(value)
                if seen[key][count - 1]:
                    raise WrongOutput("A record is there twice.", found=text(value), where=f"partition {number}")
                if count <= last.get(key, 0):
                    raise WrongOutput("A record is out of order.", found=text(value), where=f"partition {number}")
                seen[key][count - 1] = 1
                last[key] = count
        self._require_no_gap(seen, is_complete=is_complete)
        return sum(flags.count(1) for flags in seen.values())

    def check_final(self, updates: Iterable[tuple[int, bytes]], *, is_complete: bool) -> list[tuple[int, int]]:
        """Check an output of updates that may skip records: each is right, and the last of each key is there.

        Args:
            updates: When each was written, and what, in the order of time.
            is_complete: Whether the last of each key must be there.

        Returns:
            The times, each with how many records of the input show from then on.

        Raises:
            WrongOutput: When an update is wrong, or the last one of a key is missing.
        """
        last: dict[str, int] = {}
        steps: list[tuple[int, int]] = []
        for stamp, value in updates:
            update = self.update(value)
            if update is None:
                continue
            key, count = update
            if count > last.get(key, 0):
                steps.append((stamp, count - last.get(key, 0)))
                last[key] = count
        missing = [f"{key} at {last.get(key, 0)} of {len(series)}" for key, series in self.sums.items() if last.get(key) != len(series)]
        if missing and is_complete:
            raise WrongOutput("The last value of a key is missing.", found=some(missing))
        return steps

    def update(self, value: bytes) -> tuple[str, int] | None:
        """Check an update by itself, and return its key and count; None when it takes an earlier one back.

        Raises:
            WrongOutput: When it is wrong.
        """
        return self._one(value) if json_object(value).get("diff", 1) > 0 else None

    def check_rejects(self, parts: Mapping[int, Written], *, is_complete: bool) -> int:
        """Check the reject topic: each malformed record once, with a reason and its bytes; return how many it holds.

        Raises:
            WrongOutput: When it is not so.
        """
        return compare_rejects(parts, self.rejects, is_complete=is_complete)

    def check_same(self, parts: Mapping[int, Written], *, is_complete: bool) -> int:
        """Check an output that repeats the input; return how many records it holds.

        Raises:
            WrongOutput: When it does not.
        """
        found = Counter(value for part in parts.values() for value in part.values)
        _compare(found, self.values, "record", is_complete=is_complete)
        return found.total()

    def _one(self, value: bytes) -> tuple[str, int]:
        """Check one record of the output by itself, and return its key and count."""
        record = json_object(value)
        key, count, mean = record.get("key"), record.get("count"), record.get("mean")
        series = self.sums.get(key) if isinstance(key, str) else None
        if series is None or type(count) is not int or not 1 <= count <= len(series):
            raise WrongOutput("A record is there that the input does not give.", found=text(value))
        right = series[count - 1] / count
        if not isinstance(mean, (int, float)) or not math.isclose(mean, right, rel_tol=_TOLERANCE):
            raise WrongOutput("A mean is wrong.", found=text(value), remedy=f"Right is {right!r}.")
        return str(key), count

    def _require_no_gap(self, seen: Mapping[str, bytearray], *, is_complete: bool) -> None:
        gaps = []
        for key, flags in seen.items():
            wanted = len(flags) if is_complete else flags.rfind(1) + 1
            if flags.count(1, 0, wanted) != wanted:
                gaps.append(f"{key} has {flags.count(1)} of {wanted}")
        if gaps:
            raise WrongOutput("Records are missing.", found=some(gaps))


def compare_rejects(parts: Mapping[int, Written], right: Counter[bytes], *, is_complete: bool) -> int:
    """Check a reject topic: each malformed record once, with a reason and its bytes; return how many it holds.

    Args:
        parts: Its partitions.
        right: The malformed records, and how often each is there.
        is_complete: Whether all must be there.

    Raises:
        WrongOutput: When it is not so.
    """
    found: Counter[bytes] = Counter()
    for number, part in parts.items():
        for value in part.values:
            reject = json_object(value)
            if not isinstance(reject.get("reason"), str) or not reject["reason"]:
                raise WrongOutput("A rejected record has no reason.", found=text(value), where=f"partition {number}")
            found[base64.b64decode(reject.get("value", ""))] += 1
    _compare(found, right, "rejected record", is_complete=is_complete)
    return found.total()


def _compare(found: Counter[bytes], right: Counter[bytes], what: str, *, is_complete: bool) -> None:
    more = [text(value) for value in found - right]
    if more:
        raise WrongOutput(f"A {what} is there too often, or belongs to another input.", found=some(more))
    missing = [text(value) for value in right - found]
    if missing and is_complete:
        raise WrongOutput(f"A {what} is missing.", found=some(missing))


def parse(value: bytes) -> tuple[str, int] | None:
    """Return key and delay of an input record, or None when it is malformed."""
    try:
        record = orjson.loads(value)
    except ValueError:
        return None
    if not isinstance(record, dict):
        return None
    key, delay = record.get("key"), record.get("delay")
    return (key, delay) if isinstance(key, str) and type(delay) is int else None


def json_object(value: bytes) -> dict[str, Any]:
    """Return a record of an output.

    Raises:
        WrongOutput: When it is no JSON object.
    """
    try:
        record = orjson.loads(value)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise WrongOutput("A record is no JSON object.", found=text(value))
    return record


def text(value: bytes) -> str:
    """Return bytes as they can be shown."""
    return value.decode(errors="replace")


def some(texts: list[str]) -> str:
    """Return the first few of many findings."""
    more = f", and {len(texts) - _SHOWN:,} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more
