"""The operator that calls a KeyedFunction: its state, its timers, its outputs."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import starmap
from typing import Any, NoReturn

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream.functions import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapState, MapStateDescriptor

from . import _failures, _garbage, _keys
from ._call import Call
from ._states import Cache, Codec
from ._timers import Timers, ordered
from .context import EVENT_TIME, PROCESSING_TIME, Context
from .function import KeyedFunction

_STATES = "states"
TIMERS = {EVENT_TIME: "event-time-timers", PROCESSING_TIME: "processing-time-timers"}
"""The states that hold which keys of a bucket have a timer at which time."""


class Keyed(KeyedProcessFunction):  # type: ignore[misc]
    """Calls a function for each key of a batch. To Flink, the key is the bucket; a bucket's state is a map from keys."""

    def __init__(
        self, function: KeyedFunction[Any, Any], record: type[Any], key_type: TypeInformation, cached: int, uid: str | None = None
    ) -> None:
        self._key_class = _keys.class_of(key_type)
        self._function, self._record, self._key_type, self._cached = function, record, key_type, cached
        self._codec: Codec[Any] = Codec(function)  # says now what is wrong with the class of its state
        self.name = type(function).__name__
        self.place = f"the operator {uid}" if uid else f"the function {self.name}"

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the states."""
        _garbage.relax()
        self._cache: Cache[Any] = Cache(self._cached)
        self._states: MapState = runtime_context.get_map_state(MapStateDescriptor(_STATES, self._key_type, Types.PICKLED_BYTE_ARRAY()))
        # Thread mode takes a dictionary in a single call to Java; process mode would take pairs, and collects what is put anyway.
        self._writes_all_at_once = ".embedded." in type(self._states).__module__
        pickled = Types.PICKLED_BYTE_ARRAY()
        self._timers: dict[str, Timers] = {}
        for domain, name in TIMERS.items():
            state = runtime_context.get_map_state(MapStateDescriptor(name, Types.LONG(), pickled))
            self._timers[domain] = Timers(domain, state, self._cached, self._put_all)
        self._unpack = maker(self._record)
        self._context = Context()
        self._function.open(runtime_context)

    def described(self) -> dict[str, dict[str, Any]]:
        """Return, for each state that holds objects of a class of the user's, what has to stay as it is while there are some."""
        return {_STATES: self._codec.described()}

    def close(self) -> None:
        """Let the function release what it holds."""
        self._function.close()

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Process one batch."""
        call = Call(self, ctx)
        process, unpack, kind = self._function.process, self._unpack, self._key_class
        for key, packed in load(value):
            records: list[Any] = []
            if type(key) is not kind or (kind is int and not _keys.LEAST <= key <= _keys.MOST):
                _keys.refuse(key, kind, self.place)
            try:
                records = unpack(packed)
                call.of(key, process, records)
            except Exception as error:  # noqa: BLE001  (the user's functions may raise anything)
                self.fail(error, key, records)
            if call.is_full:
                yield from call.flush()
        yield from call.end()

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        """Call the function for each key of the bucket whose timer is due; there may be none, when it was deleted."""
        call = Call(self, ctx)
        on_timer = self._function.on_timer
        for time, keys in call.timers(EVENT_TIME if ctx.time_domain().name == "EVENT_TIME" else PROCESSING_TIME).due(timestamp):
            for key in ordered(keys):
                try:
                    call.weigh(call.of(key, on_timer, time))
                except Exception as error:  # noqa: BLE001  (the user's functions may raise anything)
                    self.fail(error, key, ())
                if call.is_full:
                    yield from call.flush()
            call.set_timers()
        yield from call.end()

    def fail(self, error: Exception, key: Any, records: Sequence[Any] = ()) -> NoReturn:
        """Raise what the function has raised, with the key and the record that it was at."""
        _failures.of_key(error, self.name, self.place, key, records)

    def _put_all(self, state: MapState, entries: dict[Any, Any]) -> None:
        """Write several entries of a state."""
        if self._writes_all_at_once:
            state.put_all(entries)
        else:
            for key, value in entries.items():
                state.put(key, value)


def load(content: bytes) -> list[tuple[Any, list[Any]]]:
    """Return the records by key that `reading.dump` has written."""
    loaded: list[tuple[Any, list[Any]]] = pickle.loads(content)  # noqa: S301  (of the operator before this one)
    return loaded


def maker(record: type[Any]) -> Callable[[list[tuple[Any, ...]]], list[Any]]:
    """Return a function that makes records of the values of their fields."""
    if not issubclass(record, tuple):
        return lambda values: list(starmap(record, values))
    make = partial(tuple.__new__, record)  # as the class's own _make does, in a third of the time
    return lambda values: list(map(make, values))
