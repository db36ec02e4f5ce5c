"""Ways to number words that are wrong, one bug each: what the oracles of the harness must find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueState, ValueStateDescriptor

EVERY = 50
"""At which occurrences of a word something goes wrong."""

_MILLISECONDS = 100


class Counting(KeyedProcessFunction):
    """What the wrong ways have in common: the right state."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Ask for the state."""
        self._count: ValueState = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def _next(self) -> int:
        count = int(self._count.value() or 0) + 1
        self._count.update(count)
        return count


class InAttribute(KeyedProcessFunction):
    """Count in an attribute, which is empty again whenever Flink makes the function anew."""

    def open(self, runtime_context: RuntimeContext) -> None:  # noqa: ARG002
        """Forget everything."""
        self._counts: Counter[str] = Counter()

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[str]:  # noqa: ARG002
        """Number one."""
        self._counts[value] += 1
        yield f"{value} {self._counts[value]}"


class Dropping(Counting):
    """Count every word, and let some of the results fall."""

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[str]:  # noqa: ARG002
        """Number one, or say nothing."""
        count = self._next()
        if count % EVERY:
            yield f"{value} {count}"


class Swapping(Counting):
    """Give everything, but some of it too late."""

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[str]:  # noqa: ARG002
        """Number one; hold it back until the next one has gone out."""
        count = self._next()
        if count % EVERY == EVERY - 1:
            return
        yield f"{value} {count}"
        if count % EVERY == 0:
            yield f"{value} {count - 1}"


class Repeating(Counting):
    """Give the first number of each word once more, as soon as a file is there: when a test wants it, and not by chance."""

    def __init__(self, signal: Path) -> None:
        """Take the path of the file."""
        self._signal = signal

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        """Number one, and look for the file from then on."""
        count = self._next()
        if count == 1:
            self._look_later(ctx)
        yield f"{value} {count}"

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[str]:  # noqa: ARG002
        """Repeat the first number, or look again later."""
        if self._signal.exists():
            yield f"{ctx.get_current_key()} 1"
        else:
            self._look_later(ctx)

    @staticmethod
    def _look_later(ctx: KeyedProcessFunction.Context) -> None:
        timers = ctx.timer_service()
        timers.register_processing_time_timer(timers.current_processing_time() + _MILLISECONDS)


NUMBERINGS = {"attribute": InAttribute, "drop": Dropping, "order": Swapping}
"""The wrong ways, by the flaw that asks for them; `late-duplicate` needs the path of its signal, too."""
