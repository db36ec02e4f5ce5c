"""What a run has written: followed as it comes, and checked at the end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from jobkit.bench import measure
from jobkit.bench.measure import Tail

from .contenders.contender import Contract
from .verify import Expected

_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_OF_QUIET = 4.5
"""More than two commits."""


def follow(contract: Contract, output: Tail, rejects: Tail, expected: Expected, seconds: float, look: Callable[[int], None]) -> bool:  # noqa: PLR0913, PLR0917
    """Wait until a contender has committed all its output; say whether it has.

    Args:
        contract: What it writes.
        output: The topic of its results.
        rejects: The topic of what it has rejected.
        expected: What the input gives.
        seconds: How long to wait.
        look: Called on each look with about how many records of the output are committed; raises when the contender has failed.
    """
    if contract is Contract.FINAL:
        return _follow_final(output, rejects, expected, seconds, look)
    return measure.follow([output, rejects], expected.total, seconds, look)


def _follow_final(output: Tail, rejects: Tail, expected: Expected, seconds: float, look: Callable[[int], None]) -> bool:
    """Wait for the last update of each key.

    Their number is not known beforehand. What there is is read when nothing has been committed for a while, and not along with the
    job, from which that would take the processors that it is measured on.
    """
    deadline, seen = time.monotonic() + seconds, _Updates(expected)
    before, since = 0, time.monotonic()
    while time.monotonic() < deadline:
        committed = output.committed() + rejects.committed()
        look(min(committed, expected.total))
        if committed != before:
            before, since = committed, time.monotonic()
        elif committed and time.monotonic() - since > _SECONDS_OF_QUIET:
            for tail in (output, rejects):
                tail.read()
            if seen.update(output) >= expected.good and rejects.count >= expected.rejects.total():
                return True
            since = math.inf  # until something comes
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return False


class _Updates:
    """How many records of the input the updates of each key stand for."""

    def __init__(self, expected: Expected) -> None:
        """Begin with none."""
        self._done = 0
        self._expected = expected
        self._last: dict[str, int] = {}
        self._read: dict[int, int] = {}

    def update(self, output: Tail) -> int:
        """Take what was read since, and return the number."""
        for number, part in output.partitions.items():
            for value in part.values[self._read.get(number, 0) :]:
                update = self._expected.update(value)
                if update is not None and update[1] > self._last.get(update[0], 0):
                    self._done += update[1] - self._last.get(update[0], 0)
                    self._last[update[0]] = update[1]
            self._read[number] = len(part.values)
        return self._done


def shown(contract: Contract, expected: Expected, output: Tail, rejects: Tail, *, is_complete: bool) -> Sequence[int]:
    """Check the output, and return when each record of the input has shown in it, in milliseconds, ascending.

    Raises:
        WrongOutput: When it is not what the input gives.
    """
    if contract is Contract.SAME:
        expected.check_same(output.partitions, is_complete=is_complete)
        return output.times()
    expected.check_rejects(rejects.partitions, is_complete=is_complete)
    if contract is Contract.EACH:
        expected.check_each(output.partitions, is_complete=is_complete)
        return output.times()
    updates = sorted(pair for part in output.partitions.values() for pair in zip(part.times, part.values, strict=True))
    return [stamp for stamp, weight in expected.check_final(updates, is_complete=is_complete) for _ in range(weight)]
