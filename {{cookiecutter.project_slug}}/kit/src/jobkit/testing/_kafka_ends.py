"""What takes the place of Kafka in a pipeline under test: records in memory for each source, a collection for each sink.

The job builds its sources and sinks as ever, with the real connector. What topics they name and how they turn bytes
into elements and back is asked of the connector's Java objects, so that every schema works as it does in production.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from py4j.java_gateway import JavaClass
from py4j.protocol import Py4JError, Py4JJavaError
from pyflink.util.java_utils import get_field_value

from ..cluster.sample import Record
from ..errors import ConfigurationError, JobFailed

_SOURCE = "org.apache.flink.connector.kafka.source.KafkaSource"
_SINK = "org.apache.flink.connector.kafka.sink.KafkaSink"
_RECORD_CLASSES = (
    "org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord",
    "org.apache.kafka.clients.consumer.ConsumerRecord",
)


def is_kafka_source(j_source: Any) -> bool:
    """Return whether a Java object is Flink's Kafka source."""
    return bool(j_source.getClass().getName() == _SOURCE)


def is_kafka_sink(j_sink: Any) -> bool:
    """Return whether a Java object is Flink's Kafka sink."""
    return bool(j_sink.getClass().getName() == _SINK)


class Source:
    """A Kafka source of the job.

    Attributes:
        topics: The topics that it reads; of those given, when it reads them by a pattern.
    """

    def __init__(self, gateway: Any, j_source: Any, given: Mapping[str, Sequence[Record]]) -> None:
        self._jvm = gateway.jvm
        self._schema = get_field_value(j_source, "deserializationSchema")
        self.topics = _read_topics(get_field_value(j_source, "subscriber"), given)
        self.produced = self._schema.getProducedType()
        self._given = given

    def elements(self) -> Any:
        """Return what the job's own deserialisation makes of the records, as a Java list.

        Raises:
            JobFailed: When it cannot read one, as the job would fail.
        """
        elements = self._jvm.java.util.ArrayList()
        collector = self._jvm.org.apache.flink.api.common.functions.util.ListCollector(elements)
        self._schema.open(None)
        for topic in self.topics:
            for offset, record in enumerate(self._given.get(topic, ())):
                self._deserialize(topic, offset, record, collector)
        return elements

    def _deserialize(self, topic: str, offset: int, record: Record, collector: Any) -> None:
        try:
            self._schema.deserialize(self._record_class(topic, 0, offset, record.key, record.value), collector)
        except Py4JJavaError as error:
            raise JobFailed(
                "The job's deserialisation schema cannot read a record.",
                root_cause=str(error.java_exception.toString()),
                where=f"record {offset} of the topic {topic}",
            ) from error

    @functools.cached_property
    def _record_class(self) -> Any:
        for name in _RECORD_CLASSES:
            kind = functools.reduce(getattr, name.split("."), self._jvm)
            if isinstance(kind, JavaClass):
                return kind
        raise ConfigurationError("The class of Kafka's records is in no jar of the project.", found=" or ".join(_RECORD_CLASSES))


class Sink:
    """A Kafka sink of the job.

    Attributes:
        topic: The topic that it writes to; None when it chooses one for each element.
    """

    def __init__(self, j_sink: Any, j_elements: Any) -> None:
        self._serializer = get_field_value(j_sink, "recordSerializer")
        self._elements = j_elements
        self.topic = _written_topic(self._serializer)

    def records(self) -> list[tuple[str, bytes]]:
        """Wait until the job has ended; return topic and value of each record that it wrote."""
        written = []
        while self._elements.hasNext():
            record = self._serializer.serialize(self._elements.next(), None, None)
            value = record.value()
            written.append((str(record.topic()), b"" if value is None else bytes(value)))
        return written


def _read_topics(subscriber: Any, given: Mapping[str, Sequence[Record]]) -> list[str]:
    kind = subscriber.getClass().getSimpleName()
    if kind == "TopicListSubscriber":
        return [str(topic) for topic in get_field_value(subscriber, "topics").toArray()]
    if kind == "TopicPatternSubscriber":
        pattern = get_field_value(subscriber, "topicPattern")
        return [topic for topic in given if pattern.matcher(topic).matches()]
    if kind == "PartitionSetSubscriber":
        partitions = get_field_value(subscriber, "subscribedPartitions").toArray()
        return list(dict.fromkeys(str(partition.topic()) for partition in partitions))
    raise ConfigurationError("A source chooses its topics in a way that a test without Kafka cannot follow.", found=kind)


def _written_topic(serializer: Any) -> str | None:
    try:
        return str(get_field_value(serializer, "topicSelector").apply(None))
    except (Py4JError, AttributeError):  # it looks at the element, or is a class of its own: the records will tell
        return None
