"""The function that tests change."""

from __future__ import annotations

from collections.abc import Iterator

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueState, ValueStateDescriptor

VERSION = "one"


class Number(KeyedProcessFunction):
    """Number the occurrences of each word."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Ask for the state."""
        self._count: ValueState = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[str]:  # noqa: ARG002
        """Number one."""
        count = (self._count.value() or 0) + 1
        self._count.update(count)
        yield f"{value} {count} {VERSION}"
