"""The sources and sinks of a job, found in the graph that Flink runs, whatever API they were added by."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from py4j.protocol import Py4JError
from pyflink.util.java_utils import get_field_value

from ..errors import ConfigurationError

_KAFKA = {"source": "org.apache.flink.connector.kafka.source.KafkaSource", "sink": "org.apache.flink.connector.kafka.sink.KafkaSink"}
_HARMLESS = frozenset(
    {
        "PrintSink",
        "PrintSinkFunction",
        "DiscardingSink",
        "DataGeneratorSource",
        "NumberSequenceSource",
        "FromElementsFunction",
        "InputFormatSourceFunction",
        "FileSource",
    }
)
"""What writes to no other place, and what reads without telling the place that it has: collections and files."""
_BEHIND_A_WRITER = frozenset({"CommitterOperatorFactory"})


@dataclass(frozen=True)
class End:
    """A source or a sink.

    Attributes:
        uid: The operator's uid; None when it has none.
        id: The number of its node in the graph.
        name: What the web UI calls it.
        role: Which of the two it is.
        kind: The Java class of the connector, with its package.
        topics: The topics that it reads or writes, as far as they are known before it runs.
        connector: Flink's `KafkaSource`, `KafkaSink` or another.
    """

    uid: str | None
    id: int
    name: str
    role: Literal["source", "sink"]
    kind: str
    topics: tuple[str, ...] = ()
    connector: Any = field(default=None, repr=False, compare=False)

    @property
    def is_kafka(self) -> bool:
        """Whether it can be redirected."""
        return self.kind == _KAFKA[self.role]

    @property
    def is_harmless(self) -> bool:
        """Whether it may run as it is."""
        return self.kind.rpartition(".")[2] in _HARMLESS

    @property
    def label(self) -> str:
        """What to call it, and to name in `--allow`."""
        return self.uid or self.name


def read(j_stream_graph: Any) -> list[End]:
    """Return the sources and sinks of a stream graph.

    An operator that nothing reads from counts as a sink, of whatever kind it is: it can only be there for what it does elsewhere.
    """
    return [end for node in j_stream_graph.getStreamNodes().toArray() for end in _ends(node)]


def require_known(ends: Sequence[End], allowed: Collection[str]) -> None:
    """Refuse what would reach something else than Kafka and what is on this machine.

    Args:
        ends: The job's.
        allowed: The uids of those that may run as they are.

    Raises:
        ConfigurationError: Naming all that are not allowed, or an allowed one that there is not.
    """
    unknown = sorted(set(allowed) - {end.label for end in ends})
    if unknown:
        raise ConfigurationError(
            "The job has no such source or sink that could be allowed.",
            found=", ".join(unknown),
            where="--allow",
            remedy=f"It has {', '.join(end.label for end in ends)}.",
        )
    refused = sorted((end for end in ends if not (end.is_kafka or end.is_harmless or end.label in allowed)), key=lambda end: end.label)
    if refused:
        named = ", ".join(f"the {end.role} “{end.label}” ({end.kind.rpartition('.')[2]})" for end in refused)
        options = " ".join(f"--allow {end.label}" for end in refused)
        raise ConfigurationError(
            "Only Kafka's sources and sinks can be redirected; these would reach what production uses.",
            found=named,
            remedy=f"Give the job other settings for the rehearsal, or let them run for real: {options}",
        )


def _ends(node: Any) -> Iterator[End]:
    factory = node.getOperatorFactory()
    kind = "" if factory is None else str(factory.getClass().getSimpleName())
    is_first, is_last = node.getInEdges().isEmpty(), node.getOutEdges().isEmpty()
    if kind == "SourceOperatorFactory":
        yield _end(node, "source", get_field_value(factory, "source"))
    elif is_first:
        yield _end(node, "source", _function(factory))
    if kind == "SinkWriterOperatorFactory":
        yield _end(node, "sink", factory.getSink())
    elif is_last and kind not in _BEHIND_A_WRITER:
        yield _end(node, "sink", _function(factory))


def _end(node: Any, role: Literal["source", "sink"], connector: Any) -> End:
    kind = str(connector.getClass().getName())
    end = End(node.getTransformationUID(), node.getId(), node.getOperatorName(), role, kind, connector=connector)
    if not end.is_kafka:
        return end
    topics = _read(connector) if role == "source" else _written(connector)
    return End(end.uid, end.id, end.name, role, kind, topics, connector)


def _function(factory: Any) -> Any:
    """Return the user's function in an operator of the older kind, or what stands for it."""
    try:
        operator = factory.getOperator()
    except Py4JError:  # a factory of its own kind
        return factory
    try:
        return operator.getUserFunction()
    except Py4JError:  # an operator without one, such as one that runs Python
        return operator


def _read(source: Any) -> tuple[str, ...]:
    subscriber = get_field_value(source, "subscriber")
    kind = subscriber.getClass().getSimpleName()
    if kind == "TopicListSubscriber":
        return tuple(map(str, get_field_value(subscriber, "topics").toArray()))
    if kind == "PartitionSetSubscriber":
        partitions = get_field_value(subscriber, "subscribedPartitions").toArray()
        return tuple(dict.fromkeys(str(partition.topic()) for partition in partitions))
    return ()  # by a pattern: those in the snapshot will do


def _written(sink: Any) -> tuple[str, ...]:
    try:
        return (str(get_field_value(get_field_value(sink, "recordSerializer"), "topicSelector").apply(None)),)
    except (Py4JError, AttributeError):  # it looks at the element, or is a class of its own
        return ()
