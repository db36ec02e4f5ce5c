"""The job that `edits.py` edits: state behind keys, in a window, with a broadcast, in SQL, and hidden operators of every kind.

Nobody imports it: each test writes this text, with an edit, to a file of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pyflink.common import Duration, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import (
    DataStream,
    KeyedBroadcastProcessFunction,
    KeyedProcessFunction,
    OutputTag,
    ProcessFunction,
    ProcessWindowFunction,
    RuntimeContext,
    StreamExecutionEnvironment,
)
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor
from pyflink.datastream.window import TumblingEventTimeWindows
from pyflink.table import StreamTableEnvironment

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])
REJECTED = OutputTag("rejected", PAIR)
RULES = MapStateDescriptor("rules", Types.STRING(), Types.LONG())


class Parse(ProcessFunction):
    """Sends what is negative to a side output."""

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        if value[1] < 0:
            yield REJECTED, value
        yield value


class EventTime(TimestampAssigner):
    """Takes the event time from the record."""

    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return int(value[1])


class Count(KeyedProcessFunction):
    """Counts the records of a key."""

    def open(self, runtime_context: RuntimeContext) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        self.count.update((self.count.value() or 0) + 1)
        yield str(value[0]), self.count.value()


class Total(Count):
    """Counts under another key."""


class Hour(ProcessWindowFunction):
    """Counts the records of a window."""

    def process(self, key: Any, context: Any, elements: Iterable[Any]) -> Iterator[Any]:
        yield key, len(list(elements))


class Apply(KeyedBroadcastProcessFunction):
    """Applies the newest rule to each record."""

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        yield value

    def process_broadcast_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        ctx.get_broadcast_state(RULES).put(value[0], value[1])
        return iter(())


def first(value: Any) -> str:
    """Return the key of most branches."""
    return str(value[0])


def scaled(value: Any) -> Any:
    """Return the record in other units."""
    return value[0], value[1] * 60


def build(env: StreamExecutionEnvironment) -> None:
    """Build the job."""
    source = env.from_collection([("a", 1), ("b", 2)], PAIR).uid("source")
    parsed = source.process(Parse(), PAIR).uid("parse")
    parsed.get_side_output(REJECTED).print().uid("rejected")
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(1)).with_timestamp_assigner(EventTime())
    timed = parsed.assign_timestamps_and_watermarks(strategy).uid("time")

    # by first field
    counts = timed.key_by(first, Types.STRING()).process(Count(), PAIR).uid("count")
    counts.print().uid("counts")

    # by second field
    scale = timed.map(scaled, PAIR).uid("scale")
    totals = scale.key_by(lambda value: value[1], Types.LONG()).process(Total(), PAIR).uid("total")
    totals.print().uid("totals")

    # by hour
    windowed = timed.key_by(first, Types.STRING()).window(TumblingEventTimeWindows.of(Time.hours(1)))
    windowed.process(Hour(), PAIR).uid("hour").print().uid("hours")

    # by rule
    rules = env.from_collection([("a", 1)], PAIR).uid("rules").broadcast(RULES)
    applied = timed.key_by(first, Types.STRING()).connect(rules).process(Apply(), PAIR).uid("apply")
    applied.print().uid("applied")

    # in SQL
    tables = StreamTableEnvironment.create(env)
    tables.create_temporary_view("pairs", parsed)
    by_name = tables.sql_query("SELECT f0, COUNT(*) FROM pairs GROUP BY f0")
    tables.to_changelog_stream(by_name).map(str, Types.STRING()).uid("by-name").print().uid("names")
    by_size = tables.sql_query("SELECT f1, COUNT(*) FROM pairs GROUP BY f1")
    tables.to_changelog_stream(by_size).map(str, Types.STRING()).uid("by-size").print().uid("sizes")


def report(stream: DataStream, uid: str) -> None:
    """End a stream, for an edit that moves code into a function."""
    stream.print().uid(uid)
