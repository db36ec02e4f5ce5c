"""Count the numbers 0, 1, 2, … for each remainder; what is printed can be computed from the number, so that lost state shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import KeyedProcessFunction, KeyedStream, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor

KEYS = 4
LAST = 3
ROUND = 1000
"""Milliseconds of event time between two timers of a key; a number is its own timestamp."""
PRINTED = 100
"""One in how many numbers of a key is printed."""


@dataclass(frozen=True)
class Settings:
    """There is nothing to set."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:  # noqa: ARG003
        """Read nothing."""
        return cls()


class NumberAsTime(TimestampAssigner):
    """Take the number for its timestamp: it makes operators that `.uid()` does not reach, and that every snapshot holds."""

    def extract_timestamp(self, value: int, record_timestamp: int) -> int:  # noqa: ARG002
        """Return the number."""
        return value


class Rounds(KeyedProcessFunction):
    """Keep a value, a list and a map for each key, and a chain of timers: only a timer that fires registers the next."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Ask for the states."""
        self._count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        self._rounds = runtime_context.get_state(ValueStateDescriptor("rounds", Types.LONG()))
        self._last = runtime_context.get_list_state(ListStateDescriptor("last", Types.LONG()))
        self._thirds = runtime_context.get_map_state(MapStateDescriptor("thirds", Types.STRING(), Types.LONG()))

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        """Count a number."""
        count = (self._count.value() or 0) + 1
        if count == 1:
            ctx.timer_service().register_event_time_timer(ROUND)
        self._count.update(count)
        self._last.update([*self._last.get(), value][-LAST:])
        third = str(value % 3)
        self._thirds.put(third, (self._thirds.get(third) or 0) + 1)
        if count % PRINTED == 0:
            yield json.dumps({"number": value, "count": count, "last": list(self._last.get()), "thirds": dict(self._thirds.items())})

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[str]:
        """Count a round."""
        rounds = (self._rounds.value() or 0) + 1
        self._rounds.update(rounds)
        ctx.timer_service().register_event_time_timer(timestamp + ROUND)
        yield json.dumps({"time": timestamp, "rounds": rounds})


def timed(env: StreamExecutionEnvironment) -> KeyedStream:
    """Add the operators before the one that counts."""
    source = NumberSequenceSource(0, 2**62)  # it never ends: a job that ends keeps no checkpoint
    numbers = env.from_source(source, WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()).uid("numbers")
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(NumberAsTime())
    times = numbers.assign_timestamps_and_watermarks(strategy).uid("times")
    return times.key_by(lambda number: number % KEYS, key_type=Types.LONG())


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:  # noqa: ARG001
    """Add the operators."""
    timed(env).process(Rounds(), Types.STRING()).uid("rounds").print().uid("output")
