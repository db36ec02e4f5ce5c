"""What a run has written: followed as it comes, and checked at the end."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from .contenders.contender import Contract
from .hours import ExpectedHours
from .tail import Tail
from .verify import Expected

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_OF_QUIET = 4.5
"""More than two commits."""


class Outputs(NamedTuple):
    """What reads the topics that a run writes.

    Attributes:
        output: The results.
        rejects: The malformed records.
        late: The records that came too late.
    """

    output: Tail
    rejects: Tail
    late: Tail


def follow(contract: Contract, outputs: Outputs, expected: Expected | ExpectedHours, seconds: float, look: Callable[[int], None]) -> bool:
    """Wait until a contender has committed all its output; say whether it has.

    Args:
        contract: What it writes.
        outputs: What it has written.
        expected: What the input gives.
        seconds: How long to wait.
        look: Called on each look with about how many records of the output are committed; raises when the contender has failed.
    """
    if isinstance(expected, ExpectedHours):
        return _follow_until(_Hours(expected, outputs, once=contract is Contract.HOURS).done, outputs, expected.total, seconds, look)
    if contract is Contract.FINAL:
        return _follow_until(_Updates(expected, outputs).done, outputs, expected.total, seconds, look)
    return _follow_all([outputs.output, outputs.rejects], expected.total, seconds, look)


def _follow_all(tails: Sequence[Tail], expected: int, seconds: float, look: Callable[[int], None]) -> bool:
    """Wait until a job has committed all its output; say whether it has.

    The records are read at the end only, so that reading does not take from the job what it is measured by.

    Args:
        tails: The topics of the output.
        expected: How many records they hold when all is done.
        seconds: How long to wait.
        look: Called on each look with what is taken up so far; raises when the job has failed.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        committed = sum(tail.committed() for tail in tails)
        look(min(committed, expected))
        if committed >= expected:
            for tail in tails:
                tail.read()
            if sum(tail.count for tail in tails) >= expected:
                return True
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return False


def _follow_until(done: Callable[[], bool], outputs: Outputs, total: int, seconds: float, look: Callable[[int], None]) -> bool:
    """Wait for an output of which it is not known beforehand how many records it has.

    What there is is read when nothing has been committed for a while, and not along with the job, from which that would take the
    processors that it is measured on.
    """
    deadline = time.monotonic() + seconds
    before, since = 0, time.monotonic()
    while time.monotonic() < deadline:
        committed = sum(tail.committed() for tail in outputs)
        look(min(committed, total))
        if committed != before:
            before, since = committed, time.monotonic()
        elif committed and time.monotonic() - since > _SECONDS_OF_QUIET:
            for tail in outputs:
                tail.read()
            if done():
                return True
            since = math.inf  # until something comes
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return False


class _Hours:
    """Whether all flights are in rows, late, or rejected."""

    def __init__(self, expected: ExpectedHours, outputs: Outputs, *, once: bool) -> None:
        """Take what to look for, and where."""
        self._expected, self._outputs, self._once = expected, outputs, once

    def done(self) -> bool:
        """Say so, of what was read."""
        flights = self._expected.shown(self._outputs.output.partitions)
        if self._once:
            flights += self._outputs.late.count
        return flights >= self._expected.good and self._outputs.rejects.count >= self._expected.rejects.total()


class _Updates:
    """How many records of the input the updates of each key stand for."""

    def __init__(self, expected: Expected, outputs: Outputs) -> None:
        """Begin with none."""
        self._done = 0
        self._expected, self._outputs = expected, outputs
        self._last: dict[str, int] = {}
        self._read: dict[int, int] = {}

    def done(self) -> bool:
        """Take what was read since; say whether that is all."""
        for number, part in self._outputs.output.partitions.items():
            for value in part.values[self._read.get(number, 0) :]:
                update = self._expected.update(value)
                if update is not None and update[1] > self._last.get(update[0], 0):
                    self._done += update[1] - self._last.get(update[0], 0)
                    self._last[update[0]] = update[1]
            self._read[number] = len(part.values)
        return self._done >= self._expected.good and self._outputs.rejects.count >= self._expected.rejects.total()


def shown(contract: Contract, expected: Expected | ExpectedHours, outputs: Outputs, *, is_complete: bool) -> Sequence[int]:
    """Check the output, and return when each record of the input has shown in it, in milliseconds, ascending.

    Raises:
        WrongOutput: When it is not what the input gives.
    """
    output, rejects, late = outputs
    if isinstance(expected, ExpectedHours):
        once = contract is Contract.HOURS
        steps = expected.check(output.partitions, late.partitions, rejects.partitions, once=once, is_complete=is_complete)
        return _weighted(steps)
    if contract is Contract.SAME:
        expected.check_same(output.partitions, is_complete=is_complete)
        return output.times()
    expected.check_rejects(rejects.partitions, is_complete=is_complete)
    if contract is Contract.EACH:
        expected.check_each(output.partitions, is_complete=is_complete)
        return output.times()
    updates = sorted(pair for part in output.partitions.values() for pair in zip(part.times, part.values, strict=True))
    return _weighted(expected.check_final(updates, is_complete=is_complete))


def _weighted(steps: Iterable[tuple[int, int]]) -> array[int]:
    return array("q", (stamp for stamp, weight in steps for _ in range(weight)))
