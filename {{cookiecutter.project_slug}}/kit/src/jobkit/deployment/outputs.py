"""The Kafka topics that a job writes, how far they are, and how many committed records lie between two points of them.

Which topics they are is asked of the sinks themselves (their lineage, FLIP-314), and they are read with the Kafka client of the
job's own connector and the sinks' own properties: servers and security are those of the job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JError
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from ..errors import ClusterError
from ..throwables import innermost

Offsets = dict[str, dict[str, int]]
"""The next offset of each partition (a number, as text), by topic."""

_CLIENTS = ("org.apache.flink.kafka.shaded.org.apache.kafka", "org.apache.kafka")
_POLL_MILLISECONDS = 500
_MILLISECONDS_TO_ANSWER = 30_000
_MILLISECONDS_FOR_ENDS = 10_000
"""Shorter: nothing runs while this is asked."""
_POLLS_IN_VAIN = 60
_PASSED_ON = ("bootstrap.servers", "security.", "sasl.", "ssl.", "client.dns.lookup")


class Outputs:
    """What the Kafka sinks of a job write to.

    Attributes:
        topics: The topics, each with the properties of a sink that writes to it.
        unknown: The names of the sinks that do not say where they write to.
    """

    def __init__(self, env: StreamExecutionEnvironment) -> None:
        """Read the sinks of an environment in which a job was built."""
        self.topics: dict[str, dict[str, str]] = {}
        self.unknown: list[str] = []
        for transformation in env._j_stream_execution_environment.getTransformations():
            if str(transformation.getClass().getSimpleName()) == "SinkTransformation":
                self._add(str(transformation.getUid() or transformation.getName()), transformation.getSink())

    def _add(self, name: str, sink: Any) -> None:
        try:
            datasets = [(str(dataset.name()), dataset.facets().get("kafka")) for dataset in sink.getLineageVertex().datasets()]
        except (Py4JError, TypeError):  # TypeError: py4j's word for a method that is not there
            datasets = []
        known = {topic: dict(facet.getProperties()) for topic, facet in datasets if facet is not None}
        self.topics |= {topic: {str(key): str(value) for key, value in properties.items()} for topic, properties in known.items()}
        if not known:
            self.unknown.append(name)

    def ends(self) -> Offsets:
        """Return where the next record of each partition will stand, whether it is ever committed or not.

        Raises:
            ClusterError: When Kafka does not answer.
        """
        found: Offsets = {}
        for topic, properties in self.topics.items():
            with _consumer(properties, "read_uncommitted", _MILLISECONDS_FOR_ENDS) as (consumer, package):
                partitions = _partitions(consumer, package, topic)
                ends = consumer.endOffsets(partitions)
                found[topic] = {str(partition.partition()): int(ends.get(partition)) for partition in partitions}
        return found

    def count(self, begin: Offsets, end: Offsets) -> dict[str, dict[str, int]]:
        """Return how many committed records lie between two points, of the partitions in which any do.

        Offsets alone do not tell: markers of transactions, and records of those that were aborted, have offsets as well.

        Raises:
            ClusterError: When Kafka does not answer.
        """
        found: dict[str, dict[str, int]] = {}
        for topic, properties in self.topics.items():
            ranges = {number: (begin.get(topic, {}).get(number, 0), last) for number, last in end.get(topic, {}).items()}
            ranges = {number: (first, last) for number, (first, last) in ranges.items() if first < last}
            if not ranges:
                continue
            with _consumer(properties) as (consumer, package):
                partition = _class(f"{package}.common.TopicPartition")
                counts = {number: _between(consumer, partition(topic, int(number)), *bounds) for number, bounds in ranges.items()}
            if any(counts.values()):
                found[topic] = {number: count for number, count in counts.items() if count}
        return found


def _between(consumer: Any, partition: Any, begin: int, end: int) -> int:
    """Count the committed records of one partition from an offset up to, and without, another."""
    jvm = get_gateway().jvm
    consumer.assign(jvm.java.util.Collections.singletonList(partition))
    consumer.seek(partition, begin)
    wait, count, in_vain, position = jvm.java.time.Duration.ofMillis(_POLL_MILLISECONDS), 0, 0, -1
    while consumer.position(partition) < end:
        in_vain = in_vain + 1 if consumer.position(partition) == position else 0
        position = consumer.position(partition)
        if in_vain > _POLLS_IN_VAIN:
            raise ClusterError("A topic cannot be read up to where it ended.", found=f"{partition}: {position} of {end}")
        records = consumer.poll(wait)
        arrived = int(records.count())
        if arrived and consumer.position(partition) > end:  # the last batch goes beyond the end: look at each
            return count + sum(1 for record in records.records(partition) if int(record.offset()) < end)
        count += arrived
    return count


@contextmanager
def _consumer(
    properties: Mapping[str, str], isolation: str = "read_committed", milliseconds: int = _MILLISECONDS_TO_ANSWER
) -> Iterator[tuple[Any, str]]:
    """Give a consumer, and the package that the connector has its Kafka client in."""
    package = next((name for name in _CLIENTS if _class(f"{name}.clients.consumer.KafkaConsumer") is not None), None)
    if package is None:
        raise ClusterError("The Kafka client of the connector was not found.", remedy="Name the connector's jar in [tool.jobkit] jars.")
    settings = get_gateway().jvm.java.util.HashMap()
    deserializer = f"{package}.common.serialization.ByteArrayDeserializer"
    own = {
        "isolation.level": isolation,
        "enable.auto.commit": "false",
        "key.deserializer": deserializer,
        "value.deserializer": deserializer,
        "max.poll.records": "10000",
        "default.api.timeout.ms": str(milliseconds),
    }
    for key, value in {**{key: value for key, value in properties.items() if key.startswith(_PASSED_ON)}, **own}.items():
        settings.put(key, value)
    try:
        consumer = _class(f"{package}.clients.consumer.KafkaConsumer")(settings)
        try:
            yield consumer, package
        finally:
            consumer.close()
    except Py4JError as error:
        reason = innermost(error) if hasattr(error, "java_exception") else error
        raise ClusterError("Kafka does not answer.", found=str(reason), where=properties.get("bootstrap.servers")) from error


def _partitions(consumer: Any, package: str, topic: str) -> Any:
    found = get_gateway().jvm.java.util.ArrayList()
    for info in consumer.partitionsFor(topic):
        found.add(_class(f"{package}.common.TopicPartition")(topic, int(info.partition())))
    return found


def _class(name: str) -> Any:
    """Return a Java class for py4j to make objects of, or None when there is none."""
    jvm: Any = get_gateway().jvm
    try:
        jvm.java.lang.Class.forName(name, False, jvm.Thread.currentThread().getContextClassLoader())  # noqa: FBT003
    except Py4JError:
        return None
    for part in name.split("."):
        jvm = getattr(jvm, part)
    return jvm
