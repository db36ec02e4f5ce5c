"""The topics of a broker: made, fed, read, and how far a consumer group is."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, wraps
from types import MappingProxyType
from typing import Any, TypeVar, cast

from ..errors import ClusterError
from .clients import (
    InvalidReplicationFactorError,
    KafkaError,
    NewTopic,
    TopicAlreadyExistsError,
    TopicPartition,
    admin,
    reader,
    writer,
)
from .sample import Record
from .waiting import until

_SECONDS_FOR_TOPICS = 180
_SECONDS_FOR_TRANSACTIONS = 180
_SECONDS_BETWEEN_CALLS = 0.3
_LINGER_MS = 20

Method = TypeVar("Method", bound=Callable[..., Any])


def _asked(method: Method) -> Method:
    """Make errors of ours of those of the broker and its clients."""

    @wraps(method)
    def ask(topics: Topics, *arguments: Any, **named: Any) -> Any:
        try:
            return method(topics, *arguments, **named)
        except KafkaError as error:
            raise ClusterError("The broker does not do what it was asked.", found=str(error), where=topics.servers) from error

    return cast("Method", ask)


class Topics:
    """A client of one broker. What the broker refuses, or does not answer, is a `ClusterError`.

    Attributes:
        servers: The broker's address, `host:port`.
    """

    def __init__(self, servers: str) -> None:
        """Connect to the broker at `host:port`.

        Raises:
            ClusterError: When it does not answer.
        """
        self.servers = servers
        self._admin = admin(servers)
        # Made when first asked: kafka-python leaves open the socket of a client that is closed while it still connects.
        self._consumers: dict[tuple[str | None, bool], Any] = {}

    def close(self) -> None:
        """Close all connections."""
        for consumer in self._consumers.values():
            consumer.close(autocommit=False)
        self._admin.close()

    @_asked
    def names(self) -> set[str]:
        """Return the names of all topics."""
        return set(self._admin.list_topics())

    @_asked
    def create(self, names: Iterable[str], partitions: int, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        """Make the topics that are not there yet.

        Args:
            names: Their names.
            partitions: How many each gets.
            settings: Kafka's settings of a topic, for all of them.

        Raises:
            ClusterError: When the broker refuses.
        """
        missing = self._missing(NewTopic(name, partitions, 1, topic_configs=dict(settings)) for name in dict.fromkeys(names))
        if not missing:
            return
        until(partial(self._take, missing), what=f"the broker at {self.servers} makes topics", seconds=_SECONDS_FOR_TOPICS, interval=0.5)
        for topic in missing:  # the broker answers before its own picture of the cluster has them
            until(partial(self._is_known, topic.name, partitions), what=f"the topic {topic.name} is there", seconds=_SECONDS_FOR_TOPICS)

    @_asked
    def ends(self, topic: str, *, committed: bool = True) -> dict[int, int]:
        """Return, for each partition, the offset that the next record gets.

        Args:
            topic: The topic.
            committed: Leave out what lies beyond a transaction that is still open.
        """
        consumer = self._consumer(committed=committed)
        partitions = [TopicPartition(topic, number) for number in self._partitions(topic)]
        return {partition.partition: int(end) for partition, end in consumer.end_offsets(partitions).items()}

    @_asked
    def committed_offsets(self, group: str, topic: str) -> dict[int, int]:
        """Return, for each partition, the offset that a consumer group has committed; 0 where it has none."""
        consumer = self._consumer(group)
        return {number: consumer.committed(TopicPartition(topic, number)) or 0 for number in self._partitions(topic)}

    def committed(self, group: str, topic: str) -> int:
        """Return how many records of a topic a consumer group has committed."""
        return sum(self.committed_offsets(group, topic).values())

    @_asked
    def feed(self, topic: str, records: Iterator[Record], partitions: int, progress: Callable[[int], None]) -> int:
        """Send the records that the topic does not hold yet, in order; return how many it holds then.

        A record's partition depends on its key alone, or on its place when it has none: a run that goes on where another
        stopped skips, in each partition, as many as that holds. This is exact even when the other was killed.

        Args:
            topic: The topic.
            records: All records, from the first on.
            partitions: How many partitions the topic has.
            progress: Called now and then with the number of records that the topic holds.
        """
        ends = self.ends(topic)
        skip, total, last = dict(ends), sum(ends.values()), time.monotonic()
        producer = writer(self.servers, linger_ms=_LINGER_MS)
        pending: list[Any] = []
        try:
            progress(total)
            for place, record in enumerate(records):
                partition = partition_of(place, record, partitions)
                if skip[partition] > 0:
                    skip[partition] -= 1
                    continue
                pending.append(producer.send(topic, key=record.key, value=record.value, partition=partition))
                if time.monotonic() - last > _SECONDS_BETWEEN_CALLS:
                    last = time.monotonic()
                    total, pending = total + _acknowledged(pending), [future for future in pending if not future.is_done]
                    progress(total)
            producer.flush()
            total += _acknowledged(pending)
            progress(total)
        finally:
            producer.close(timeout=5)
        return total

    @_asked
    def produce(self, topic: str, records: Iterable[Record], partitions: int) -> int:
        """Send records behind those that the topic holds, and return how many they were; all are acknowledged.

        Args:
            topic: The topic.
            records: The records; one without a key goes to the partition of its place.
            partitions: How many partitions the topic has.
        """
        producer = writer(self.servers, linger_ms=_LINGER_MS)
        try:
            sent = [
                producer.send(topic, key=record.key, value=record.value, partition=partition_of(place, record, partitions))
                for place, record in enumerate(records)
            ]
            producer.flush()
        finally:
            producer.close(timeout=5)
        return _acknowledged(sent)

    @_asked
    def delete(self, names: Iterable[str]) -> None:
        """Remove topics."""
        self._admin.delete_topics(list(names))

    @_asked
    def read(self, topic: str) -> list[Record]:
        """Return all records of a topic whose transactions were committed, partition by partition.

        Raises:
            ClusterError: When a transaction stays open.
        """
        ends = self._settled(topic)
        partitions = {TopicPartition(topic, number): end for number, end in ends.items()}
        consumer = self._consumer()
        consumer.assign(list(partitions))
        consumer.seek_to_beginning(*partitions)
        found: dict[int, list[Record]] = {number: [] for number in ends}
        while any(consumer.position(partition) < end for partition, end in partitions.items()):
            for partition, batch in consumer.poll(timeout_ms=200).items():
                found[partition.partition] += [Record(record.key, record.value) for record in batch]
        return [record for number in sorted(found) for record in found[number]]

    def _settled(self, topic: str) -> dict[int, int]:
        """Wait until no transaction is open in a topic, and return its end offsets."""

        def probe() -> dict[int, int] | None:
            committed = self.ends(topic)
            return committed if committed == self.ends(topic, committed=False) else None

        return until(probe, what=f"all transactions in {topic} have ended", seconds=_SECONDS_FOR_TRANSACTIONS)

    def _consumer(self, group: str | None = None, *, committed: bool = True) -> Any:
        """Return the consumer of a group, or of none; of what is committed, or of all."""
        if (group, committed) not in self._consumers:
            self._consumers[group, committed] = reader(self.servers, group=group, committed=committed)
        return self._consumers[group, committed]

    def _missing(self, topics: Iterable[NewTopic]) -> list[NewTopic]:
        existing = self.names()
        return [topic for topic in topics if topic.name not in existing]

    def _take(self, topics: Iterable[NewTopic]) -> bool | None:
        """Make topics; None when the broker has to be asked again, because of itself."""
        missing = self._missing(topics)
        if not missing:
            return True
        try:
            self._admin.create_topics(missing)
        except (InvalidReplicationFactorError, TopicAlreadyExistsError):
            # No broker for one copy: it has missed its own heartbeats, and the controller in the same process does without it for a
            # moment. Or a call that seemed to fail has made them.
            return None
        return True

    def _is_known(self, topic: str, partitions: int) -> bool | None:
        return len(self._consumer().partitions_for_topic(topic) or ()) == partitions or None

    def _partitions(self, topic: str) -> Sequence[int]:
        numbers = self._consumer().partitions_for_topic(topic)
        if not numbers:
            raise ClusterError(f"There is no topic {topic}.", where=self.servers)
        return sorted(numbers)


def partition_of(place: int, record: Record, partitions: int) -> int:
    """Return the partition of a record: that of its key, the same on every machine, or without a key that of its place."""
    return (place if record.key is None else zlib.crc32(record.key)) % partitions


def _acknowledged(futures: Iterable[Any]) -> int:
    """Count what the broker has taken; raise what it has refused."""
    count = 0
    for future in futures:
        if future.is_done:
            future.get()
            count += 1
    return count
