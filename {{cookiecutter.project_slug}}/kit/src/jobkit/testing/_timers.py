"""Timers and time as a test moves it: event time by watermarks, processing time by hand."""

from __future__ import annotations

import heapq
import numbers
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pyflink.datastream import TimeDomain, TimerService

from ..errors import JobkitError

FIRST_WATERMARK = -(2**63)
"""The watermark before any has come, Java's Long.MIN_VALUE: an operator begins with it, after a restore too."""

LAST_WATERMARK = 2**63 - 1
"""The watermark at the end of a bounded input."""

_MOST_FIRINGS = 100_000


class WrongUse(JobkitError):
    """A call that Flink refuses, or a step of a test that time cannot take."""


class Key(NamedTuple):
    """A key: what it is told from others by, and its serialised value."""

    identity: Hashable
    content: bytes


class Timer(NamedTuple):
    """A timer of a key; timers are ordered by time, and those of one time by when they were registered."""

    time: int
    order: int
    key: Key


@dataclass
class Queue:
    """The timers of one time domain, one for each key and time."""

    heap: list[Timer] = field(default_factory=list)
    pending: dict[tuple[int, Hashable], Timer] = field(default_factory=dict)
    registered: int = 0

    def add(self, time: int, key: Key) -> None:
        """Register a timer, unless the key has one of that time."""
        if (time, key.identity) not in self.pending:
            self.registered += 1
            timer = self.pending[time, key.identity] = Timer(time, self.registered, key)
            heapq.heappush(self.heap, timer)

    def delete(self, time: int, key: Key) -> None:
        """Delete a timer, if there is one."""
        self.pending.pop((time, key.identity), None)

    def next_due(self, now: int) -> Timer | None:
        """Remove and return the earliest timer that is due, or None."""
        while self.heap and self.heap[0].time <= now:
            timer = heapq.heappop(self.heap)
            if self.pending.get((timer.time, timer.key.identity)) is timer:
                del self.pending[timer.time, timer.key.identity]
                return timer
        return None


class Timers(TimerService):  # type: ignore[misc]  # PyFlink brings no types
    """The timer service that a function sees, and the clock behind it.

    Args:
        current_key: Returns the key that is processed.
        keyed: Whether there are keys; without them there are no timers.
    """

    def __init__(self, current_key: Callable[[], Key], *, keyed: bool) -> None:
        self.queues = {domain: Queue() for domain in TimeDomain}
        self.watermark = FIRST_WATERMARK
        self.processing_time = 0
        self._current_key, self._keyed = current_key, keyed

    def current_processing_time(self) -> int:
        """Return the processing time, in milliseconds."""
        return self.processing_time

    def current_watermark(self) -> int:
        """Return the watermark, in milliseconds."""
        return self.watermark

    def register_event_time_timer(self, timestamp: int) -> None:
        """Call `on_timer` once the watermark is there."""
        self._queue(TimeDomain.EVENT_TIME, timestamp).add(int(timestamp), self._current_key())

    def register_processing_time_timer(self, timestamp: int) -> None:
        """Call `on_timer` once processing time is there."""
        self._queue(TimeDomain.PROCESSING_TIME, timestamp).add(int(timestamp), self._current_key())

    def delete_event_time_timer(self, timestamp: int) -> None:
        """Forget a timer of the current key."""
        self._queue(TimeDomain.EVENT_TIME, timestamp).delete(int(timestamp), self._current_key())

    def delete_processing_time_timer(self, timestamp: int) -> None:
        """Forget a timer of the current key."""
        self._queue(TimeDomain.PROCESSING_TIME, timestamp).delete(int(timestamp), self._current_key())

    def pending(self, domain: TimeDomain, key: Key | None) -> list[int]:
        """Return the times of the timers that have not fired, of one key or of all."""
        timers = self.queues[domain].pending.values()
        return sorted(timer.time for timer in timers if key is None or timer.key.identity == key.identity)

    def advance(self, domain: TimeDomain, now: int, fire: Callable[[int, Key, TimeDomain], None]) -> None:
        """Move a time on and fire what is due, also what is registered meanwhile.

        Args:
            domain: Which time.
            now: Where it moves to.
            fire: Called with each timer's time, its key and the domain.

        Raises:
            WrongUse: When time would go back, or timers register timers without an end.
        """
        before = self.watermark if domain is TimeDomain.EVENT_TIME else self.processing_time
        if now < before:
            raise WrongUse("Time does not go back.", found=f"{now} after {before}", where=domain.name.lower().replace("_", " "))
        if domain is TimeDomain.EVENT_TIME:
            self.watermark = now
        else:
            self.processing_time = now
        for _ in range(_MOST_FIRINGS):
            timer = self.queues[domain].next_due(now)
            if timer is None:
                return
            fire(timer.time, timer.key, domain)
        raise WrongUse(
            "Timers register timers without an end.",
            found=f"{_MOST_FIRINGS} fired and another is due at {now}",
            remedy="At the end of a bounded input every event-time timer is due, however late its time is.",
        )

    def _queue(self, domain: TimeDomain, timestamp: Any) -> Queue:
        if not self._keyed:
            raise WrongUse("Timers are only supported on a keyed stream.", remedy="Use a KeyedProcessFunction, and give Operator a key.")
        if not isinstance(timestamp, numbers.Integral) or not FIRST_WATERMARK <= int(timestamp) <= LAST_WATERMARK:
            raise WrongUse(
                "A timer's time is no number of milliseconds.",
                found=repr(timestamp),
                remedy="Write an integer, up to 64 bits.",
            )
        return self.queues[domain]
