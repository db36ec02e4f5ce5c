"""The job as PyFlink's documentation would have it written: parse, key by, a keyed function with a state, a sink."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import KeyedProcessFunction, OutputTag, ProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor

from .flight import MALFORMED, Rejected, Result, read, write
from .kafka import sink, source
from .settings import Settings

REJECTED = OutputTag("rejected", Types.STRING())


class Parse(ProcessFunction):  # type: ignore[misc]
    """Turns JSON into key and delay; what cannot be turned goes aside, with the reason and its bytes."""

    def process_element(self, value: str, ctx: ProcessFunction.Context) -> Iterator[object]:
        """Parse one record."""
        del ctx
        try:
            flight = read(value)
        except MALFORMED as error:
            yield REJECTED, write(Rejected(str(error), base64.b64encode(value.encode()).decode())).decode()
        else:
            yield flight.key, flight.delay


class Count(KeyedProcessFunction):  # type: ignore[misc]
    """Counts the flights of a key, and adds up their delays."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Declare the state: count and sum."""
        self._state = runtime_context.get_state(ValueStateDescriptor("count-and-sum", Types.TUPLE([Types.LONG(), Types.LONG()])))

    def process_element(self, value: tuple[str, int], ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        """Count one flight."""
        del ctx
        key, delay = value
        count, total = self._state.value() or (0, 0)
        count, total = count + 1, total + delay
        self._state.update((count, total))
        yield write(Result(key, count, total / count)).decode()


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Build the job, from top to bottom."""
    values = env.from_source(source(settings), WatermarkStrategy.no_watermarks(), "input")
    parsed = values.process(Parse(), Types.TUPLE([Types.STRING(), Types.LONG()]))
    counts = parsed.key_by(lambda flight: flight[0], Types.STRING()).process(Count(), Types.STRING())
    counts.sink_to(sink(settings, settings.output))
    parsed.get_side_output(REJECTED).sink_to(sink(settings, settings.rejects))
