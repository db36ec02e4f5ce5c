"""The operator that calls a KeyedFunction: its state, its timers, its outputs."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from itertools import starmap
from typing import Any

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import OutputTag
from pyflink.datastream.functions import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapState, MapStateDescriptor

from ..errors import ConfigurationError
from . import _garbage, frames
from ._states import Cache, Codec
from ._timers import AtHand, InFlink, Timers, ordered
from .context import EVENT_TIME, PROCESSING_TIME, Context
from .function import KeyedFunction, Result, one_by_one
from .results import tag

_STATES = "states"
_TEXTS = {str, bytes}
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
        call = _Call(self, ctx)
        process, unpack = self._function.process, self._unpack
        for key, records in load(value):
            call.of(key, process, unpack(records))
        return call.end()

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        """Call the function for each key of the bucket whose timer is due; there may be none, when it was deleted."""
        call = _Call(self, ctx)
        on_timer = self._function.on_timer
        for time, keys in call.timers(EVENT_TIME if ctx.time_domain().name == "EVENT_TIME" else PROCESSING_TIME).due(timestamp):
            for key in ordered(keys):
                call.of(key, on_timer, time)
            call.set_timers()
        return call.end()

    def _put_all(self, state: MapState, entries: dict[Any, Any]) -> None:
        """Write several entries of a state."""
        if self._writes_all_at_once:
            state.put_all(entries)
        else:
            for key, value in entries.items():
                state.put(key, value)


class _Call:
    """One call by Flink, for several keys of one bucket: states are written, and outputs sent on, when it ends."""

    def __init__(self, operator: Keyed, ctx: KeyedProcessFunction.Context) -> None:
        self._operator, self._ctx, self._service = operator, ctx, ctx.timer_service()
        self._timers: dict[str, AtHand | InFlink] = {}
        self._dirty: dict[Hashable, Any] = {}
        self._cleared: set[Hashable] = set()
        self._new: set[Hashable] = set()
        self._main: list[str | bytes] = []
        self._sides: dict[str, list[str | bytes]] = defaultdict(list)
        self._tags: dict[str, OutputTag] = {}
        self._context = operator._context
        self._context.begin(self._service)

    def of(self, key: Hashable, function: Callable[[Any, Any, Any, Context], Iterable[Result] | None], what: Any) -> None:
        """Call a function with a key, its state, some records or a time, and the context; take what it returns."""
        operator, context = self._operator, self._context
        state = operator._cache.get(key)
        if state is None:
            state = self._fetch(key)
        context.key, context.is_cleared, context.renewed = key, False, None
        results = function(key, state, what, context)
        if type(results) is not list:
            results = list(one_by_one(operator._function, results))
        if _TEXTS.issuperset(map(type, results)):
            self._main += results  # type: ignore[arg-type]
        else:
            for result in results:
                self._put(result)
        if context.is_cleared:
            operator._cache.drop(key)
            self._dirty.pop(key, None)
            self._cleared.add(key)
            return
        if context.renewed is not None:
            state = context.renewed
            operator._cache.put(key, state)
            self._new.add(key)
        if self._cleared:
            self._cleared.discard(key)
        self._dirty[key] = state

    def _fetch(self, key: Hashable) -> Any:
        """Return the state of a key that is not at hand: from before in this call, or as Flink has it, or a new one."""
        operator = self._operator
        state = self._dirty.get(key)
        if state is None:
            packed = None if key in self._cleared else operator._states.get(key)
            if packed is None:
                state = operator._codec.new()
                self._new.add(key)
            else:
                state = operator._codec.unpack(packed)
        operator._cache.put(key, state)
        return state

    def _put(self, result: Any) -> None:
        match result:
            case str() | bytes():
                self._main.append(result)
            case (OutputTag() as output_tag, (str() | bytes()) as text):
                self._tags[output_tag.tag_id] = output_tag
                self._sides[output_tag.tag_id].append(text)
            case None:
                pass
            case _:
                raise ConfigurationError(
                    f"{type(self._operator._function).__name__} returned something that is no result.",
                    found=f"{result!r}, of the class {type(result).__name__}"[:200],
                    remedy="A result is a text, bytes, or a pair of an OutputTag and one of these: use json.dumps or str.",
                )

    def end(self) -> Iterator[Any]:
        """Write what has changed, and return the outputs."""
        operator = self._operator
        if self._dirty:
            pack = operator._codec.pack
            packed = {key: pack(state) for key, state in self._dirty.items()}
            if self._new:
                self._leave_out_unchanged(packed)
            if packed:
                operator._put_all(operator._states, packed)
        for key in self._cleared:
            operator._states.remove(key)
        self.set_timers()
        for domain in self._timers:
            operator._timers[domain].write(self._bucket)
        if self._main:
            yield frames.join(self._main)
        for tag_id, texts in self._sides.items():
            yield tag(self._tags[tag_id]), frames.join(texts)

    def _leave_out_unchanged(self, packed: dict[Hashable, tuple[Any, ...]]) -> None:
        """Keep no state for keys that had none and whose functions have changed nothing: they would stay for ever."""
        operator = self._operator
        unchanged = operator._codec.pack(operator._codec.new())
        for key in self._new:
            if packed.get(key) == unchanged:
                del packed[key]
                operator._cache.drop(key)
                self._cleared.add(key)  # one that was forgotten in this call is still in Flink

    def timers(self, domain: str) -> AtHand | InFlink:
        """Return the timers of the bucket in a domain of time."""
        timers = self._timers.get(domain)
        if timers is None:
            self._bucket = self._ctx.get_current_key()
            timers = self._timers[domain] = self._operator._timers[domain].of(self._bucket, self._service)
        return timers

    def set_timers(self) -> None:
        """Register and delete the timers that the functions have asked for since the last time."""
        context = self._context
        for (domain, time), keys in context.registered.items():
            if keys:
                self.timers(domain).add(time, keys)
        for (domain, time), keys in context.deleted.items():
            if keys:
                self.timers(domain).discard(time, keys)
        context.registered.clear()
        context.deleted.clear()


def _require_comparable(key_type: TypeInformation) -> None:
    """Refuse keys that Java's maps do not find again: arrays, which is what tuples, bytes and pickled objects become.

    And numbers that Java does not get from Python: each whole one comes as a Long.
    """
    if key_type not in (Types.STRING(), Types.LONG(), Types.DOUBLE()):
        raise ConfigurationError(
            "The key of a batch is a text or a number: another would not find its state in Flink's hashmap backend.",
            found=str(key_type),
            where="key_type",
            remedy="Take Types.LONG() for whole numbers, Types.DOUBLE() for others, or let `key` make one text of the parts of a key.",
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
