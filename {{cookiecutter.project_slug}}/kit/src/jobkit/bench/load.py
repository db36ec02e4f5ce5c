"""A load: records put into a topic at an even pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..cluster.clients import writer
from ..cluster.sample import Record
from ..cluster.topics import partition_of
from ..errors import ClusterError

_BATCH_BYTES = 262_144
_BEHIND_SECONDS = 1.0

APPEND_TIME: Mapping[str, str] = {"message.timestamp.type": "LogAppendTime"}
"""The setting of a topic whose records bear the broker's time of writing, not the client's."""


def _ignore(_: int) -> None:
    pass


@dataclass(frozen=True)
class Sent:
    """What an evenly paced load came to.

    Attributes:
        count: The number of records.
        seconds: How long it took.
        furthest_behind: By how many seconds the sender was late at worst: its own share of the latency.
    """

    count: int
    seconds: float
    furthest_behind: float


class Behind(ClusterError):
    """The sender was late: the load was not the one that was asked for."""


class Load:
    """A sender of records to one topic; the partition of a record follows from its key, or else from its place."""

    def __init__(self, servers: str, topic: str, partitions: int, *, linger_ms: int = 50) -> None:
        """Connect to the broker.

        Args:
            servers: The broker.
            topic: Where the records go.
            partitions: How many partitions it has.
            linger_ms: How long a batch may wait for more records.
        """
        self._topic, self._partitions, self._count = topic, partitions, 0
        self._failures: list[BaseException] = []
        self._producer = writer(servers, linger_ms=linger_ms, batch_size=_BATCH_BYTES)

    def __enter__(self) -> Load:  # noqa: PYI034  (typing.Self came with Python 3.11)
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._producer.close(timeout=5)

    def send_evenly(self, records: Iterator[Record], rate: float, seconds: float, progress: Callable[[int], None] = _ignore) -> Sent:
        """Send records one by one at an even pace.

        Args:
            records: Each is taken when it is due, so that it can bear the time.
            rate: Records for each second.
            seconds: How long.
            progress: Called about once a second with the number of whole seconds that are over.

        Raises:
            Behind: When this machine did not keep up the pace.
            ClusterError: When the broker did not take one of the records.
        """
        begin, count, behind, shown = time.perf_counter(), 0, 0.0, 0
        total = int(rate * seconds)
        while count < total:
            now = time.perf_counter() - begin
            if now >= shown + 1:
                shown = int(now)
                progress(shown)
            due = min(total, int(now * rate) + 1)
            behind = max(behind, now - count / rate)
            while count < due:
                self._send(next(records))
                count += 1
            time.sleep(max(0.0, min(0.001, count / rate - (time.perf_counter() - begin))))
        spent = time.perf_counter() - begin
        self._finish()
        if behind > _BEHIND_SECONDS:
            raise Behind(
                "The sender cannot keep up the pace.",
                found=f"{behind:.1f} s behind at {rate:,.0f} records a second",
                remedy="Lower the rate.",
            )
        return Sent(count, spent, behind)

    def _send(self, record: Record) -> None:
        partition = partition_of(self._count, record, self._partitions)
        self._producer.send(self._topic, key=record.key, value=record.value, partition=partition).add_errback(self._failures.append)
        self._count += 1

    def _finish(self) -> None:
        self._producer.flush()
        if self._failures:
            raise ClusterError("The broker did not take a record.", found=f"{self._failures[0]!r}", where=self._topic)
