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


@dataclass(frozen=True)
class Settings:
    """Where the broker is, and what shall go wrong: `exception`, `refusal` or `settings`."""

    servers: str
    flaw: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the environment variables."""
        return cls(environ["KAFKA_BOOTSTRAP_SERVERS"], environ.get("TALLY_FLAW", ""))


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
    schema = SimpleStringSchema("ISO-8859-1")
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(settings.servers)
        .set_topics("words")
        .set_group_id("tally")
        .set_starting_offsets(KafkaOffsetsInitializer.committed_offsets(KafkaOffsetResetStrategy.EARLIEST))
        .set_value_only_deserializer(schema)
        .build()
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(settings.servers)
        .set_record_serializer(KafkaRecordSerializationSchema.builder().set_topic("counts").set_value_serialization_schema(schema).build())
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .set_transactional_id_prefix("tally")
        .set_property("transaction.timeout.ms", "3600000" if settings.flaw == "sink" else "60000")
        .build()
    )
    words = env.from_source(source, WatermarkStrategy.no_watermarks(), "words").uid("words")
    numbered = words.key_by(lambda word: word, key_type=Types.STRING()).process(Number(), Types.STRING()).uid("number")
    numbered.sink_to(sink).uid("counts")
