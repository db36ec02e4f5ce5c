"""The function alone, as the job would run it: state and timers without a cluster, and without Java."""

from __future__ import annotations

import json

from jobkit.testing.keyed import KeyedOperator
from jobkit.testing.operators import Snapshot

from {{ cookiecutter.package_name }}.functions import LATE, DelaysByHour, Hours
from {{ cookiecutter.package_name }}.records import HOUR, Flight

TEN = 978_688_800_000
"""2001/01/05 10:00."""

MINUTE = 60_000


def operator(snapshot: Snapshot | None = None) -> KeyedOperator[Flight, Hours]:
    """Return the function as an operator; from a snapshot, or new."""
    return KeyedOperator(DelaysByHour(), Flight, snapshot=snapshot)


def flight(time: int, delay: int = 0, origin: str = "DTW") -> Flight:
    """Return a flight."""
    return Flight(origin, time, delay, b"as it came")


def test_hour_is_emitted_once_it_is_over() -> None:
    """Flights of an hour share a timer at its end; the timer emits the hour and forgets it."""
    delays = operator()
    delays.process("DTW", flight(TEN + 5 * MINUTE, 20), flight(TEN + 59 * MINUTE, -10))
    delays.process("LAS", flight(TEN + 59 * MINUTE, 0, "LAS"))
    assert delays.timers("DTW") == [TEN + HOUR - 1]
    delays.advance_watermark(TEN + HOUR - 2)
    assert delays.output == []
    delays.advance_watermark(TEN + HOUR - 1)
    detroit, las_vegas = map(json.loads, delays.output)
    assert detroit == {"origin": "DTW", "hour": "2001/01/05 10:00", "flights": 2, "mean_delay": 5.0, "max_delay": 20, "late_share": 0.5}
    assert las_vegas["origin"] == "LAS"
    assert delays.state("DTW") == Hours(delays={}, emitted=TEN)


def test_flights_of_an_hour_come_in_several_batches() -> None:
    """What was counted before is in the state."""
    delays = operator()
    delays.process("DTW", flight(TEN, 20))
    delays.process("DTW", flight(TEN, 10), flight(TEN + HOUR, 7))
    assert delays.state("DTW") == Hours(delays={TEN: (2, 30, 20, 1), TEN + HOUR: (1, 7, 7, 0)})
    assert delays.timers("DTW") == [TEN + HOUR - 1, TEN + 2 * HOUR - 1]


def test_flight_after_its_hour_is_late() -> None:
    """One millisecond before the end of its hour a flight counts; at the end it is late, and leaves no state."""
    delays = operator()
    delays.advance_watermark(TEN + HOUR - 2)
    delays.process("DTW", flight(TEN + 59 * MINUTE))
    assert delays.side_output(LATE) == []
    delays.advance_watermark(TEN + HOUR - 1)
    delays.process("DTW", flight(TEN + 59 * MINUTE))
    assert delays.side_output(LATE) == [b"as it came"]
    assert delays.state("DTW") == Hours(delays={}, emitted=TEN)


def test_no_hour_is_emitted_twice_after_a_restart() -> None:
    """A restart sets the watermark back; a flight of an hour that was emitted before it is late all the same."""
    before = operator()
    before.process("DTW", flight(TEN + 5 * MINUTE, 20))
    before.advance_watermark(TEN + HOUR)
    assert len(before.output) == 1
    restarted = operator(before.snapshot())
    restarted.process("DTW", flight(TEN + 6 * MINUTE), flight(TEN + HOUR))
    assert restarted.side_output(LATE) == [b"as it came"]
    assert restarted.state("DTW") == Hours(delays={TEN + HOUR: (1, 0, 0, 0)}, emitted=TEN)
