"""The figures that follow from when a job has written its output, and from its checkpoints."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..cluster.rest import Checkpoint, RestClient
from ..errors import ClusterError

END = 0.95
"""The share of the output, or of the input, at which measuring ends: partitions run out one after the other."""

_LEAST_MILLISECONDS = 200


@dataclass(frozen=True)
class Steady:
    """A job at full pace: after it has got warm, and before its input runs out.

    Attributes:
        records: How many were written in that time.
        begin: In seconds since the epoch.
        end: In seconds since the epoch.
    """

    records: int
    begin: float
    end: float

    @property
    def rate(self) -> float:
        """Records for each second."""
        return self.records / (self.end - self.begin)


def steady(times: Sequence[int], warm_up: float) -> Steady:
    """Find the part of a run in which a job keeps its pace: up to the last twentieth of its output.

    Args:
        times: When each record was written, in milliseconds, ascending.
        warm_up: For how many seconds after the first one the job is not measured: Java's compiler is at work, caches fill.

    Raises:
        ClusterError: When there is nothing between the two.
    """
    last = math.floor(END * (len(times) - 1))
    first = bisect_left(times, times[0] + warm_up * 1000) if times else 0
    if not times or first >= last or times[last] - times[first] < _LEAST_MILLISECONDS:
        raise ClusterError(
            "The run is too short to be measured.",
            found=f"{len(times):,} records, and {warm_up:g} s to get warm",
            remedy="Use more records, or a shorter time to get warm.",
        )
    return Steady(last - first, times[first] / 1000, times[last] / 1000)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not exceeded by a share of all; the values are in ascending order."""
    return values[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints that a job has completed.

    Attributes:
        count: How many.
        seconds: How long each took, end to end; ascending.
        bytes: How much each added to the storage; ascending.
        state_bytes: How much the last one refers to, in all.
    """

    count: int
    seconds: tuple[float, ...]
    bytes: tuple[int, ...]
    state_bytes: int


def checkpoints(rest: RestClient, job: str) -> Checkpoints:
    """Ask the JobManager for a job's checkpoints; it remembers the last ten, unless `web.checkpoints.history` says more."""
    return summary(rest.history(job))


def summary(history: Iterable[Checkpoint], begin: float = -math.inf, end: float = math.inf) -> Checkpoints:
    """Return what the completed checkpoints of a history came to.

    Args:
        history: Checkpoints and savepoints, in the order in which they began.
        begin: Those that began before are left out; in seconds since the epoch.
        end: And those that began after.
    """
    done = [each for each in history if each.status == "COMPLETED" and not each.is_savepoint and begin <= each.triggered <= end]
    return Checkpoints(
        count=len(done),
        seconds=tuple(sorted(each.seconds for each in done)),
        bytes=tuple(sorted(each.bytes for each in done)),
        state_bytes=done[-1].state_bytes if done else 0,
    )
