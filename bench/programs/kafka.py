"""The ends of a PyFlink job: Kafka, read as text and written exactly once."""

from __future__ import annotations

from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)

from .settings import Settings

TRANSACTION_TIMEOUT = "600000"
"""Milliseconds; Flink's default, an hour, is more than a broker allows."""

LARGE = "262144"
"""Bytes of a request to the broker, as the template's job has it; a producer's default is 16384."""


def source(settings: Settings, encoding: str = "UTF-8") -> KafkaSource:
    """Read the input from its beginning."""
    return (
        KafkaSource.builder()
        .set_bootstrap_servers(settings.servers)
        .set_topics(settings.input)
        .set_group_id(settings.group)
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema(encoding))
        .build()
    )


def sink(settings: Settings, topic: str, encoding: str = "UTF-8", batch_size: str | None = None) -> KafkaSink:
    """Write to a topic in transactions, which end with each checkpoint; in requests of Kafka's own size, unless one is given."""
    values = KafkaRecordSerializationSchema.builder().set_topic(topic).set_value_serialization_schema(SimpleStringSchema(encoding))
    builder = (
        KafkaSink.builder()
        .set_bootstrap_servers(settings.servers)
        .set_record_serializer(values.build())
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .set_transactional_id_prefix(f"{settings.group}-{topic}")
        .set_property("transaction.timeout.ms", TRANSACTION_TIMEOUT)
    )
    if batch_size is not None:
        builder.set_property("batch.size", batch_size)
    return builder.build()
