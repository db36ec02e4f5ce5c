"""Which method of a function Flink calls for what, and the copy of the function that it calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cloudpickle
from pyflink.datastream import functions
from pyflink.datastream.functions import Function

from . import _contexts
from ._timers import WrongUse


@dataclass(frozen=True)
class Call:
    """A method, made to take a value and a context, and the class of the context."""

    function: Callable[[Any, Any], Any]
    context: Callable[..., Any]


@dataclass(frozen=True)
class Calls:
    """The calls for the inputs, first and second, and for timers."""

    inputs: tuple[Call, ...]
    on_timer: Call | None

    @classmethod
    def of(cls, function: Any, keys: int) -> Calls:
        """Find the calls of a function.

        Args:
            function: The function.
            keys: How many key selectors were given.

        Raises:
            WrongUse: When it is no function that an operator takes, or is keyed and has no key, or the reverse.
        """
        for kind, (methods, keyed, contexts) in _KINDS.items():
            if isinstance(function, kind):
                _check(kind, keys, (sum(context in _KEYED for context in contexts),))
                inputs = tuple(Call(getattr(function, method), context) for method, context in zip(methods, contexts, strict=True))
                return cls(inputs, Call(getattr(function, _ON_TIMER), keyed) if keyed else None)
        for kind, (methods, adapt) in _SIMPLE.items():
            if isinstance(function, kind):
                _check(kind, keys, (0, len(methods)))
                return cls(tuple(Call(adapt(getattr(function, method)), _contexts.Plain) for method in methods), None)
        raise WrongUse(
            "Operator cannot run this function.",
            found=type(function).__name__,
            remedy="Run windows, asynchronous and other functions in their pipeline: jobkit.testing.pipeline.",
        )

    def element(self, number: int) -> Call:
        """Return the call for an element of an input.

        Raises:
            WrongUse: When there is no such input.
        """
        if not 1 <= number <= len(self.inputs):
            raise WrongUse("The function has no such input.", found=f"input {number} of {len(self.inputs)}")
        return self.inputs[number - 1]

    def timer(self) -> Call:
        """Return the call for a timer."""
        if self.on_timer is None:
            raise WrongUse("Timers are only supported on a keyed stream.")
        return self.on_timer


def fresh(function: Function) -> Any:
    """Return the copy of a function that a worker gets.

    Raises:
        WrongUse: When it cannot be pickled.
    """
    try:
        return cloudpickle.loads(cloudpickle.dumps(function))
    except Exception as error:
        kind = type(function).__name__
        culprits = [f"{kind}.{name}" for name, value in getattr(function, "__dict__", {}).items() if not _is_picklable(value)]
        raise WrongUse(
            f"{kind} cannot be sent to a worker.",
            found=f"{type(error).__name__}: {error}",
            where=", ".join(culprits) or None,
            remedy="Make connections, locks and the like in open(), not in __init__.",
        ) from error


def _is_picklable(value: Any) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:  # noqa: BLE001 - __reduce__ of the user's classes may raise anything
        return False
    return True


def _check(kind: type, keys: int, allowed: Iterable[int]) -> None:
    if keys not in allowed:
        wanted = " or ".join(str(number) for number in allowed)
        raise WrongUse(
            f"A {kind.__name__} takes another number of keys.",
            found=f"{keys} key selectors, not {wanted}",
            remedy="Write key=lambda value: …, for two keyed inputs key=(…, …); without keys leave it out.",
        )


def _map(method: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _: [method(value)]


def _filter(method: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _: [value] if method(value) else []


def _flat_map(method: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def call(value: Any, _: Any) -> Any:
        yield from method(value)

    return call


def _co_map(method: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def call(value: Any, _: Any) -> Any:
        result = method(value)
        return [] if result is None else [result]

    return call


def _co_flat_map(method: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _: method(value) or ()


_KEYED = (_contexts.Keyed, _contexts.KeyedBroadcastReader)
_ON_TIMER = "on_timer"
_ONE, _TWO = ("process_element",), ("process_element1", "process_element2")
_BROADCAST = ("process_element", "process_broadcast_element")

# Each class with its methods, the context of a timer (None without keys) and the context of each input.
_KINDS: dict[type, tuple[tuple[str, ...], Any, tuple[Any, ...]]] = {
    functions.KeyedProcessFunction: (_ONE, _contexts.OnTimer, (_contexts.Keyed,)),
    functions.KeyedCoProcessFunction: (_TWO, _contexts.OnTimer, (_contexts.Keyed, _contexts.Keyed)),
    functions.KeyedBroadcastProcessFunction: (
        _BROADCAST,
        _contexts.BroadcastOnTimer,
        (_contexts.KeyedBroadcastReader, _contexts.BroadcastElement),
    ),
    functions.ProcessFunction: (_ONE, None, (_contexts.Plain,)),
    functions.CoProcessFunction: (_TWO, None, (_contexts.Plain, _contexts.Plain)),
    functions.BroadcastProcessFunction: (_BROADCAST, None, (_contexts.BroadcastReader, _contexts.BroadcastElement)),
}
_SIMPLE: dict[type, tuple[tuple[str, ...], Callable[..., Any]]] = {
    functions.MapFunction: (("map",), _map),
    functions.FlatMapFunction: (("flat_map",), _flat_map),
    functions.FilterFunction: (("filter",), _filter),
    functions.CoMapFunction: (("map1", "map2"), _co_map),
    functions.CoFlatMapFunction: (("flat_map1", "flat_map2"), _co_flat_map),
}
