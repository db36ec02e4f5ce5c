"""One call by Flink: what it does for the keys of a bucket, one after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pyflink.datastream import OutputTag
from pyflink.datastream.functions import KeyedProcessFunction

from ..errors import ConfigurationError, JobkitError
from . import _failures, frames
from ._timers import AtHand, InFlink
from .context import Context
from .function import Result, one_by_one
from .results import tag

if TYPE_CHECKING:
    from ._keyed import Keyed

MOST_RESULTS, MOST_BYTES = 10_000, 1 << 23
"""How many results, and of timers how many bytes, are held before they are sent on."""
_TEXTS = {str, bytes}


class Call:
    """One call by Flink, for several keys of one bucket: states are written, and outputs sent on, when it ends, or is full.

    Attributes:
        is_full: Whether it holds so many results that they are better sent on.
    """

    def __init__(self, operator: Keyed, ctx: KeyedProcessFunction.Context) -> None:
        self._operator, self._ctx, self._service = operator, ctx, ctx.timer_service()
        self._timers: dict[str, AtHand | InFlink] = {}
        self._dirty: dict[Hashable, Any] = {}
        self._cleared: set[Hashable] = set()
        self._new: set[Hashable] = set()
        self._main: list[str | bytes] = []
        self._sides: dict[str, list[str | bytes]] = defaultdict(list)
        self._aside = self._bytes = 0
        self.is_full = False
        self._tags: dict[str, OutputTag] = {}
        self._context = operator._context
        self._context.begin(self._service)

    def of(self, key: Hashable, function: Callable[[Any, Any, Any, Context], Iterable[Result] | None], what: Any) -> list[Any]:
        """Call a function with a key, its state, some records or a time, and the context; take what it returns, and return it."""
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
            if len(self._main) >= MOST_RESULTS:
                self.is_full = True
        else:
            for result in results:
                self._put(result)
            self.is_full = self.is_full or max(len(self._main), self._aside) >= MOST_RESULTS
        if context.is_cleared:
            operator._cache.drop(key)
            self._dirty.pop(key, None)
            self._cleared.add(key)
            return results
        if context.renewed is not None:
            state = context.renewed
            operator._cache.put(key, state)
            self._new.add(key)
        if self._cleared:
            self._cleared.discard(key)
        self._dirty[key] = state
        return results

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
                self._aside += 1
            case None:
                pass
            case _:
                raise ConfigurationError(
                    f"{self._operator.name} returned something that is no result.",
                    found=f"{result!r}, of the class {type(result).__name__}"[:200],
                    remedy="A result is a text, bytes, or a pair of an OutputTag and one of these: use json.dumps or str.",
                )

    def weigh(self, results: Iterable[Result | None]) -> None:
        """Count the bytes of some results, or their characters."""
        self._bytes += sum(len(result[1] if isinstance(result, tuple) else result or "") for result in results)
        self.is_full = self.is_full or self._bytes >= MOST_BYTES

    def flush(self) -> Iterator[Any]:
        """Write the states that have changed, and return the outputs."""
        operator = self._operator
        if self._dirty:
            packed = self._packed()
            if self._new:
                self._leave_out_unchanged(packed)
            if packed:
                operator._put_all(operator._states, packed)
        for key in self._cleared:
            operator._states.remove(key)
        if self._main:
            yield self._join(self._main)
        for tag_id, texts in self._sides.items():
            yield tag(self._tags[tag_id]), self._join(texts)
        self._main, self._sides, self._aside, self._bytes, self.is_full = [], defaultdict(list), 0, 0, False
        self._dirty, self._new, self._cleared = {}, set(), set()

    def end(self) -> Iterator[Any]:
        """Write what has changed, timers too, and return the outputs."""
        self.set_timers()
        for domain in self._timers:
            self._operator._timers[domain].write(self._bucket)
        yield from self.flush()

    def _packed(self) -> dict[Hashable, tuple[Any, ...]]:
        """Return what is written of the states that have changed."""
        pack = self._operator._codec.pack
        try:
            return {key: pack(state) for key, state in self._dirty.items()}
        except JobkitError:
            for key, state in self._dirty.items():
                try:
                    pack(state)
                except JobkitError as error:  # noqa: PERF203  (something has failed already)
                    self._operator.fail(error, key)
            raise

    def _join(self, texts: list[str | bytes]) -> bytes:
        """Return a batch of results."""
        try:
            return frames.join(texts)
        except UnicodeEncodeError as error:
            found = next(text for text in texts if isinstance(text, str) and not frames.is_unicode(text))
            refused = ConfigurationError(
                f"{self._operator.name} returned a text that is no Unicode: it has one half of a surrogate pair.",
                found=_failures.shortened(found),
                where=self._operator.place,
                remedy=r"JSON may bring one in, as \ud800: refuse it in `parse`, or return text.encode(errors='replace').",
            )
            raise _failures.told(refused) from error

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
