"""Number the occurrences of each word, from Kafka to Kafka."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pyflink.common import Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetResetStrategy,
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.state import ValueState, ValueStateDescriptor
from pyflink.java_gateway import get_gateway

from .flaws import NUMBERINGS, Repeating


@dataclass(frozen=True)
class Settings:
    """Where the broker and the topics are, and what shall go wrong.

    Attributes:
        flaw: Keeps the job from starting: `exception`, `refusal`, `settings` or `sink`; or makes it give wrong results, in one
            of the ways of `flaws`, or by `at-least-once`, `early-commit` or `no-uid`. Without it, the job is right.
        signal: The file for which `late-duplicate` waits.
    """

    servers: str
    flaw: str
    signal: str
    words: str
    counts: str
    group_id: str
    job_name: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the environment variables."""
        return cls(
            servers=environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
            flaw=environ.get("TALLY_FLAW", ""),
            signal=environ.get("TALLY_SIGNAL", ""),
            words=environ.get("WORDS_TOPIC", "words"),
            counts=environ.get("COUNTS_TOPIC", "counts"),
            group_id=environ.get("KAFKA_GROUP_ID", "tally"),
            job_name=environ.get("JOB_NAME", "tally"),
        )


class Number(KeyedProcessFunction):
    """Number the occurrences of each key."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Ask for the state."""
        self._count: ValueState = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[str]:  # noqa: ARG002
        """Number one."""
        if value == "poison":
            raise ZeroDivisionError("a poisonous word")
        count = (self._count.value() or 0) + 1
        self._count.update(count)
        yield f"{value} {count}"


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Add the operators."""
    if settings.flaw == "exception":
        raise LookupError("no such word")
    if settings.flaw in {"refusal", "settings"}:
        sys.stderr.write(f"Not started: {Path(__file__).resolve()}:1 is at fault.\n")
        sys.exit(1 if settings.flaw == "refusal" else 2)
    env.set_max_parallelism(128)
    words = env.from_source(_source(settings), WatermarkStrategy.no_watermarks(), "words").uid("words")
    keyed = words.key_by(lambda word: word, key_type=Types.STRING())
    # The operator that `key_by` adds gets the uid that jobkit's launch would give it.
    keyed._j_data_stream.getTransformation().getInputs().get(0).setUid("number/key-by")
    numbered = keyed.process(_numbering(settings), Types.STRING())
    if settings.flaw != "no-uid":
        numbered.uid("number")
    numbered.sink_to(_sink(settings)).uid("counts")


def _numbering(settings: Settings) -> KeyedProcessFunction:
    if settings.flaw == "late-duplicate":
        return Repeating(Path(settings.signal))
    return NUMBERINGS.get(settings.flaw, Number)()


def _source(settings: Settings) -> KafkaSource:
    builder = (
        KafkaSource.builder()
        .set_bootstrap_servers(settings.servers)
        .set_topics(settings.words)
        .set_group_id(settings.group_id)
        .set_starting_offsets(KafkaOffsetsInitializer.committed_offsets(KafkaOffsetResetStrategy.EARLIEST))
        .set_value_only_deserializer(SimpleStringSchema("ISO-8859-1"))
    )
    if settings.flaw == "early-commit":  # on receipt, instead of with a checkpoint
        builder.set_property("enable.auto.commit", "true").set_property("auto.commit.interval.ms", "100")
    return builder.build()


def _sink(settings: Settings) -> KafkaSink:
    serializer = KafkaRecordSerializationSchema.builder().set_topic(settings.counts)
    serializer.set_value_serialization_schema(SimpleStringSchema("ISO-8859-1"))
    # All of a subtask's records go to one partition, so that those of a word keep their order.
    partitioners = get_gateway().jvm.org.apache.flink.streaming.connectors.kafka.partitioner
    serializer._j_builder.setPartitioner(partitioners.FlinkFixedPartitioner())
    guarantee = DeliveryGuarantee.AT_LEAST_ONCE if settings.flaw == "at-least-once" else DeliveryGuarantee.EXACTLY_ONCE
    return (
        KafkaSink.builder()
        .set_bootstrap_servers(settings.servers)
        .set_record_serializer(serializer.build())
        .set_delivery_guarantee(guarantee)
        .set_transactional_id_prefix(settings.job_name)
        .set_property("transaction.timeout.ms", "3600000" if settings.flaw == "sink" else "60000")
        .build()
    )
