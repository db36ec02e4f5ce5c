"""The figures of a run, of nothing but the time in which it worked: not of what came before its launch, nor after its last output."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from jobkit.bench import measure
from jobkit.bench.measure import Steady
from jobkit.bench.resources import Usage
from jobkit.cluster.rest import Checkpoint
from jobkit.errors import ClusterError

from .errors import BenchmarkError

LEAST_SECONDS = 5.0
"""Less at full pace is no finding: it holds two commits, and as many checkpoints."""

_MIB = 1 << 20
_MILLION = 1_000_000


@dataclass(frozen=True)
class Course:
    """What is known of a run when it is over.

    Attributes:
        launched: When its first process was started, in seconds since the epoch.
        times: When each record of the input showed in the output, in milliseconds since the epoch, ascending.
        usage: What the contender's processes used; sampled for longer, until all output was read back. Of a run that reached its limit
            they were sampled until then: what it writes as it is being stopped is no part of its pace, and does not count.
        broker: What the broker used.
        measuring: The processor time of what measures.
        checkpoints: All that were taken.
        cores: How many processors both had.
    """

    launched: float
    times: Sequence[int]
    usage: Usage
    broker: Usage
    measuring: Usage
    checkpoints: Sequence[Checkpoint]
    cores: int

    @property
    def ended(self) -> float:
        """When the last record was written, in seconds since the epoch."""
        return self.times[-1] / 1000


def figures(course: Course, warm_up: float, *, may_have_no_middle: bool = False) -> dict[str, Any]:
    """Return the figures by name; times in seconds, memory in MiB.

    Args:
        course: The run.
        warm_up: For how many seconds after its first output it is not measured; half as many where too little would be left.
        may_have_no_middle: Whether a few large commits may be all that there is. Then it is measured over the whole run, start-up
            included, which is a pace that it has kept at least.

    Raises:
        BenchmarkError: When nothing was written.
        ClusterError: When the run is too short to be measured.
    """
    course = replace(course, times=course.times[: bisect_right(course.times, course.usage.times[-1] * 1000)])
    if not course.times:
        raise BenchmarkError("Nothing was written in time.")
    steady, warmed = _pace(course, warm_up, may_have_no_middle=may_have_no_middle)
    own, broker = (used.between(steady.begin, steady.end) for used in (course.usage, course.broker))
    foreign = max(0.0, course.usage.busy_between(steady.begin, steady.end) - own - broker)
    looks = 1 + bisect_right([moment for moment, _ in course.usage.memory], course.ended)  # a short run may lie between two looks
    memory = [(moment - course.launched, held / _MIB) for moment, held in course.usage.memory[:looks]]
    found = measure.summary(course.checkpoints, steady.begin, steady.end)
    return {
        "records": len(course.times),
        "records_per_second": steady.rate,
        "startup_seconds": course.times[0] / 1000 - course.launched,
        "seconds": course.ended - course.launched,
        "steady": asdict(steady),
        "warm_up_seconds": warmed,
        "with_startup": steady.begin == course.launched,
        "is_short": steady.end - steady.begin < LEAST_SECONDS,
        "by_second": _by_second(course.times),
        "cpu_seconds_per_million": own / steady.records * _MILLION,
        "cpu_seconds_per_million_with_startup": course.usage.between(course.launched, course.ended) / len(course.times) * _MILLION,
        "broker_cpu_seconds_per_million": broker / steady.records * _MILLION,
        "foreign_share": foreign / course.cores / (steady.end - steady.begin),
        "measuring_share": course.measuring.between(steady.begin, steady.end) / course.cores / (steady.end - steady.begin),
        "peak_mib": max((held for _, held in memory), default=0.0),
        "memory_mib": [(round(second, 1), round(held)) for second, held in memory],
        "memory_is_proportional": course.usage.is_proportional,
        **({"checkpoints": asdict(found)} if course.checkpoints else {}),
    }


def _pace(course: Course, warm_up: float, *, may_have_no_middle: bool) -> tuple[Steady, float]:
    """Return the part of the run that is measured, and after how many seconds it begins."""
    try:
        steady = measure.steady(course.times, warm_up)
    except ClusterError:
        steady = None
    if steady is not None and steady.end - steady.begin >= LEAST_SECONDS:
        return steady, warm_up
    try:
        return measure.steady(course.times, warm_up / 2), warm_up / 2
    except ClusterError:
        if steady is not None:
            return steady, warm_up
        if not may_have_no_middle:
            raise
    return Steady(len(course.times), course.launched, course.ended), 0.0


def _by_second(times: Sequence[int]) -> list[int]:
    """Return how much was written in each second, from the first output on: how a contender gets warm, and whether it falters."""
    counts = Counter((stamp - times[0]) // 1000 for stamp in times)
    return [counts[second] for second in range(max(counts) + 1)]
