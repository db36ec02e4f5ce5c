"""Number words, from Kafka to Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

from jobkit import batches
from jobkit.batches import BYTES_AS_TEXT, Batching
from pyflink.common import Duration, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaRecordSerializationSchema, KafkaSink, KafkaSource

from .words import EVEN, Number, Word, parse, rejected


@dataclass(frozen=True)
class Settings:
    """Where the broker and the topics are, and how records are collected."""

    servers: str
    topics: Mapping[str, str]
    group_id: str
    job_name: str
    batching: Batching
    has_watermarks: bool
    charset: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the environment variables."""
        within, at_most, cached = (int(environ.get(name, value)) for name, value in (("WITHIN", 100), ("AT_MOST", 10_000), ("CACHED", 10)))
        return cls(
            servers=environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
            topics={name: environ.get(f"{name.upper()}_TOPIC", name) for name in ("words", "numbered", "even", "rejected")},
            group_id=environ.get("KAFKA_GROUP_ID", "numbering"),
            job_name=environ.get("JOB_NAME", "numbering"),
            batching=Batching(within, at_most, cached),
            has_watermarks="WATERMARKS" in environ,
            charset=environ.get("CHARSET", BYTES_AS_TEXT),
        )


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Add the operators."""
    env.set_max_parallelism(128)
    schema = SimpleStringSchema(settings.charset)
    source = KafkaSource.builder().set_bootstrap_servers(settings.servers).set_topics(settings.topics["words"])
    source.set_group_id(settings.group_id).set_starting_offsets(KafkaOffsetsInitializer.earliest()).set_value_only_deserializer(schema)
    values = env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "words").uid("words")
    words, no_words = batches.read(
        values,
        parse,
        record=Word,
        key=attrgetter("text"),
        event_time=attrgetter("time"),
        watermarks=WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(1)) if settings.has_watermarks else None,
        rejected=rejected,
        batching=settings.batching,
        uid="read",
    )
    numbered = words.process(Number(has_watermarks=settings.has_watermarks), uid="number")
    numbered.sink_to(_sink(settings, "numbered")).uid("numbered")
    numbered.get_side_output(EVEN).sink_to(_sink(settings, "even")).uid("even")
    no_words.sink_to(_sink(settings, "rejected")).uid("rejected")


def _sink(settings: Settings, topic: str) -> KafkaSink:
    serializer = KafkaRecordSerializationSchema.builder().set_topic(settings.topics[topic])
    serializer.set_value_serialization_schema(SimpleStringSchema(BYTES_AS_TEXT))
    return (
        KafkaSink.builder()
        .set_bootstrap_servers(settings.servers)
        .set_record_serializer(serializer.build())
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .set_transactional_id_prefix(f"{settings.job_name}-{topic}")
        .set_property("transaction.timeout.ms", "60000")
        .build()
    )
