"""The operator that calls a KeyedFunction: its state, its timers, its outputs."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from itertools import starmap
from typing import Any

from pyflink.common import Types
from pyflink.common.typeinfo import BasicTypeInfo, TypeInformation
from pyflink.datastream import OutputTag
from pyflink.datastream.functions import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapState, MapStateDescriptor
from pyflink.datastream.timerservice import TimerService

from ..errors import ConfigurationError
from . import _garbage, frames
from ._states import Cache, Codec
from .context import EVENT_TIME, PROCESSING_TIME, Context
from .function import KeyedFunction, Result
from .results import tag

TIMERS = {EVENT_TIME: "event-time-timers", PROCESSING_TIME: "processing-time-timers"}
"""The states that hold which keys of a bucket have a timer at which time."""


class Keyed(KeyedProcessFunction):  # type: ignore[misc]
    """Calls a function for each key of a batch. To Flink, the key is the bucket; a bucket's state is a map from keys."""

    def __init__(self, function: KeyedFunction[Any, Any], record: type[Any], key_type: TypeInformation, cached: int) -> None:
        _require_comparable(key_type)
        self._function, self._record, self._key_type, self._cached = function, record, key_type, cached
        self._codec: Codec[Any] = Codec(function)  # says now what is wrong with the class of its state

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the states."""
        _garbage.relax()
        self._cache: Cache[Any] = Cache(self._cached)
        self._states: MapState = runtime_context.get_map_state(MapStateDescriptor("states", self._key_type, Types.PICKLED_BYTE_ARRAY()))
        # Thread mode takes a dictionary in a single call to Java; process mode would take pairs, and collects what is put anyway.
        self._writes_all_at_once = ".embedded." in type(self._states).__module__
        pickled = Types.PICKLED_BYTE_ARRAY()
        self._timers: dict[str, MapState] = {
            domain: runtime_context.get_map_state(MapStateDescriptor(name, Types.LONG(), pickled)) for domain, name in TIMERS.items()
        }
        self._unpack = maker(self._record)
        self._context = Context()
        self._function.open(runtime_context)

    def close(self) -> None:
        """Let the function release what it holds."""
        self._function.close()

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Process one batch."""
        call = _Call(self, ctx.timer_service())
        process, unpack = self._function.process, self._unpack
        for key, records in load(value):
            call.of(key, process, unpack(records))
        return call.end()

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        """Call the function for each key of the bucket that has registered this time."""
        domain = EVENT_TIME if ctx.time_domain().name == "EVENT_TIME" else PROCESSING_TIME
        call = _Call(self, ctx.timer_service())
        timers = self._timers[domain]
        keys = timers.get(timestamp)
        timers.remove(timestamp)
        for key in keys or ():
            call.of(key, self._function.on_timer, timestamp)
        return call.end()


class _Call:
    """One call by Flink, for several keys of one bucket: states are written, and outputs sent on, when it ends."""

    def __init__(self, operator: Keyed, timers: TimerService) -> None:
        self._operator, self._timers = operator, timers
        self._dirty: dict[Hashable, tuple[Any, ...]] = {}
        self._cleared: set[Hashable] = set()
        self._main: list[str | bytes] = []
        self._sides: dict[str, list[str | bytes]] = defaultdict(list)
        self._tags: dict[str, OutputTag] = {}
        self._context = operator._context
        self._context.begin(timers)

    def of(self, key: Hashable, function: Callable[[Any, Any, Any, Context], Iterable[Result] | None], what: Any) -> None:
        """Call a function with a key, its state, some records or a time, and the context; take what it returns."""
        operator, context = self._operator, self._context
        state = operator._cache.get(key)
        if state is None:
            state = self._fetch(key)
        context.key, context.is_cleared = key, False
        for result in function(key, state, what, context) or ():
            if type(result) is tuple:
                self._put_aside(*result)
            else:
                self._main.append(result)  # type: ignore[arg-type]
        if context.is_cleared:
            operator._cache.drop(key)
            self._dirty.pop(key, None)
            self._cleared.add(key)
            return
        if self._cleared:
            self._cleared.discard(key)
        self._dirty[key] = operator._codec.pack(state)

    def _fetch(self, key: Hashable) -> Any:
        """Return the state that Flink has of a key, or a new one."""
        operator = self._operator
        packed = None if key in self._cleared else operator._states.get(key)
        state = operator._codec.new() if packed is None else operator._codec.unpack(packed)
        operator._cache.put(key, state)
        return state

    def _put_aside(self, output_tag: OutputTag, text: str | bytes) -> None:
        self._tags[output_tag.tag_id] = output_tag
        self._sides[output_tag.tag_id].append(text)

    def end(self) -> Iterator[Any]:
        """Write what has changed, and return the outputs."""
        states = self._operator._states
        if self._dirty and self._operator._writes_all_at_once:
            states.put_all(self._dirty)
        else:
            for key, packed in self._dirty.items():
                states.put(key, packed)
        for key in self._cleared:
            states.remove(key)
        self._set_timers()
        if self._main:
            yield frames.join(self._main)
        for tag_id, texts in self._sides.items():
            yield tag(self._tags[tag_id]), frames.join(texts)

    def _set_timers(self) -> None:
        registered, deleted = self._context.registered, self._context.deleted
        for domain, timestamp in {*registered, *deleted}:
            timers = self._operator._timers[domain]
            before = set(timers.get(timestamp) or ())
            after = (before | registered.get((domain, timestamp), set())) - deleted.get((domain, timestamp), set())
            if after == before:
                continue
            if after:
                timers.put(timestamp, sorted(after, key=repr))
                self._register(domain, timestamp)
            else:
                timers.remove(timestamp)
                self._delete(domain, timestamp)

    def _register(self, domain: str, timestamp: int) -> None:
        if domain == EVENT_TIME:
            self._timers.register_event_time_timer(timestamp)
        else:
            self._timers.register_processing_time_timer(timestamp)

    def _delete(self, domain: str, timestamp: int) -> None:
        if domain == EVENT_TIME:
            self._timers.delete_event_time_timer(timestamp)
        else:
            self._timers.delete_processing_time_timer(timestamp)


def _require_comparable(key_type: TypeInformation) -> None:
    """Refuse keys that Java's maps do not find again: arrays, which is what tuples, bytes and pickled objects become."""
    if not isinstance(key_type, BasicTypeInfo):
        raise ConfigurationError(
            "The key of a batch is a text or a number: another would not find its state in Flink's hashmap backend.",
            found=str(key_type),
            where="key_type",
            remedy="Let `key` make one text of the parts of a key.",
        )


def load(content: bytes) -> list[tuple[Hashable, list[Any]]]:
    """Return the records by key that `reading.dump` has written."""
    loaded: list[tuple[Hashable, list[Any]]] = pickle.loads(content)  # noqa: S301  (of the operator before this one)
    return loaded


def maker(record: type[Any]) -> Callable[[list[tuple[Any, ...]]], list[Any]]:
    """Return a function that makes records of the values of their fields."""
    if not issubclass(record, tuple):
        return lambda values: list(starmap(record, values))
    make = partial(tuple.__new__, record)  # as the class's own _make does, in a third of the time
    return lambda values: list(map(make, values))
