"""Number the occurrences of each word, from Kafka to Kafka, exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyflink.common import Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaRecordSerializationSchema, KafkaSink, KafkaSource

from .functions import Number

GUARANTEE = DeliveryGuarantee.EXACTLY_ONCE


@dataclass(frozen=True)
class Settings:
    """Where the broker is.

    Attributes:
        token: Stands for a secret; the job does nothing with it.
    """

    servers: str
    words: str
    counts: str
    token: str
    job_name: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the environment variables."""
        return cls(
            servers=environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
            words=environ.get("WORDS_TOPIC", "words"),
            counts=environ.get("COUNTS_TOPIC", "counts"),
            token=environ.get("ORDINALS_TOKEN", ""),
            job_name=environ.get("JOB_NAME", "ordinals"),
        )


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Add the operators."""
    env.set_max_parallelism(128)
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(settings.servers)
        .set_topics(settings.words)
        .set_group_id(settings.job_name)
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema("UTF-8"))
        .build()
    )
    words = env.from_source(source, WatermarkStrategy.no_watermarks(), "words").uid("words")
    numbered = words.key_by(lambda word: word, key_type=Types.STRING()).process(Number(), Types.STRING()).name("number").uid("number")
    values = KafkaRecordSerializationSchema.builder().set_topic(settings.counts)
    values.set_value_serialization_schema(SimpleStringSchema("UTF-8"))
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(settings.servers)
        .set_record_serializer(values.build())
        .set_delivery_guarantee(GUARANTEE)
        .set_transactional_id_prefix(settings.job_name)
        .set_property("transaction.timeout.ms", "120000")
        .build()
    )
    numbered.sink_to(sink).name("counts").uid("counts")
