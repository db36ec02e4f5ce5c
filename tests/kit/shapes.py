"""PyFlink jobs of every shape, each with the uids that it must end up with or the refusal that it must get.

A shape is a function that builds a bounded job on `env`. Lines that a rule must name carry a comment `# refused`.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyflink.datastream
from pyflink.common import Duration, Row, Time, Types, WatermarkStrategy
from pyflink.common.serialization import Encoder, SimpleStringSchema
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import (
    BroadcastProcessFunction,
    CoMapFunction,
    DataStream,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    OutputTag,
    ProcessFunction,
    ProcessWindowFunction,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors.file_system import FileSink
from pyflink.datastream.connectors.kafka import DeliveryGuarantee, KafkaRecordSerializationSchema, KafkaSink
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor
from pyflink.datastream.window import (
    CountSlidingWindowAssigner,
    CountTrigger,
    EventTimeSessionWindows,
    GlobalWindows,
    SlidingEventTimeWindows,
    TumblingEventTimeWindows,
    TumblingProcessingTimeWindows,
)
from pyflink.table import StreamTableEnvironment

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])
SIDE = OutputTag("side", PAIR)


@dataclass(frozen=True)
class Shape:
    """A job and what must come of it.

    Attributes:
        build: Builds it on an environment.
        uids: The uids of the operators that Flink runs.
        refused: The rules that refuse it; empty when it is accepted.
        starts: Whether it can be started here without anything else, such as a broker.
    """

    build: Callable[[StreamExecutionEnvironment], None]
    uids: frozenset[str]
    refused: frozenset[str] = frozenset()
    starts: bool = True
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The shape's name."""
        return self.build.__name__


SHAPES: list[Shape] = []


def accepted(
    *uids: str, starts: bool = True, settings: Mapping[str, str] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare a shape that must be accepted with exactly these uids."""

    def declare(build: Callable[..., None]) -> Callable[..., None]:
        SHAPES.append(Shape(build, frozenset(uids), starts=starts, settings=tuple((settings or {}).items())))
        return build

    return declare


def refused(*rules: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare a shape that these rules must refuse, at the lines that are marked."""

    def declare(build: Callable[..., None]) -> Callable[..., None]:
        SHAPES.append(Shape(build, frozenset(), refused=frozenset(rules)))
        return build

    return declare


class Assigner(TimestampAssigner):
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return int(value[1])


class Split(ProcessFunction):
    def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Any:
        yield value
        yield SIDE, value


class Same(ProcessFunction):
    def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Any:
        yield value


class Count(KeyedProcessFunction):
    def open(self, runtime_context: Any) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        yield value[0], count


class Window(ProcessWindowFunction):
    def process(self, key: Any, context: Any, elements: Any) -> Any:
        yield key, len(list(elements))


class Both(KeyedCoProcessFunction):
    def process_element1(self, value: Any, ctx: Any) -> Any:
        yield value

    def process_element2(self, value: Any, ctx: Any) -> Any:
        yield value


class CoMap(CoMapFunction):
    def map1(self, value: Any) -> Any:
        return value

    def map2(self, value: Any) -> Any:
        return value


def source(env: StreamExecutionEnvironment, uid: str = "source") -> DataStream:
    """Return a small bounded stream of pairs."""
    return env.from_collection([("a", 1), ("b", 2), ("a", 3)], PAIR).uid(uid)


def timed(env: StreamExecutionEnvironment) -> DataStream:
    """Return the stream with event time, whose timestamps a Java assigner takes from the source."""
    return source(env).assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps()).uid("time")


def first(value: Any) -> str:
    """Return the key."""
    return str(value[0])


def keyed(stream: DataStream) -> Any:
    """Return the stream by its first field."""
    return stream.key_by(first, Types.STRING())


def out(stream: DataStream, uid: str = "out") -> None:
    """End a stream of pairs in a sink that adds no operator of its own."""
    stream.print().uid(uid)


# One operator


@accepted("source", "double", "out")
def map_to_pickled_print(env: StreamExecutionEnvironment) -> None:
    out(source(env).map(lambda pair: (pair[0], pair[1] * 2)).uid("double"))


@accepted("source", "each", "out")
def flat_map(env: StreamExecutionEnvironment) -> None:
    out(source(env).flat_map(lambda pair: [pair, pair], PAIR).uid("each"))


@accepted("source", "some", "out")
def filter_(env: StreamExecutionEnvironment) -> None:
    out(source(env).filter(lambda pair: pair[1] > 1).uid("some"))


@accepted("source", "split", "out")
def process(env: StreamExecutionEnvironment) -> None:
    out(source(env).process(Same(), PAIR).uid("split"))


@accepted("source", "out/to-string", "out")
def print_of_rows(env: StreamExecutionEnvironment) -> None:
    kind = Types.ROW([Types.STRING(), Types.LONG()])
    out(env.from_collection([Row("a", 1)], kind).uid("source"))


# Keys


@accepted("source", "count/key-by", "count", "out")
def key_by_after_source(env: StreamExecutionEnvironment) -> None:
    out(keyed(source(env)).process(Count(), PAIR).uid("count"))


@accepted("source", "double", "count", "out")
def key_by_after_python_is_fused(env: StreamExecutionEnvironment) -> None:
    out(keyed(source(env).map(lambda pair: pair, PAIR).uid("double")).process(Count(), PAIR).uid("count"))


@accepted("source", "one/key-by", "two/key-by", "one", "two", "out-1", "out-2")
def key_by_twice_on_one_stream(env: StreamExecutionEnvironment) -> None:
    stream = source(env)
    out(keyed(stream).process(Count(), PAIR).uid("one"), "out-1")
    out(stream.key_by(lambda pair: pair[1], Types.LONG()).process(Count(), PAIR).uid("two"), "out-2")


@accepted("source", "one+two/key-by", "one", "two", "out-1", "out-2")
def one_keyed_stream_with_two_consumers(env: StreamExecutionEnvironment) -> None:
    stream = keyed(source(env))
    out(stream.process(Count(), PAIR).uid("one"), "out-1")
    out(stream.process(Count(), PAIR).uid("two"), "out-2")


@accepted("source", "count/key-by", "count", "out")
def fused_tail_of_a_keyed_operator_keeps_the_keyed_uid(env: StreamExecutionEnvironment) -> None:
    out(keyed(source(env)).process(Count(), PAIR).uid("count").map(lambda pair: pair, PAIR).uid("format"))


@accepted("source", "count/key-by", "count", "again", "out")
def key_by_after_a_keyed_operator(env: StreamExecutionEnvironment) -> None:
    counted = keyed(source(env)).process(Count(), PAIR).uid("count")
    out(keyed(counted).process(Count(), PAIR).uid("again"))


@accepted("source", "upper/key-by", "upper", "out")
def keyed_map(env: StreamExecutionEnvironment) -> None:
    out(keyed(source(env)).map(lambda pair: (pair[0].upper(), pair[1]), PAIR).uid("upper"))


# Several streams


@accepted("left", "right", "both", "out")
def connect(env: StreamExecutionEnvironment) -> None:
    out(source(env, "left").connect(source(env, "right")).map(CoMap(), PAIR).uid("both"))


@accepted("left", "right", "both/1/key-by", "both/2/key-by", "both", "out")
def connect_keyed(env: StreamExecutionEnvironment) -> None:
    connected = source(env, "left").connect(source(env, "right")).key_by(first, first, Types.STRING())
    out(connected.process(Both(), PAIR).uid("both"))


@accepted("left", "right", "all", "out")
def union(env: StreamExecutionEnvironment) -> None:
    out(source(env, "left").union(source(env, "right")).map(lambda pair: pair, PAIR).uid("all"))


@accepted("source", "split", "main", "side", "out-main", "out-side")
def side_output_with_a_consumer(env: StreamExecutionEnvironment) -> None:
    split = source(env).process(Split(), PAIR).uid("split")
    out(split.map(lambda pair: pair, PAIR).uid("main"), "out-main")
    out(split.get_side_output(SIDE).map(lambda pair: pair, PAIR).uid("side"), "out-side")


@accepted("source", "split", "split/side-output/side", "out-main", "out-side")
def side_output_to_a_sink(env: StreamExecutionEnvironment) -> None:
    split = source(env).process(Split(), PAIR).uid("split")
    out(split, "out-main")
    out(split.get_side_output(SIDE), "out-side")


@accepted("source", "rules", "apply", "out")
def broadcast_state(env: StreamExecutionEnvironment) -> None:
    class Apply(BroadcastProcessFunction):
        def process_element(self, value: Any, ctx: Any) -> Any:
            yield value

        def process_broadcast_element(self, value: Any, ctx: Any) -> Any:
            yield value

    rules = source(env, "rules").broadcast(MapStateDescriptor("rules", Types.STRING(), Types.LONG()))
    out(source(env).connect(rules).process(Apply(), PAIR).uid("apply"))


@accepted("source", "rules", "apply/1/key-by", "apply", "out")
def keyed_broadcast_state(env: StreamExecutionEnvironment) -> None:
    class Apply(KeyedBroadcastProcessFunction):
        def process_element(self, value: Any, ctx: Any) -> Any:
            yield value

        def process_broadcast_element(self, value: Any, ctx: Any) -> Any:
            yield value

    rules = source(env, "rules").broadcast(MapStateDescriptor("rules", Types.STRING(), Types.LONG()))
    out(keyed(source(env)).connect(rules).process(Apply(), PAIR).uid("apply"))


# Time and windows


@accepted("source", "time", "out")
def java_watermarks(env: StreamExecutionEnvironment) -> None:
    out(timed(env))


@accepted("source", "time/extract-timestamp", "time/timestamps-watermarks", "time", "out")
def python_timestamp_assigner(env: StreamExecutionEnvironment) -> None:
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(1)).with_timestamp_assigner(Assigner())
    out(source(env).assign_timestamps_and_watermarks(strategy).uid("time"))


@accepted("source", "hour/key-by", "hour", "out")
def tumbling_window(env: StreamExecutionEnvironment) -> None:
    windowed = keyed(source(env)).window(TumblingProcessingTimeWindows.of(Time.seconds(1)))
    out(windowed.process(Window(), PAIR).uid("hour"))


@accepted("source", "time/extract-timestamp", "time/timestamps-watermarks", "time", "hour/key-by", "hour", "late", "out", "out-late")
def sliding_window_with_late_side_output(env: StreamExecutionEnvironment) -> None:
    late = OutputTag("late", Types.TUPLE([Types.STRING(), Types.LONG()]))
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Assigner())
    stream = keyed(source(env).assign_timestamps_and_watermarks(strategy).uid("time"))
    windowed = stream.window(SlidingEventTimeWindows.of(Time.seconds(2), Time.seconds(1))).side_output_late_data(late)
    result = windowed.process(Window(), PAIR).uid("hour")
    out(result)
    out(result.get_side_output(late).map(lambda pair: pair, PAIR).uid("late"), "out-late")


@accepted("source", "time/extract-timestamp", "time/timestamps-watermarks", "time", "session/key-by", "session", "out")
def session_window(env: StreamExecutionEnvironment) -> None:
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Assigner())
    stream = keyed(source(env).assign_timestamps_and_watermarks(strategy).uid("time"))
    out(stream.window(EventTimeSessionWindows.with_gap(Time.seconds(1))).process(Window(), PAIR).uid("session"))


@accepted("source", "some/key-by", "some", "out")
def count_window(env: StreamExecutionEnvironment) -> None:
    out(keyed(source(env)).window(CountSlidingWindowAssigner.of(2, 1)).process(Window(), PAIR).uid("some"))


@accepted("source", "all/key-by", "all", "out")
def global_window_with_trigger(env: StreamExecutionEnvironment) -> None:
    windowed = keyed(source(env)).window(GlobalWindows.create()).trigger(CountTrigger.of(2))
    out(windowed.process(Window(), PAIR).uid("all"))


@accepted("source", "sum/key-by", "sum", "out")
def windowed_reduce(env: StreamExecutionEnvironment) -> None:
    windowed = keyed(source(env)).window(TumblingProcessingTimeWindows.of(Time.seconds(1)))
    out(windowed.reduce(lambda a, b: (a[0], a[1] + b[1]), output_type=PAIR).uid("sum"))


@accepted("source", "time/extract-timestamp", "time/timestamps-watermarks", "time", "whole/key-by", "whole", "out")
def window_all(env: StreamExecutionEnvironment) -> None:
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Assigner())
    stream = source(env).assign_timestamps_and_watermarks(strategy).uid("time")
    windowed = stream.window_all(TumblingEventTimeWindows.of(Time.seconds(1)))
    out(windowed.reduce(lambda a, b: (a[0], a[1] + b[1]), output_type=PAIR).uid("whole"))


# Partitioning, chaining, slots


@accepted("source", "custom/partition-custom", "custom", "out")
def partition_custom(env: StreamExecutionEnvironment) -> None:
    stream = source(env).partition_custom(lambda key, count: hash(key) % count, lambda pair: pair[1])
    out(stream.map(lambda pair: pair, PAIR).uid("custom"))


@accepted("source", "spread/partition-custom", "spread", "out")
def partition_custom_named_by_the_user(env: StreamExecutionEnvironment) -> None:
    out(source(env).partition_custom(lambda key, count: 0, lambda pair: pair[1]).uid("spread"))


@accepted("source", "a", "b", "c", "out")
def chaining_switches(env: StreamExecutionEnvironment) -> None:
    stream = source(env).map(lambda pair: pair, PAIR).uid("a")
    stream = stream.map(lambda pair: pair, PAIR).uid("b").start_new_chain()
    out(stream.map(lambda pair: pair, PAIR).uid("c").disable_chaining())


@accepted("source", "a", "out", settings={"taskmanager.numberOfTaskSlots": "2"})
def slot_sharing_groups(env: StreamExecutionEnvironment) -> None:
    """Flink compares the groups' resources, not their names: PyFlink fuses across them."""
    stream = source(env).map(lambda pair: pair, PAIR).uid("a").slot_sharing_group("one")
    out(stream.map(lambda pair: pair, PAIR).uid("b").slot_sharing_group("two"))


@accepted("source", "a", "b", "out", "out/to-string", settings={"python.operator-chaining.enabled": "false"})
def fusing_switched_off(env: StreamExecutionEnvironment) -> None:
    out(source(env).map(lambda pair: pair, PAIR).uid("a").map(lambda pair: pair).uid("b"))


@accepted("source", "keep", "out")
def rebalance_and_shuffle(env: StreamExecutionEnvironment) -> None:
    out(source(env).rebalance().shuffle().rescale().map(lambda pair: pair, PAIR).uid("keep"))


# Sinks and connectors


@accepted("source", "text", "files", "Sink Committer: files", starts=False)
def file_sink(env: StreamExecutionEnvironment) -> None:
    sink = FileSink.for_row_format("never-written", Encoder.simple_string_encoder()).build()
    source(env).map(str, Types.STRING()).uid("text").sink_to(sink).uid("files")


@accepted("source", "text", "kafka", "Sink Committer: kafka", starts=False)
def kafka_sink_with_topic_selector(env: StreamExecutionEnvironment) -> None:
    schema = (
        KafkaRecordSerializationSchema.builder()
        .set_topic_selector(lambda text: "topic-" + text[:1])
        .set_value_serialization_schema(SimpleStringSchema())
        .build()
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers("localhost:9092")
        .set_record_serializer(schema)
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .set_transactional_id_prefix("shape")
        .build()
    )
    source(env).map(str, Types.STRING()).uid("text").sink_to(sink).uid("kafka")


if hasattr(pyflink.datastream, "AsyncFunction"):  # Flink 2.2 brought it to Python

    @accepted("source", "slow", "out")
    def async_function(env: StreamExecutionEnvironment) -> None:
        class Slow(pyflink.datastream.AsyncFunction):
            async def async_invoke(self, value: Any) -> list[Any]:
                return [value]

        stream = pyflink.datastream.AsyncDataStream.unordered_wait(source(env), Slow(), Time.seconds(5), 2, PAIR)
        out(stream.uid("slow"))


# Table API


@accepted(
    "source", "rows/pairs", "rows/calc", "rows/group-aggregate", "rows/constraint-enforcer", "rows/table-to-data-stream", "rows", "out"
)
def table_to_stream(env: StreamExecutionEnvironment) -> None:
    tables = StreamTableEnvironment.create(env)
    tables.create_temporary_view("pairs", source(env))
    counted = tables.sql_query("SELECT f0, COUNT(*) FROM pairs GROUP BY f0")
    out(tables.to_changelog_stream(counted).map(lambda row: str(row), Types.STRING()).uid("rows"))


@accepted(
    *("left", "right", "rows/l", "rows/r", "rows/calc~b21be584", "rows/calc~a4f1ce70", "rows/join", "rows/calc~756c2716"),
    *("rows/group-aggregate", "rows/constraint-enforcer", "rows/table-to-data-stream", "rows", "out"),
)
def table_join(env: StreamExecutionEnvironment) -> None:
    tables = StreamTableEnvironment.create(env)
    tables.create_temporary_view("l", source(env, "left"))
    tables.create_temporary_view("r", source(env, "right"))
    joined = tables.sql_query("SELECT l.f0, COUNT(*) FROM l JOIN r ON l.f0 = r.f0 WHERE l.f1 > 0 GROUP BY l.f0")
    out(tables.to_changelog_stream(joined).map(lambda row: str(row), Types.STRING()).uid("rows"))


@accepted("rows/numbers", "rows/calc", "rows/table-to-data-stream", "rows", "out")
def table_source_in_sql(env: StreamExecutionEnvironment) -> None:
    tables = StreamTableEnvironment.create(env)
    tables.execute_sql("CREATE TEMPORARY TABLE numbers (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '3')")
    out(tables.to_data_stream(tables.sql_query("SELECT n + 1 FROM numbers")).map(str, Types.STRING()).uid("rows"))


@accepted("source", "total/key-by", "total", "out", settings={"execution.runtime-mode": "BATCH"})
def batch_execution_mode(env: StreamExecutionEnvironment) -> None:
    out(keyed(source(env)).process(Count(), PAIR).uid("total"))


# Refused


@refused("missing-uids")
def map_without_uid(env: StreamExecutionEnvironment) -> None:
    stream = source(env).map(lambda pair: pair, PAIR).disable_chaining()  # refused
    out(stream)


@refused("missing-uids")
def print_without_uid(env: StreamExecutionEnvironment) -> None:
    source(env).print()  # refused


@refused("missing-uids")
def window_without_uid(env: StreamExecutionEnvironment) -> None:
    windowed = keyed(source(env)).window(TumblingProcessingTimeWindows.of(Time.seconds(1)))
    out(windowed.process(Window(), PAIR))  # refused


@refused("missing-uids")
def timestamps_without_uid(env: StreamExecutionEnvironment) -> None:
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Assigner())
    out(source(env).assign_timestamps_and_watermarks(strategy))  # refused


@refused("missing-uids")
def empty_uid(env: StreamExecutionEnvironment) -> None:
    out(source(env).map(lambda pair: pair, PAIR).uid(" "))  # refused


@refused("duplicate-uids")
def duplicate_uid(env: StreamExecutionEnvironment) -> None:
    out(source(env), "out")
    source(env, "other").print().uid("out")  # refused


@refused("random-uids")
def random_uid(env: StreamExecutionEnvironment) -> None:
    out(source(env).map(lambda pair: pair, PAIR).uid(f"map-{uuid.uuid4()}"))  # refused


@refused("random-uids")
def uid_counted_by_a_global(env: StreamExecutionEnvironment) -> None:
    out(source(env).map(lambda pair: pair, PAIR).uid(f"map-{next(_NUMBERS)}"))  # refused


_NUMBERS = itertools.count()


@refused("max-parallelism")
def parallelism_over_the_maximum(env: StreamExecutionEnvironment) -> None:
    out(source(env).map(lambda pair: pair, PAIR).uid("few").set_max_parallelism(1).set_parallelism(2))  # refused
