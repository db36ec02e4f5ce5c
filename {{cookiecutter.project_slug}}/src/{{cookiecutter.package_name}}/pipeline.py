"""The job, from top to bottom: sources, operators, sinks."""

from __future__ import annotations

from pyflink.common import Duration, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)

from .functions import BYTES_AS_TEXT, FLIGHT, LATE, REJECTED, DelaysByHour, Departure, Parse
from .settings import Settings

MAX_PARALLELISM = 128
"""Into how many key groups the state is divided. It can never change without losing the state."""


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Build the job; every operator has a uid, by which Flink finds its state again.

    Args:
        env: The environment to build it in. It is executed by whoever calls this.
        settings: Topics, servers and bounds of time.
    """
    env.set_max_parallelism(MAX_PARALLELISM)
    values = env.from_source(_source(settings), WatermarkStrategy.no_watermarks(), "flights").uid("flights")

    parsed = values.process(Parse(), FLIGHT).name("parse").uid("parse")
    flights = parsed.assign_timestamps_and_watermarks(_watermarks(settings)).name("event-time").uid("event-time")
    delays = flights.key_by(lambda flight: flight[0], Types.STRING()).process(DelaysByHour(), Types.STRING())
    delays.name("delays-by-hour").uid("delays-by-hour")

    late = delays.get_side_output(LATE).name("late-flights").uid("late-flights")
    rejected = parsed.get_side_output(REJECTED).name("rejected-records").uid("rejected-records")

    delays.sink_to(_sink(settings, settings.stats_topic)).name("delay-stats-to-kafka").uid("delay-stats-to-kafka")
    late.sink_to(_sink(settings, settings.late_topic)).name("late-to-kafka").uid("late-to-kafka")
    rejected.sink_to(_sink(settings, settings.rejected_topic)).name("rejected-to-kafka").uid("rejected-to-kafka")


def _source(settings: Settings) -> KafkaSource:
    """Read the flights from where the snapshot says; without one from the beginning, as there is no state either."""
    return (
        KafkaSource.builder()
        .set_bootstrap_servers(settings.kafka.servers)
        .set_topics(settings.flights_topic)
        .set_group_id(settings.group_id)
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema(BYTES_AS_TEXT))
        .set_properties({"isolation.level": "read_committed", **settings.kafka.properties()})
        .build()
    )


def _watermarks(settings: Settings) -> WatermarkStrategy:
    """Wait for flights out of order, but not for partitions that have none."""
    return (
        WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(settings.out_of_orderness))
        .with_idleness(Duration.of_seconds(settings.idleness))
        .with_timestamp_assigner(Departure())
    )


def _sink(settings: Settings, topic: str) -> KafkaSink:
    """Write to a topic exactly once: in transactions, which end with each checkpoint."""
    values = KafkaRecordSerializationSchema.builder().set_topic(topic).set_value_serialization_schema(SimpleStringSchema(BYTES_AS_TEXT))
    builder = (
        KafkaSink.builder()
        .set_bootstrap_servers(settings.kafka.servers)
        .set_record_serializer(values.build())
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .set_transactional_id_prefix(f"{settings.job_name}-{topic}")
        .set_property("transaction.timeout.ms", str(settings.transaction_timeout * 1000))
    )
    for key, value in settings.kafka.properties().items():
        builder.set_property(key, value)
    return builder.build()
