"""The input of a benchmark: topics, and records put into them, as fast as they go or at an even pace."""

from __future__ import annotations

import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..cluster.sample import Record
from ..cluster.waiting import until
from ..errors import ClusterError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its own files in a way that Python has deprecated
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import KafkaAdminClient, NewTopic
    from kafka.errors import KafkaError

_BATCH_BYTES = 262_144
_RECORDS_BETWEEN_REPORTS = 10_000
_BEHIND_SECONDS = 1.0
_SECONDS_FOR_TOPICS = 60

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


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, the same on every machine."""
    return zlib.crc32(key) % partitions


@contextmanager
def administration(servers: str) -> Iterator[Any]:
    """Give a client that makes and removes topics, and close it; its errors become ours.

    Raises:
        ClusterError: When the broker refuses.
    """
    try:
        admin = KafkaAdminClient(bootstrap_servers=servers)
        try:
            yield admin
        finally:
            admin.close()
    except KafkaError as error:
        raise ClusterError("The broker refuses a change of its topics.", found=str(error), where=servers) from error


def create(servers: str, topics: Mapping[str, Mapping[str, str]], partitions: int) -> None:
    """Make topics.

    Args:
        servers: The broker.
        topics: The topics' names, each with its settings.
        partitions: How many each gets.
    """
    with administration(servers) as admin:
        admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dict(settings)) for name, settings in topics.items()])
    consumer = KafkaConsumer(bootstrap_servers=servers, group_id=None, enable_auto_commit=False)
    try:
        for name in topics:  # the broker answers before its own picture of the cluster has them

            def probe(name: str = name) -> bool | None:
                return len(consumer.partitions_for_topic(name) or ()) == partitions or None

            until(probe, what=f"the topic {name} is there", seconds=_SECONDS_FOR_TOPICS)
    finally:
        consumer.close(autocommit=False)


def delete(servers: str, wanted: Callable[[str], bool]) -> None:
    """Remove the topics that are wanted away, those too that a job has made for itself."""
    with administration(servers) as admin:
        names = [name for name in admin.list_topics() if wanted(name)]
        if names:
            admin.delete_topics(names)


def ends(servers: str, topic: str, *, committed: bool = True) -> dict[int, int]:
    """Return the offset that the next record of each partition gets.

    Args:
        servers: The broker.
        topic: The topic.
        committed: Leave out what lies beyond a transaction that is still open.
    """
    level = "read_committed" if committed else "read_uncommitted"
    consumer = KafkaConsumer(bootstrap_servers=servers, group_id=None, enable_auto_commit=False, isolation_level=level)
    try:
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        return {place.partition: int(end) for place, end in consumer.end_offsets(places).items()}
    finally:
        consumer.close(autocommit=False)


class Load:
    """A sender of records to one topic; the partition of a record follows from its key."""

    def __init__(self, servers: str, topic: str, partitions: int, *, linger_ms: int = 50) -> None:
        """Connect to the broker.

        Args:
            servers: The broker.
            topic: Where the records go.
            partitions: How many partitions it has.
            linger_ms: How long a batch may wait for more records.
        """
        self._topic, self._partitions = topic, partitions
        self._failures: list[BaseException] = []
        self._producer = KafkaProducer(
            bootstrap_servers=servers, acks="all", enable_idempotence=True, linger_ms=linger_ms, batch_size=_BATCH_BYTES
        )

    def __enter__(self) -> Load:  # noqa: PYI034  (typing.Self came with Python 3.11)
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._producer.close(timeout=5)

    def send_all(self, records: Iterable[Record], progress: Callable[[int], None]) -> int:
        """Send records as fast as they go, and return how many there were; all are acknowledged.

        Raises:
            ClusterError: When the broker did not take one of them.
        """
        count = 0
        for record in records:
            self._send(record)
            count += 1
            if count % _RECORDS_BETWEEN_REPORTS == 0:
                progress(count)
        self._finish()
        if count % _RECORDS_BETWEEN_REPORTS:
            progress(count)
        return count

    def send_evenly(self, records: Iterator[Record], rate: float, seconds: float, progress: Callable[[int], None] = _ignore) -> Sent:
        """Send records one by one at an even pace.

        Args:
            records: Each is taken when it is due, so that it can bear the time.
            rate: Records for each second.
            seconds: How long.
            progress: Called about once a second with the number of whole seconds that are over.

        Raises:
            ClusterError: When the broker did not take one of them, or this machine cannot keep up the pace.
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
            raise ClusterError(
                "The sender cannot keep up the pace.",
                found=f"{behind:.1f} s behind at {rate:,.0f} records a second",
                remedy="Lower the rate.",
            )
        return Sent(count, spent, behind)

    def _send(self, record: Record) -> None:
        key = record.key or b""
        future = self._producer.send(self._topic, key=record.key, value=record.value, partition=partition_of(key, self._partitions))
        future.add_errback(self._failures.append)

    def _finish(self) -> None:
        self._producer.flush()
        if self._failures:
            raise ClusterError("The broker did not take a record.", found=f"{self._failures[0]!r}", where=self._topic)
