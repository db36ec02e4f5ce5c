"""A PyFlink function alone, as Flink's operator would run it: state, timers and side outputs, and no JVM.

    operator = Operator(Tally(), key=lambda sale: sale[0], key_type=Types.STRING())
    operator.process(("milk", 3))
    operator.advance_watermark(978_692_400_000)
    assert operator.output == [...]
    assert operator.state("sold", key="milk") == 3

It follows `org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness`, and where the execution modes of
PyFlink differ, process mode. Time stands still until the test moves it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import OutputTag, TimeDomain
from pyflink.datastream.functions import Function

from . import _contexts, _state_backend, _types
from ._calls import Calls, fresh
from ._timers import FIRST_WATERMARK, LAST_WATERMARK, Key, Timers, WrongUse
from ._types import WrongType

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FIRST_WATERMARK", "LAST_WATERMARK", "Operator", "Snapshot", "WrongType", "WrongUse"]

KeySelector = Callable[[Any], Any]


@dataclass(frozen=True)
class Snapshot:
    """What a snapshot holds of an operator: states and timers, all serialised; no watermark, no attribute of the function.

    Attributes:
        states: The entries of each state and key, and each state as it was declared.
        timers: The timers that have not fired: domain, time and key.
        processing_time: When it was taken, in milliseconds.
    """

    states: tuple[_state_backend.Cells, dict[str, str]] = field(repr=False)
    timers: tuple[tuple[TimeDomain, int, Key], ...] = field(repr=False)
    processing_time: int


class Operator:
    """Runs a function as one operator.

    It takes a `ProcessFunction`, `KeyedProcessFunction`, `CoProcessFunction`, `KeyedCoProcessFunction`,
    `BroadcastProcessFunction`, `KeyedBroadcastProcessFunction`, `MapFunction`, `FlatMapFunction`, `FilterFunction`,
    `CoMapFunction` or `CoFlatMapFunction`. The function is pickled as Flink does: the operator runs a copy of it.

    Args:
        function: The function.
        key: Returns an element's key; with two keyed inputs a tuple of two; None for a stream without keys.
        key_type: The type of the keys, as given to `key_by`.
        output_type: The type of the output, as given to `process`; when given, the output must fit it.
        parameters: The global job parameters.

    Raises:
        WrongUse: When the function is of no kind that it takes, or cannot be pickled, or the keys do not go with it.
    """

    def __init__(
        self,
        function: Function,
        *,
        key: KeySelector | Sequence[KeySelector] | None = None,
        key_type: TypeInformation | None = None,
        output_type: TypeInformation | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self._prepare(function, key, key_type, output_type)
        self._open(parameters or {}, None)

    @classmethod
    def restore(  # noqa: PLR0913 - as for a new operator
        cls,
        function: Function,
        snapshot: Snapshot,
        *,
        key: KeySelector | Sequence[KeySelector] | None = None,
        key_type: TypeInformation | None = None,
        output_type: TypeInformation | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Self:
        """Start a function from a snapshot, as after a failure or with the next version of the code.

        The function is a fresh copy: what it kept in attributes is lost. The watermark begins anew. A snapshot can be
        restored any number of times.

        Args:
            function: The function; not necessarily the one that wrote the snapshot.
            snapshot: The snapshot.
            key: As for a new operator.
            key_type: As for a new operator.
            output_type: As for a new operator.
            parameters: As for a new operator.

        Raises:
            WrongUse: As for a new operator, and when a state is declared otherwise than it was written.
        """
        operator = cls.__new__(cls)
        operator._prepare(function, key, key_type, output_type)
        operator._open(parameters or {}, snapshot)
        return operator

    @property
    def output(self) -> list[Any]:
        """What the main output has had so far."""
        return list(self._outputs.get(None, []))

    def side_output(self, tag: OutputTag | str) -> list[Any]:
        """Return what a side output has had so far."""
        return list(self._outputs.get(_tag_id(tag), []))

    def take(self, tag: OutputTag | str | None = None) -> list[Any]:
        """Return what the main output, or a side output, has had since it was last taken, and forget it."""
        return self._outputs.pop(_tag_id(tag), [])

    @property
    def metrics(self) -> dict[str, int]:
        """The metrics that the function has registered, by name with dots between groups."""
        return self._metrics.values()

    def process(self, value: Any, *, timestamp: int | None = None, input: int = 1) -> None:  # noqa: A002
        """Process an element.

        Args:
            value: The element.
            timestamp: Its event time in milliseconds, or None if it has none.
            input: 1 or 2; the second input of a broadcast function is the broadcast stream.

        Raises:
            WrongUse: When Flink would refuse what the function does.
            WrongType: When a value does not fit its declared type.
            Exception: What the function raises.
        """
        call = self._calls.element(input)
        keyed = self._keys[input - 1] if len(self._keys) >= input else None
        key = keyed(value) if keyed else None
        self._backend.key = self._key_of(key) if keyed else None
        at = FIRST_WATERMARK if timestamp is None else timestamp
        self._collect(call.function(value, call.context(self._timers, self._backend, at, key)))

    def advance_watermark(self, watermark: int) -> None:
        """Move event time on to a watermark, in milliseconds; fires the timers up to it, in the order of their times."""
        self._timers.advance(TimeDomain.EVENT_TIME, watermark, self._fire)

    def advance_processing_time(self, time: int) -> None:
        """Move processing time, which begins at 0, on to a time in milliseconds; fires the timers up to it."""
        self._timers.advance(TimeDomain.PROCESSING_TIME, time, self._fire)

    def end_of_input(self) -> None:
        """End a bounded input: the last watermark comes, and every event-time timer fires."""
        self.advance_watermark(LAST_WATERMARK)

    def state(self, name: str, *, key: Any = None) -> Any:
        """Return what a state holds: a value or None, a list, or a dictionary; of an aggregating state the accumulator.

        What a state of `jobkit.evolution` holds is returned as objects, migrated where an earlier version has written it.

        Args:
            name: The state's name.
            key: The key; none for broadcast state.

        Raises:
            WrongUse: When the function has no such state.
        """
        declared, before = self._backend.declared(name), self._backend.key
        self._backend.key = self._key_of(key) if self._keys and declared.kind != "broadcast" else None
        try:
            return _state_backend.contents(_state_backend.Cell(self._backend, declared, self._backend.ttl(name)), _types.decode)
        finally:
            self._backend.key = before

    def timers(self, domain: TimeDomain = TimeDomain.EVENT_TIME, *, key: Any = None) -> list[int]:
        """Return the times of the timers that have not fired, in milliseconds: those of one key, or of all."""
        return self._timers.pending(domain, None if key is None else self._key_of(key))

    def snapshot(self) -> Snapshot:
        """Take a snapshot, which later steps do not change."""
        timers = [(domain, *timer) for domain, queue in self._timers.queues.items() for timer in sorted(queue.pending.values())]
        kept = tuple((domain, time, key) for domain, time, _, key in timers)
        return Snapshot(self._backend.snapshot(), kept, self._timers.processing_time)

    def close(self) -> None:
        """Close the function. Nothing fires; a bounded input ends with `end_of_input`."""
        self._backend.key = None
        if hasattr(self._function, "close"):
            self._function.close()

    def _prepare(
        self, function: Function, key: KeySelector | Sequence[KeySelector] | None, key_type: TypeInformation | None, output: Any
    ) -> None:
        self._function = fresh(function)
        self._keys: tuple[KeySelector, ...] = () if key is None else (key,) if callable(key) else tuple(key)
        self._calls = Calls.of(self._function, len(self._keys))
        self._key_type, self._output_type = key_type or Types.PICKLED_BYTE_ARRAY(), output
        self._outputs: dict[str | None, list[Any]] = {}
        self._metrics = _contexts.Metrics()

    def _open(self, parameters: Mapping[str, str], snapshot: Snapshot | None) -> None:
        keyed = bool(self._keys)
        self._timers = Timers(lambda: self._backend.key or _state_backend.NO_KEY, keyed=keyed)
        states = snapshot.states if snapshot else None
        self._backend = _state_backend.Backend(self._timers.current_processing_time, keyed=keyed, snapshot=states)
        if snapshot:
            self._timers.processing_time = snapshot.processing_time
            for domain, time, key in snapshot.timers:
                self._timers.queues[domain].add(time, key)
        if hasattr(self._function, "open"):
            self._function.open(_contexts.Opening(self._backend, parameters, self._metrics))

    def _key_of(self, key: Any) -> Key:
        content = _types.encode(key, self._key_type, "key")
        return Key(_types.identity(_types.decode(content)), content)

    def _fire(self, time: int, key: Key, domain: TimeDomain) -> None:
        call, self._backend.key = self._calls.timer(), key
        self._collect(call.function(time, call.context(self._timers, self._backend, time, _types.decode(key.content), domain)))

    def _collect(self, results: Any) -> None:
        for result in results or ():
            if isinstance(result, tuple) and result and isinstance(result[0], OutputTag):
                tag, value = result[0], result[1]
                self._outputs.setdefault(tag.tag_id, []).append(_types.copied(value, tag.type_info, f"side output {tag.tag_id}"))
            else:
                declared = self._output_type
                copy = _types.copied(result, declared, "output", optional=True) if declared else result
                self._outputs.setdefault(None, []).append(copy)


def _tag_id(tag: OutputTag | str | None) -> str | None:
    return tag.tag_id if isinstance(tag, OutputTag) else tag
