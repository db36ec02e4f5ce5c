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

from .producer import PRODUCER
from .settings import Settings


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


def sink(settings: Settings, topic: str, encoding: str = "UTF-8") -> KafkaSink:
    """Write to a topic in transactions, which end with each checkpoint."""
    values = KafkaRecordSerializationSchema.builder().set_topic(topic).set_value_serialization_schema(SimpleStringSchema(encoding))
    builder = (
        KafkaSink.builder()
        .set_bootstrap_servers(settings.servers)
        .set_record_serializer(values.build())
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .set_transactional_id_prefix(f"{settings.group}-{topic}")
    )
    for name, value in PRODUCER.items():
        builder.set_property(name, value)
    return builder.build()
