"""The timers of a function's keys: any number for each key, of which Flink has a single one for each bucket.

A timer of Flink's costs some calls between Java and Python when it is set and when it fires. So Flink is only asked to wake a
bucket at the earliest time that one of its keys waits for; then all that is due fires, in the order of its times, within one
call. What each key waits for is in a map of times to keys, in Flink's state, and at hand as objects, too.

The timers at hand are bounded. A bucket that would exceed the bound has a timer of Flink's for each time instead, and nothing
at hand: slower, and of any number.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from pyflink.datastream.state import MapState
from pyflink.datastream.timerservice import TimerService

from .context import EVENT_TIME

Keys = set[Any]
PutAll = Callable[[MapState, dict[Any, Any]], None]
_FEW = 64


class Timers:
    """The timers of a subtask in one domain of time."""

    def __init__(self, domain: str, state: MapState, most: int, put_all: PutAll) -> None:
        """Take what the buckets' timers are kept in.

        Args:
            domain: `EVENT_TIME` or `PROCESSING_TIME`.
            state: From times to the keys that have a timer then; of whichever bucket Flink has called with.
            most: How many timers are at hand, at most.
            put_all: Writes several entries of a state.
        """
        self._state, self._most, self._put_all = state, most, put_all
        self._is_of_events = domain == EVENT_TIME
        self._at_hand: dict[Hashable, AtHand] = {}
        self._count = 0
        self._too_many: set[Hashable] = set()

    def of(self, bucket: Hashable, service: TimerService) -> AtHand | InFlink:
        """Return the timers of the bucket that Flink has called with."""
        flink = _Flink(service, self._is_of_events)
        if bucket in self._too_many:
            return InFlink(self._state, flink)
        timers = self._at_hand.get(bucket)
        if timers is None:
            timers = self._read()
            if timers is None:
                for time in list(self._state.keys()):
                    flink.register(time)
                self._too_many.add(bucket)
                return InFlink(self._state, flink)
            self._at_hand[bucket] = timers
            self._count += timers.count
        timers.flink = flink
        return timers

    def _read(self) -> AtHand | None:
        """Return the timers of the bucket that Flink has called with, as Flink has kept them; None when they are too many."""
        keys: dict[int, Keys] = {}
        count = self._count
        for time, waiting in self._state.items():
            count += len(waiting)
            if count > self._most:
                return None
            keys[time] = set(waiting)
        return AtHand(keys)

    def write(self, bucket: Hashable) -> None:
        """Write what has changed of the bucket that Flink has called with; see to it that Flink calls in time."""
        timers = self._at_hand.get(bucket)
        if timers is None:
            return
        self._count += timers.write(self._state, self._put_all)
        if self._count > self._most:
            for time in timers.keys:
                timers.flink.register(time)
            self._count -= timers.count
            self._too_many.add(bucket)
            del self._at_hand[bucket]


class _Flink:
    """Flink's timers of one bucket and domain."""

    def __init__(self, service: TimerService, is_of_events: bool) -> None:  # noqa: FBT001
        if is_of_events:
            self.now, self.register, self.delete = (
                service.current_watermark,
                service.register_event_time_timer,
                service.delete_event_time_timer,
            )
        else:
            self.now, self.register, self.delete = (
                service.current_processing_time,
                service.register_processing_time_timer,
                service.delete_processing_time_timer,
            )


class AtHand:
    """The timers of one bucket, all of them; Flink has one, at the earliest of their times or before."""

    flink: _Flink

    def __init__(self, keys: dict[int, Keys]) -> None:
        self.keys = keys
        self.count = sum(map(len, keys.values()))
        self._times = sorted(keys)  # a heap; of times that were deleted, too
        self._armed: int | None = None
        self._was_written: dict[int, bool] = {}
        self._written_count = self.count

    def add(self, time: int, keys: Keys) -> None:
        """Let keys wait for a time."""
        known = self.keys.get(time)
        if known is None:
            self._was_written.setdefault(time, False)
            self.keys[time] = set(keys)
            self.count += len(keys)
            self._push(time)
        elif not keys <= known:
            self._was_written.setdefault(time, True)
            self.count -= len(known)
            known |= keys
            self.count += len(known)

    def discard(self, time: int, keys: Keys) -> None:
        """Let keys no longer wait for a time."""
        known = self.keys.get(time)
        if known is None or known.isdisjoint(keys):
            return
        self._was_written.setdefault(time, True)
        self.count -= len(known)
        known -= keys
        self.count += len(known)
        if not known:
            del self.keys[time]

    def _push(self, time: int) -> None:
        if len(self._times) > 2 * len(self.keys) + _FEW:  # most of them were deleted
            self._times = sorted(self.keys)
        else:
            heapq.heappush(self._times, time)

    def due(self, fired: int) -> Iterator[tuple[int, Keys]]:
        """Take out what is due, in the order of the times; what is added meanwhile is due as well.

        Args:
            fired: The time for which Flink has called.
        """
        if self._armed is not None and fired >= self._armed:
            self._armed = None
        until = max(fired, self.flink.now())
        while self._times and self._times[0] <= until:
            time = heapq.heappop(self._times)
            keys = self.keys.pop(time, None)
            if keys is not None:
                self._was_written.setdefault(time, True)
                self.count -= len(keys)
                yield time, keys

    def write(self, state: MapState, put_all: PutAll) -> int:
        """Write what has changed; return how many timers there are more than when it was last written."""
        written = {time: ordered(self.keys[time]) for time in self._was_written if time in self.keys}
        removed = [time for time, was_written in self._was_written.items() if was_written and time not in self.keys]
        if written:
            put_all(state, written)
        if len(removed) > 1 and not self.keys:
            state.clear()
        else:
            for time in removed:
                state.remove(time)
        self._was_written.clear()
        self._arm()
        more, self._written_count = self.count - self._written_count, self.count
        return more

    def _arm(self) -> None:
        while self._times and self._times[0] not in self.keys:
            heapq.heappop(self._times)
        if not self._times:
            if self._armed is not None:
                self.flink.delete(self._armed)
            self._armed = None
        elif self._armed is None or self._times[0] < self._armed:
            self._armed = self._times[0]
            self.flink.register(self._armed)


class InFlink:
    """The timers of one bucket, none of which is at hand; Flink has one for each of their times."""

    def __init__(self, state: MapState, flink: _Flink) -> None:
        self._state, self._flink = state, flink

    def add(self, time: int, keys: Keys) -> None:
        """Let keys wait for a time."""
        known = set(self._state.get(time) or ())
        if not keys <= known:
            self._state.put(time, ordered(known | keys))
            self._flink.register(time)

    def discard(self, time: int, keys: Keys) -> None:
        """Let keys no longer wait for a time."""
        known = set(self._state.get(time) or ())
        if known.isdisjoint(keys):
            return
        if known <= keys:
            self._state.remove(time)
            self._flink.delete(time)
        else:
            self._state.put(time, ordered(known - keys))

    def due(self, fired: int) -> Iterator[tuple[int, Keys]]:
        """Take out what waits for the time for which Flink has called."""
        keys = self._state.get(fired)
        if keys:
            self._state.remove(fired)
            yield fired, set(keys)


def ordered(keys: Keys) -> list[Any]:
    """Return keys in an order that depends on nothing but them."""
    return list(keys) if len(keys) == 1 else sorted(keys, key=repr)
