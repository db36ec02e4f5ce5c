"""What a function may ask for and order beside its state."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

EVENT_TIME, PROCESSING_TIME = "event-time", "processing-time"


class Context:
    """What the functions of one subtask are given with each call.

    Attributes:
        watermark: The current watermark, in milliseconds; -2**63 before there is one.
        processing_time: When the batch came, in milliseconds.
    """

    def __init__(self) -> None:
        """Make one without a watermark; tests of functions do, too."""
        self.watermark = -(2**63)
        self.processing_time = 0
        self.key: Hashable = None
        self.is_cleared = False
        self.registered: dict[tuple[str, int], set[Any]] = {}
        self.deleted: dict[tuple[str, int], set[Any]] = {}

    def clear_state(self) -> None:
        """Forget the state of this key; what is still changed in it is not kept."""
        self.is_cleared = True

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
