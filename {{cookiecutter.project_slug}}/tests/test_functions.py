"""The functions, called as Flink calls them, without Flink running."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from {{ cookiecutter.package_name }}.functions import LATE, REJECTED, DelaysByHour, Parse
from {{ cookiecutter.package_name }}.records import HOUR

TEN = 978_688_800_000
"""2001/01/05 10:00."""


class Timers:
    """The timers of one key, and the watermark."""

    def __init__(self, watermark: int) -> None:
        self.watermark = watermark
        self.registered: list[int] = []

    def current_watermark(self) -> int:
        """Return how far event time is."""
        return self.watermark

    def register_event_time_timer(self, timestamp: int) -> None:
        """Note a timer."""
        self.registered.append(timestamp)


class State(dict[int, Any]):
    """A map state of one key."""

    put = dict.__setitem__
    remove = dict.__delitem__


class Value:
    """A value state of one key."""

    def __init__(self) -> None:
        self._value: int | None = None

    def value(self) -> int | None:
        """Return what was written last."""
        return self._value

    def update(self, value: int) -> None:
        """Write."""
        self._value = value


def opened(state: State, emitted: Value | None = None) -> DelaysByHour:
    """Return the function with the states of one key."""
    function = DelaysByHour()
    function.open(SimpleNamespace(get_map_state=lambda _: state, get_state=lambda _: emitted or Value()))
    return function


def context(timers: Timers) -> SimpleNamespace:
    """Return the context of one key."""
    return SimpleNamespace(timer_service=lambda: timers, get_current_key=lambda: "DTW")


def test_parse_yields_flights_and_rejects_the_rest() -> None:
    """A flight goes on with the text that it came as; anything else goes aside, with its reason."""
    text = '{"date":"2001/01/05 10:47","delay":66,"distance":1750,"origin":"DTW","destination":"LAS"}'
    assert list(Parse().process_element(text, None)) == [("DTW", TEN + 47 * 60_000, 66, text)]
    [(tag, record)] = Parse().process_element("\xff", None)
    assert tag is REJECTED
    assert json.loads(record) == {"reason": "invalid UTF-8: byte 0", "value": "/w=="}


def test_hour_is_emitted_once_it_is_over() -> None:
    """Flights of an hour share a timer at its end; the timer emits the hour and clears the state."""
    state, timers = State(), Timers(watermark=TEN)
    function = opened(state)
    for minute, delay in ((5, 20), (59, -10)):
        assert list(function.process_element(("DTW", TEN + minute * 60_000, delay, ""), context(timers))) == []
    assert timers.registered == [TEN + HOUR - 1]
    [row] = function.on_timer(TEN + HOUR - 1, context(timers))
    expected = {"origin": "DTW", "hour": "2001/01/05 10:00", "flights": 2, "mean_delay": 5.0, "max_delay": 20, "late_share": 0.5}
    assert json.loads(row) == expected
    assert state == {}


def test_flight_after_its_hour_is_late() -> None:
    """One millisecond before the end of its hour a flight counts; at the end it is late, and leaves no state."""
    state = State()
    function = opened(state)
    flight = ("DTW", TEN + 59 * 60_000, 0, "as it came")
    end = TEN + HOUR - 1
    assert list(function.process_element(flight, context(Timers(watermark=end)))) == [(LATE, "as it came")]
    assert state == {}
    assert list(function.process_element(flight, context(Timers(watermark=end - 1)))) == []
    assert list(state) == [TEN]


def test_no_hour_is_emitted_twice_after_a_restart() -> None:
    """A restart sets the watermark back; a flight of an hour that was emitted before it is late all the same."""
    state, emitted = State(), Value()
    flight = ("DTW", TEN + 5 * 60_000, 20, "as it came")
    before = opened(state, emitted)
    assert list(before.process_element(flight, context(Timers(watermark=TEN)))) == []
    assert len(list(before.on_timer(TEN + HOUR - 1, context(Timers(watermark=TEN + HOUR))))) == 1
    restarted = opened(state, emitted)
    assert list(restarted.process_element(flight, context(Timers(watermark=-(2**63))))) == [(LATE, "as it came")]
    later = ("DTW", TEN + HOUR, 20, "")
    assert list(restarted.process_element(later, context(Timers(watermark=-(2**63))))) == []
    assert list(state) == [TEN + HOUR]
