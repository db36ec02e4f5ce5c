"""The output of a benchmark: what a job has written, when the broker got it, and the figures that follow."""

from __future__ import annotations

import math
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..cluster.clients import TopicPartition, reader
from ..cluster.rest import Checkpoint, RestClient
from ..errors import ClusterError

_POLL_RECORDS = 10_000
_FETCH_BYTES = 8_388_608
_SECONDS_BETWEEN_LOOKS = 1.0
END = 0.95
"""The share of the output, or of the input, at which measuring ends: partitions run out one after the other."""

_LEAST_MILLISECONDS = 200


@dataclass
class Written:
    """The committed records of one partition, in its order.

    Attributes:
        values: What was written.
        times: When the broker got it, in milliseconds since the epoch.
        offsets: Where each stands.
    """

    values: list[bytes] = field(default_factory=list)
    times: array[int] = field(default_factory=lambda: array("q"))
    offsets: array[int] = field(default_factory=lambda: array("q"))


class Tail:
    """Reads the committed records of one topic, as far as they are there, and goes on later.

    Attributes:
        partitions: What was read so far.
    """

    def __init__(self, servers: str, topic: str) -> None:
        """Connect to the broker; nothing is read yet."""
        # The records came over this machine's own loopback: checking each sum again in Python takes four times as long as reading.
        self._consumer = reader(
            servers,
            max_poll_records=_POLL_RECORDS,
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_bytes=8 * _FETCH_BYTES,
            check_crcs=False,
        )
        self._places = [TopicPartition(topic, number) for number in sorted(self._consumer.partitions_for_topic(topic) or ())]
        if not self._places:
            raise ClusterError("The topic is not there.", found=topic)
        self._consumer.assign(self._places)
        self._consumer.seek_to_beginning(*self._places)
        self.partitions = {place.partition: Written() for place in self._places}

    def __enter__(self) -> Tail:  # noqa: PYI034  (typing.Self came with Python 3.11)
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    @property
    def count(self) -> int:
        """How many records were read."""
        return sum(len(part.values) for part in self.partitions.values())

    def committed(self) -> int:
        """Return how many offsets are taken up by committed records and the marks of their transactions: no fewer than records."""
        return sum(self._consumer.end_offsets(self._places).values())

    def read(self) -> None:
        """Read what is committed now."""
        found: dict[Any, int] = self._consumer.end_offsets(self._places)
        while any(self._consumer.position(place) < end for place, end in found.items()):
            for place, batch in self._consumer.poll(timeout_ms=200).items():
                part = self.partitions[place.partition]
                part.values += [record.value or b"" for record in batch]
                part.times.extend([record.timestamp for record in batch])
                part.offsets.extend([record.offset for record in batch])

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close(autocommit=False)

    def values(self) -> list[bytes]:
        """Return all values that were read, partition by partition."""
        return [value for part in self.partitions.values() for value in part.values]

    def times(self) -> array[int]:
        """Return when the broker got each of them, in ascending order."""
        return array("q", sorted(stamp for part in self.partitions.values() for stamp in part.times))


def follow(tails: Sequence[Tail], expected: int, seconds: float, look: Callable[[int], None]) -> bool:
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
