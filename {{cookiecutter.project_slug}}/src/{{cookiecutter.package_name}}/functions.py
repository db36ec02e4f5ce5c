"""The job's functions: Flink's side of records.py, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyflink.common import Types
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import OutputTag
from pyflink.datastream.functions import KeyedProcessFunction, ProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from .records import HOUR, Delays, Flight, Malformed, parse, rejected

# Records travel as tuples of Flink's own types, which cost less than pickled objects. Kafka's values come and
# go as texts in ISO 8859-1, which has a character for each byte: no byte is lost on the way.
BYTES_AS_TEXT = "ISO-8859-1"
FLIGHT = Types.TUPLE([Types.STRING(), Types.LONG(), Types.INT(), Types.STRING()])
DELAYS = Types.TUPLE([Types.LONG(), Types.LONG(), Types.LONG(), Types.LONG()])

REJECTED = OutputTag("rejected", Types.STRING())
LATE = OutputTag("late", Types.STRING())


class Parse(ProcessFunction):  # type: ignore[misc]
    """Turn Kafka's values into flights; what is none goes to `REJECTED` with its reason."""

    def process_element(self, value: str, ctx: ProcessFunction.Context) -> Iterator[Any]:
        """Parse one value."""
        content = value.encode(BYTES_AS_TEXT)
        try:
            flight = parse(content)
        except Malformed as error:
            yield REJECTED, rejected(content, str(error))
        else:
            yield flight.origin, flight.departure, flight.delay, value


class Departure(TimestampAssigner):  # type: ignore[misc]
    """A flight's event time is when it should have left."""

    def extract_timestamp(self, value: tuple[str, int, int, str], record_timestamp: int) -> int:
        """Return the departure, in milliseconds since 1970."""
        return value[1]


class DelaysByHour(KeyedProcessFunction):  # type: ignore[misc]
    """Count the delays of one airport's flights, and emit each hour once it is over.

    An hour is over when the watermark has passed it; a flight that comes after that goes to `LATE`, as it was read.
    Snapshots do not hold the watermark: after a restart it begins anew. So the last hour that was emitted is a state,
    and no hour is emitted twice.
    """

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the hours that are not over yet, each with its delays so far, and the last one that was emitted."""
        self._hours = runtime_context.get_map_state(MapStateDescriptor("hours", Types.LONG(), DELAYS))
        self._emitted = runtime_context.get_state(ValueStateDescriptor("emitted", Types.LONG()))

    def process_element(self, value: tuple[str, int, int, str], ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Add one flight to its hour."""
        flight = Flight(value[0], value[1], value[2], b"")
        end = flight.hour + HOUR - 1
        emitted = self._emitted.value()
        if end <= ctx.timer_service().current_watermark() or (emitted is not None and flight.hour <= emitted):
            yield LATE, value[3]
            return
        so_far = self._hours.get(flight.hour)
        delays = Delays.of(flight.delay)
        if so_far is None:
            ctx.timer_service().register_event_time_timer(end)
        else:
            delays = Delays(*so_far) + delays
        self._hours.put(flight.hour, (delays.flights, delays.total, delays.longest, delays.delayed))

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[str]:
        """Emit the hour that is over, and forget it."""
        hour = timestamp + 1 - HOUR
        yield Delays(*self._hours.get(hour)).to_json(ctx.get_current_key(), hour)
        self._hours.remove(hour)
        self._emitted.update(hour)
