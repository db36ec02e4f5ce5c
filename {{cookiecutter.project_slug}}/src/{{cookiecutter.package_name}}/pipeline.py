"""The job, from top to bottom: sources, operators, sinks."""

from __future__ import annotations

from operator import attrgetter

from jobkit import batches
from jobkit.batches import BYTES_AS_TEXT, Batching
from pyflink.common import Duration, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)

from .functions import LATE, DelaysByHour
from .records import Flight, Malformed, parse, rejected
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

    flights, no_flights = batches.read(
        values,
        parse,
        record=Flight,
        key=attrgetter("origin"),
        event_time=attrgetter("departure"),
        watermarks=_watermarks(settings),
        malformed=Malformed,
        rejected=rejected,
        batching=Batching(within=settings.batch_time),
        uid="parse",
    )
    delays = flights.process(DelaysByHour(), uid="delays-by-hour")

    delays.sink_to(_sink(settings, settings.stats_topic)).name("delay-stats-to-kafka").uid("delay-stats-to-kafka")
    delays.get_side_output(LATE).sink_to(_sink(settings, settings.late_topic)).name("late-to-kafka").uid("late-to-kafka")
    no_flights.sink_to(_sink(settings, settings.rejected_topic)).name("rejected-to-kafka").uid("rejected-to-kafka")


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
    bounded = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(settings.out_of_orderness))
    return bounded.with_idleness(Duration.of_seconds(settings.idleness))


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
        # In one request to a partition, at most. The producer's default, 16 KiB, makes a fast job wait for the broker.
        .set_property("batch.size", str(256 * 1024))
    )
    for key, value in settings.kafka.properties().items():
        builder.set_property(key, value)
    return builder.build()
