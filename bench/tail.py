"""Reads with librdkafka what a run has written: ten million records in half a minute, for which a client in Python takes longer."""

from __future__ import annotations

import time
from array import array
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from jobkit.cluster import clients
from jobkit.errors import ClusterError

from .errors import BenchmarkError

_OPTIONS = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "auto.offset.reset": "error",
    "check.crcs": False,  # over this machine's own loopback
    "fetch.message.max.bytes": 8_388_608,
    "queued.max.messages.kbytes": 262_144,
    "queued.min.messages": 1_000_000,  # with the defaults it rests for a second whenever 100,000 are there
    "fetch.queue.backoff.ms": 5,
}
_RECORDS_AT_ONCE = 10_000
_SECONDS_OF_SILENCE = 60.0


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
        self._consumer = clients.reader(servers)
        self._places = [clients.TopicPartition(topic, number) for number in sorted(self._consumer.partitions_for_topic(topic) or ())]
        if not self._places:
            raise ClusterError("The topic is not there.", found=topic)
        self._consumer.assign(self._places)
        self._options: dict[str, Any] = {"bootstrap.servers": servers, "group.id": topic, **_OPTIONS}
        self._next = {place.partition: 0 for place in self._places}
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
        """Read what is committed now.

        The connection lasts only as long: this client would read ahead, beside the job that is measured.

        Raises:
            BenchmarkError: When the broker gives nothing more, but has some.
        """
        found: dict[Any, int] = self._consumer.end_offsets(self._places)
        ends = {place.partition: end for place, end in found.items()}
        if not self._is_short_of(ends):
            return
        topic = self._places[0].topic
        with closing(Consumer(self._options)) as consumer:
            consumer.assign([TopicPartition(topic, number, self._next[number]) for number in ends])
            heard = time.monotonic()
            while self._is_short_of(ends):
                messages = consumer.consume(_RECORDS_AT_ONCE, 0.2)
                self._take(messages)
                if messages:
                    heard = time.monotonic()
                elif time.monotonic() - heard > _SECONDS_OF_SILENCE:
                    raise BenchmarkError("The broker gives nothing more, but has some.", where=topic)

    def _is_short_of(self, ends: dict[int, int]) -> bool:
        return any(self._next[number] < end for number, end in ends.items())

    def _take(self, messages: list[Message]) -> None:
        """Keep records, and how far each partition was read: the mark of an end stands behind what was not committed, too."""
        for message in messages:
            error, number, offset = message.error(), message.partition(), message.offset()
            is_end = error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001  (its documented name)
            if number is None or offset is None or (error is not None and not is_end):
                raise BenchmarkError("The broker does not do as it is told.", found=str(error))
            if not is_end:
                part = self.partitions[number]
                part.values.append(message.value() or b"")
                part.times.append(message.timestamp()[1] or 0)
                part.offsets.append(offset)
            self._next[number] = offset if is_end else offset + 1

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close(autocommit=False)

    def values(self) -> list[bytes]:
        """Return all values that were read, partition by partition."""
        return [value for part in self.partitions.values() for value in part.values]

    def times(self) -> array[int]:
        """Return when the broker got each of them, in ascending order."""
        return array("q", sorted(stamp for part in self.partitions.values() for stamp in part.times))
