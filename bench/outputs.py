"""What a run has written: followed as it comes, and checked at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from jobkit.bench import measure
from jobkit.bench.measure import Tail

from .contenders.contender import Contract
from .verify import Expected


def follow(contract: Contract, output: Tail, rejects: Tail, expected: Expected, seconds: float, look: Callable[[int], None]) -> bool:  # noqa: PLR0913, PLR0917
    """Wait until a contender has committed all its output; say whether it has.

    Args:
        contract: What it writes.
        output: The topic of its results.
        rejects: The topic of what it has rejected.
        expected: What the input gives.
        seconds: How long to wait.
        look: Called on each look with how many records of the input show in the output; raises when the contender has failed.
    """
    if contract is Contract.FINAL:
        return _follow_final(output, rejects, expected, seconds, look)
    return measure.follow([output, rejects], expected.total, seconds, look)


def _follow_final(output: Tail, rejects: Tail, expected: Expected, seconds: float, look: Callable[[int], None]) -> bool:
    """Wait for the last update of each key, by reading along: their number is not known beforehand."""
    deadline, seen = time.monotonic() + seconds, _Updates(expected)
    while time.monotonic() < deadline:
        for tail in (output, rejects):
            tail.read()
        look(seen.update(output) + rejects.count)
        if seen.done >= expected.good and rejects.count >= expected.rejects.total():
            return True
        time.sleep(1.0)
    return False


class _Updates:
    """How many records of the input the updates of each key stand for.

    Attributes:
        done: That number.
    """

    def __init__(self, expected: Expected) -> None:
        """Begin with none."""
        self.done = 0
        self._expected = expected
        self._last: dict[str, int] = {}
        self._read: dict[int, int] = {}

    def update(self, output: Tail) -> int:
        """Take what was read since, and return the number."""
        for number, part in output.partitions.items():
            for value in part.values[self._read.get(number, 0) :]:
                update = self._expected.update(value)
                if update is not None and update[1] > self._last.get(update[0], 0):
                    self.done += update[1] - self._last.get(update[0], 0)
                    self._last[update[0]] = update[1]
            self._read[number] = len(part.values)
        return self.done


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
