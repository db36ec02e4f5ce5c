"""The functions, each alone, as Flink would call it: state and timers without a cluster, and without Java."""

from __future__ import annotations

import json

from jobkit.testing.operators import Operator, Snapshot
from pyflink.common import Types

from {{ cookiecutter.package_name }}.functions import FLIGHT, LATE, REJECTED, DelaysByHour, Parse
from {{ cookiecutter.package_name }}.records import HOUR

TEN = 978_688_800_000
"""2001/01/05 10:00."""

MINUTE = 60_000


def delays(snapshot: Snapshot | None = None) -> Operator:
    """Return the function as an operator, with the types that the pipeline gives it; from a snapshot, or new."""
    if snapshot is None:
        return Operator(DelaysByHour(), key=lambda flight: flight[0], key_type=Types.STRING(), output_type=Types.STRING())
    return Operator.restore(DelaysByHour(), snapshot, key=lambda flight: flight[0], key_type=Types.STRING(), output_type=Types.STRING())


def test_parse_yields_flights_and_rejects_the_rest() -> None:
    """A flight goes on with the text that it came as; anything else goes aside, with its reason."""
    text = '{"date":"2001/01/05 10:47","delay":66,"distance":1750,"origin":"DTW","destination":"LAS"}'
    operator = Operator(Parse(), output_type=FLIGHT)
    operator.process(text)
    operator.process("\xff")
    assert operator.output == [("DTW", TEN + 47 * MINUTE, 66, text)]
    [record] = operator.side_output(REJECTED)
    assert json.loads(record) == {"reason": "invalid UTF-8: byte 0", "value": "/w=="}


def test_hour_is_emitted_once_it_is_over() -> None:
    """Flights of an hour share a timer at its end; the timer emits the hour and clears the state."""
    operator = delays()
    operator.process(("DTW", TEN + 5 * MINUTE, 20, ""))
    operator.process(("DTW", TEN + 59 * MINUTE, -10, ""))
    operator.process(("LAS", TEN + 59 * MINUTE, 0, ""))
    assert operator.timers(key="DTW") == [TEN + HOUR - 1]
    operator.advance_watermark(TEN + HOUR - 2)
    assert operator.output == []
    operator.advance_watermark(TEN + HOUR - 1)
    detroit, las_vegas = map(json.loads, operator.output)
    assert detroit == {"origin": "DTW", "hour": "2001/01/05 10:00", "flights": 2, "mean_delay": 5.0, "max_delay": 20, "late_share": 0.5}
    assert las_vegas["origin"] == "LAS"
    assert operator.state("hours", key="DTW") == {}


def test_flight_after_its_hour_is_late() -> None:
    """One millisecond before the end of its hour a flight counts; at the end it is late, and leaves no state."""
    flight = ("DTW", TEN + 59 * MINUTE, 0, "as it came")
    operator = delays()
    operator.advance_watermark(TEN + HOUR - 2)
    operator.process(flight)
    assert operator.side_output(LATE) == []
    assert list(operator.state("hours", key="DTW")) == [TEN]
    operator.advance_watermark(TEN + HOUR - 1)
    operator.process(flight)
    assert operator.side_output(LATE) == ["as it came"]
    assert operator.state("hours", key="DTW") == {}


def test_no_hour_is_emitted_twice_after_a_restart() -> None:
    """A restart sets the watermark back; a flight of an hour that was emitted before it is late all the same."""
    before = delays()
    before.process(("DTW", TEN + 5 * MINUTE, 20, ""))
    before.advance_watermark(TEN + HOUR)
    assert len(before.output) == 1
    restarted = delays(before.snapshot())
    restarted.process(("DTW", TEN + 6 * MINUTE, 20, "as it came"))
    restarted.process(("DTW", TEN + HOUR, 20, ""))
    assert restarted.side_output(LATE) == ["as it came"]
    assert list(restarted.state("hours", key="DTW")) == [TEN + HOUR]
