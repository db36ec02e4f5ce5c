"""The job that `table.py` edits: many small branches, each with one kind of state, which say what they read of it.

Nobody imports it: each run writes this text, with an edit, to a file of its own. A branch is a function of this file that takes
the streams and a text by which its lines and uids are known.
"""
# ruff: noqa: ARG002, ARG005, D101, D102, D103, F401  (a job as users write it: the names say it all; edits need more imports)

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jobkit import batches, evolution
from jobkit.batches import Batching, KeyedFunction
from pyflink.common import Row, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import (
    AggregateFunction,
    DataStream,
    FlatMapFunction,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    KeyedStream,
    MapFunction,
    ProcessWindowFunction,
    RuntimeContext,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors.file_system import FileSource, StreamFormat
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    StateTtlConfig,
    ValueStateDescriptor,
)
from pyflink.datastream.window import (
    EventTimeSessionWindows,
    SlidingEventTimeWindows,
    TumblingEventTimeWindows,
    TumblingProcessingTimeWindows,
)
from pyflink.table import StreamTableEnvironment

KEYS = 4
RESTARTED = 1000
"""The least number, and event time, of a job that was started from a snapshot."""
ENDLESS = 2**62
RULES = MapStateDescriptor("rules", Types.STRING(), Types.LONG())


class Streams(NamedTuple):
    source: DataStream
    numbers: DataStream
    keyed: KeyedStream


def said(at: str, key: Any, value: int, **read: Any) -> str:
    return json.dumps({"at": at, "key": str(key)[-1], "value": value, "read": read}, default=repr)


def key_of(number: int) -> str:
    return f"{number % KEYS}"


# what all branches share


class Pace(FlatMapFunction):
    """Puts the numbers that were asked for in the place of the first of the source, and drops the others: nothing happens any more."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = list(numbers)

    def flat_map(self, value: int) -> Iterator[int]:
        if self.numbers:
            yield self.numbers.pop(0)
        else:
            time.sleep(0.02)


class NumberAsTime(TimestampAssigner):
    def extract_timestamp(self, value: int, record_timestamp: int) -> int:
        return value


def begin(env: StreamExecutionEnvironment, numbers: Sequence[int]) -> Streams:
    env.set_parallelism(1)
    env.set_max_parallelism(128)
    source = env.from_source(NumberSequenceSource(0, ENDLESS), WatermarkStrategy.no_watermarks(), "source", Types.LONG()).uid("source")
    paced = source.flat_map(Pace(numbers), Types.LONG()).uid("pace")
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(NumberAsTime())
    timed = paced.assign_timestamps_and_watermarks(strategy).uid("time")
    return Streams(source, timed, timed.key_by(key_of, Types.STRING()))


# one value


class Count(KeyedProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def open(self, runtime_context: RuntimeContext) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        count = self.count.value()
        yield said(self.at, ctx.get_current_key(), value, count=count)
        self.count.update((count or 0) + 1)


def count(streams: Streams, at: str) -> DataStream:
    return streams.keyed.process(Count(at), Types.STRING()).uid(f"{at}.count")


# a value that expires


class Fresh(KeyedProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def open(self, runtime_context: RuntimeContext) -> None:
        described = ValueStateDescriptor("fresh", Types.LONG())
        described.enable_time_to_live(StateTtlConfig.new_builder(Time.days(1)).build())
        self.fresh = runtime_context.get_state(described)

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        fresh = self.fresh.value()
        yield said(self.at, ctx.get_current_key(), value, fresh=fresh)
        self.fresh.update((fresh or 0) + 1)


def fresh(streams: Streams, at: str) -> DataStream:
    return streams.keyed.process(Fresh(at), Types.STRING()).uid(f"{at}.fresh")


# a list, a map and a tuple


class Several(KeyedProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def open(self, runtime_context: RuntimeContext) -> None:
        self.last = runtime_context.get_list_state(ListStateDescriptor("last", Types.LONG()))
        self.seen = runtime_context.get_map_state(MapStateDescriptor("seen", Types.STRING(), Types.LONG()))
        self.pair = runtime_context.get_state(ValueStateDescriptor("pair", Types.TUPLE([Types.LONG(), Types.STRING()])))

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        last = list(self.last.get())
        seen = dict(self.seen.items())
        pair = self.pair.value()
        yield said(self.at, ctx.get_current_key(), value, last=last, seen=seen, pair=pair)
        self.last.update([*last, value][-2:])
        self.seen.put("1", value)
        self.pair.update((value, "text"))


def several(streams: Streams, at: str) -> DataStream:
    return streams.keyed.process(Several(at), Types.STRING()).uid(f"{at}.several")


# an object, pickled


@dataclass
class Note:
    count: int = 0


class Noted(KeyedProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def open(self, runtime_context: RuntimeContext) -> None:
        self.note = runtime_context.get_state(ValueStateDescriptor("note", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        note = self.note.value()
        yield said(self.at, ctx.get_current_key(), value, note=note and note.count)
        note = note or Note()
        note.count += 1
        self.note.update(note)


def note(streams: Streams, at: str) -> DataStream:
    return streams.keyed.process(Noted(at), Types.STRING()).uid(f"{at}.note")


# an object with a version


@dataclass
class Tally:
    count: int = 0
    latest: int = -1


class Tallied(KeyedProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def open(self, runtime_context: RuntimeContext) -> None:
        self.tally = evolution.value_state(runtime_context, "tally", Tally, version=1)

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        tally = self.tally.value()
        yield said(self.at, ctx.get_current_key(), value, count=tally and tally.count, latest=tally and tally.latest)
        tally = tally or Tally()
        tally.count += 1
        tally.latest = value
        self.tally.update(tally)


def tally(streams: Streams, at: str) -> DataStream:
    return streams.keyed.process(Tallied(at), Types.STRING()).uid(f"{at}.tally")


# two operators


class Half(KeyedProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def open(self, runtime_context: RuntimeContext) -> None:
        self.half = runtime_context.get_state(ValueStateDescriptor("half", Types.DOUBLE()))

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        half = self.half.value()
        yield said(self.at, ctx.get_current_key(), value, half=half)
        self.half.update((half or 0) + 0.5)


class Tens(KeyedProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def open(self, runtime_context: RuntimeContext) -> None:
        self.tens = runtime_context.get_state(ValueStateDescriptor("half", Types.DOUBLE()))

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        tens = self.tens.value()
        yield said(self.at, ctx.get_current_key(), value, tens=tens)
        self.tens.update((tens or 0) + 10)


def two(streams: Streams, at: str) -> DataStream:
    halves = streams.keyed.process(Half(at), Types.STRING()).uid(f"{at}.half")
    tens = streams.keyed.process(Tens(at), Types.STRING()).uid(f"{at}.tens")
    counts = streams.keyed.process(Count(at), Types.STRING()).uid(f"{at}.plain")
    return halves.union(tens, counts)


# behind a map, and with a key of its own


def same(value: Any) -> Any:
    return value


def mapped(streams: Streams, at: str) -> DataStream:
    numbers = streams.numbers.map(same, Types.LONG()).uid(f"{at}.same")
    return numbers.key_by(lambda number: f"{number % KEYS}", Types.STRING()).process(Count(at), Types.STRING()).uid(f"{at}.mapped")


# timers


class Timed(KeyedProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def open(self, runtime_context: RuntimeContext) -> None:
        self.calls = runtime_context.get_state(ValueStateDescriptor("calls", Types.LONG()))

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        calls = self.calls.value()
        yield said(self.at, ctx.get_current_key(), value, calls=calls)
        ctx.timer_service().register_event_time_timer(max(value, 500))
        self.calls.update((calls or 0) + 1)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[str]:
        yield said(self.at, ctx.get_current_key(), timestamp, fired=1)


def timer(streams: Streams, at: str) -> DataStream:
    return streams.keyed.process(Timed(at), Types.STRING()).uid(f"{at}.timer")


# windows


class Gathered(ProcessWindowFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def process(self, key: str, context: Any, elements: Iterable[Any]) -> Iterator[str]:
        yield said(self.at, key, context.window().end, gathered=len(list(elements)))


class Number(AggregateFunction):
    def create_accumulator(self) -> int:
        return 0

    def add(self, value: int, accumulator: int) -> int:
        return accumulator + 1

    def get_result(self, accumulator: int) -> int:
        return accumulator

    def merge(self, acc_a: int, acc_b: int) -> int:
        return acc_a + acc_b


class Result(ProcessWindowFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def process(self, key: str, context: Any, elements: Iterable[Any]) -> Iterator[str]:
        for element in elements:
            yield said(self.at, key, context.window().end, gathered=element)


def window(streams: Streams, at: str) -> DataStream:
    windows = streams.keyed.window(TumblingEventTimeWindows.of(Time.milliseconds(500)))
    return windows.process(Gathered(at), Types.STRING()).uid(f"{at}.window")


def aggregated(streams: Streams, at: str) -> DataStream:
    windows = streams.keyed.window(TumblingEventTimeWindows.of(Time.milliseconds(500)))
    numbers = windows.aggregate(Number(), Result(at), accumulator_type=Types.LONG(), output_type=Types.STRING())
    return numbers.uid(f"{at}.aggregated")


# a broadcast


class Ruled(KeyedBroadcastProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def process_element(self, value: int, ctx: Any) -> Iterator[str]:
        rule = ctx.get_broadcast_state(RULES).get("rule")
        yield said(self.at, ctx.get_current_key(), value, rule=rule)

    def process_broadcast_element(self, value: int, ctx: Any) -> Iterator[str]:
        if value < RESTARTED:
            ctx.get_broadcast_state(RULES).put("rule", value)
        return iter(())


def rules(streams: Streams, at: str) -> DataStream:
    return streams.keyed.connect(streams.numbers.broadcast(RULES)).process(Ruled(at), Types.STRING()).uid(f"{at}.rules")


# a broadcast of objects with a version


@dataclass
class Rule:
    value: int = 0


POLICY = evolution.BroadcastDescriptor("policy", Types.STRING(), Rule, version=1)


class Governed(KeyedBroadcastProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def process_element(self, value: int, ctx: Any) -> Iterator[str]:
        rule = POLICY.of(ctx).get("rule")
        yield said(self.at, ctx.get_current_key(), value, rule=rule and rule.value)

    def process_broadcast_element(self, value: int, ctx: Any) -> Iterator[str]:
        if value < RESTARTED:
            POLICY.of(ctx).put("rule", Rule(value))
        return iter(())


def policy(streams: Streams, at: str) -> DataStream:
    return streams.keyed.connect(streams.numbers.broadcast(POLICY)).process(Governed(at), Types.STRING()).uid(f"{at}.policy")


# a broadcast, of a descriptor that is kept somewhere else


class Descriptors:
    LIMITS = MapStateDescriptor("limits", Types.STRING(), Types.LONG())


class Limited(KeyedBroadcastProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def process_element(self, value: int, ctx: Any) -> Iterator[str]:
        limit = ctx.get_broadcast_state(Descriptors.LIMITS).get("limit")
        yield said(self.at, ctx.get_current_key(), value, limit=limit)

    def process_broadcast_element(self, value: int, ctx: Any) -> Iterator[str]:
        if value < RESTARTED:
            ctx.get_broadcast_state(Descriptors.LIMITS).put("limit", value)
        return iter(())


def limits(streams: Streams, at: str) -> DataStream:
    numbers = streams.numbers.broadcast(Descriptors.LIMITS)
    return streams.keyed.connect(numbers).process(Limited(at), Types.STRING()).uid(f"{at}.limits")


# two inputs


class Both(KeyedCoProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def open(self, runtime_context: RuntimeContext) -> None:
        self.both = runtime_context.get_state(ValueStateDescriptor("both", Types.LONG()))

    def process_element1(self, value: int, ctx: KeyedCoProcessFunction.Context) -> Iterator[str]:
        both = self.both.value()
        yield said(self.at, ctx.get_current_key(), value, both=both)
        self.both.update((both or 0) + 1)

    def process_element2(self, value: int, ctx: KeyedCoProcessFunction.Context) -> Iterator[str]:
        return iter(())


def both(streams: Streams, at: str) -> DataStream:
    return streams.keyed.connect(streams.keyed).process(Both(at), Types.STRING()).uid(f"{at}.both")


# what PyFlink adds up


class Mean(AggregateFunction):
    def create_accumulator(self) -> tuple[int, int]:
        return 0, 0

    def add(self, value: int, accumulator: tuple[int, int]) -> tuple[int, int]:
        number, total = accumulator
        return number + 1, total + value

    def get_result(self, accumulator: tuple[int, int]) -> float:
        number, total = accumulator
        return total / number if number else 0.0

    def merge(self, acc_a: tuple[int, int], acc_b: tuple[int, int]) -> tuple[int, int]:
        return acc_a[0] + acc_b[0], acc_a[1] + acc_b[1]


class Added(KeyedProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def open(self, runtime_context: RuntimeContext) -> None:
        self.sum = runtime_context.get_reducing_state(ReducingStateDescriptor("sum", lambda one, other: one + other, Types.LONG()))
        self.mean = runtime_context.get_aggregating_state(AggregatingStateDescriptor("mean", Mean(), Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        sum_ = self.sum.get()
        mean = self.mean.get()
        yield said(self.at, ctx.get_current_key(), value, sum=sum_, mean=mean)
        self.sum.add(1)
        self.mean.add(value)


def added(streams: Streams, at: str) -> DataStream:
    return streams.keyed.process(Added(at), Types.STRING()).uid(f"{at}.added")


# a tuple, pickled


class Paired(KeyedProcessFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def open(self, runtime_context: RuntimeContext) -> None:
        self.paired = runtime_context.get_state(ValueStateDescriptor("paired", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        number, _ = self.paired.value() or (None, None)
        yield said(self.at, ctx.get_current_key(), value, number=number)
        self.paired.update(((number or 0) + 1, value))


def paired(streams: Streams, at: str) -> DataStream:
    return streams.keyed.process(Paired(at), Types.STRING()).uid(f"{at}.paired")


# a query


def query(streams: Streams, at: str) -> DataStream:
    tables = StreamTableEnvironment.create(streams.source.get_execution_environment())
    fields = Types.ROW_NAMED(["k", "v", "unit", "unread"], [Types.LONG()] * 4)
    rows = streams.numbers.map(lambda number: Row(number % KEYS, number, 1, 0), fields).uid(f"{at}.rows")
    tables.create_temporary_view(f"numbers_{at}", rows)
    table = tables.sql_query(f"SELECT k, SUM(v) AS total, MAX(v) AS latest FROM numbers_{at} GROUP BY k")  # noqa: S608
    changes = tables.to_changelog_stream(table).filter(lambda row: "BEFORE" not in row.get_row_kind().name).uid(f"{at}.after")
    return changes.map(lambda row: said(at, row[0], row[2], total=row[1]), Types.STRING()).uid(f"{at}.query")


# how far the source has read


class Position(MapFunction):
    def __init__(self, at: str) -> None:
        self.at = at

    def map(self, value: int) -> str:
        return said(self.at, 0, value, has_read=value >= 40)


def position(streams: Streams, at: str) -> DataStream:
    return streams.source.map(Position(at), Types.STRING()).uid(f"{at}.position")


# in batches


@dataclass
class Account:
    count: int = 0
    latest: int = -1


class Accounts(KeyedFunction[Any, Account]):
    state = Account
    version = 1

    def __init__(self, at: str) -> None:
        self.at = at

    def process(self, key: int, state: Account, records: list[Any], context: Any) -> Iterator[str]:
        for record in records:
            yield said(self.at, key, record.number, count=state.count, latest=state.latest)
            state.count += 1
            state.latest = record.number


class Numbered(NamedTuple):
    number: int


def batch(streams: Streams, at: str) -> DataStream:
    texts = streams.numbers.map(str, Types.STRING()).uid(f"{at}.texts")
    read = batches.read(
        texts,
        lambda text: Numbered(int(text)),
        record=Numbered,
        key=lambda numbered: numbered.number % KEYS,
        rejected=lambda text, error: text,
        batching=Batching(within=50),
        uid=f"{at}.read",
    )
    return read.records.process(Accounts(at), uid=f"{at}.batch", key_type=Types.LONG())
