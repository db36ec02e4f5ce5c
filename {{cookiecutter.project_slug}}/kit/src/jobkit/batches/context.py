"""What a function may ask for and order beside its state."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeVar

from pyflink.datastream.timerservice import TimerService

S = TypeVar("S")
EVENT_TIME, PROCESSING_TIME = "event-time", "processing-time"


class Context:
    """What the functions of one subtask are given with each call."""

    def __init__(self) -> None:
        """Make one without a watermark; tests of functions do, too."""
        self._clock: TimerService | None = None
        self._watermark: int | None = -(2**63)
        self._processing_time: int | None = 0
        self.key: Hashable = None
        self.is_cleared = False
        self.renewed: Any = None
        self.registered: dict[tuple[str, int], set[Any]] = {}
        self.deleted: dict[tuple[str, int], set[Any]] = {}

    def begin(self, clock: TimerService) -> None:
        """Forget what was asked and ordered in the call before. What no function asks for is not asked of Flink."""
        self._clock, self._watermark, self._processing_time = clock, None, None
        self.registered, self.deleted = {}, {}

    @property
    def watermark(self) -> int:
        """The current watermark, in milliseconds; -2**63 before there is one."""
        if self._watermark is None:
            self._watermark = int(self._clock.current_watermark()) if self._clock else -(2**63)
        return self._watermark

    @watermark.setter
    def watermark(self, value: int) -> None:
        self._watermark = value

    @property
    def processing_time(self) -> int:
        """The time of the clock, in milliseconds; the same during one call."""
        if self._processing_time is None:
            self._processing_time = int(self._clock.current_processing_time()) if self._clock else 0
        return self._processing_time

    @processing_time.setter
    def processing_time(self, value: int) -> None:
        self._processing_time = value

    def clear_state(self) -> None:
        """Forget the state of this key; what is still changed in it is not kept."""
        self.is_cleared = True

    def renew(self, state: S) -> S:
        """Give this key a new state after `clear_state`, and return it; a RecordFunction does so for the next record."""
        self.is_cleared, self.renewed = False, state
        return state

    def register_event_time_timer(self, timestamp: int) -> None:
        """Have `on_timer` called for this key once the watermark has passed a time, in milliseconds."""
        self._order(self.registered, self.deleted, (EVENT_TIME, timestamp))

    def register_processing_time_timer(self, timestamp: int) -> None:
        """Have `on_timer` called for this key at a time of the clock, in milliseconds."""
        self._order(self.registered, self.deleted, (PROCESSING_TIME, timestamp))

    def delete_event_time_timer(self, timestamp: int) -> None:
        """Take an event-time timer of this key back."""
        self._order(self.deleted, self.registered, (EVENT_TIME, timestamp))

    def delete_processing_time_timer(self, timestamp: int) -> None:
        """Take a processing-time timer of this key back."""
        self._order(self.deleted, self.registered, (PROCESSING_TIME, timestamp))

    def _order(self, this: dict[tuple[str, int], set[Any]], other: dict[tuple[str, int], set[Any]], timer: tuple[str, int]) -> None:
        this.setdefault(timer, set()).add(self.key)
        other.get(timer, set()).discard(self.key)
