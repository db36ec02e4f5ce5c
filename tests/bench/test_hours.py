"""The output of the template's own job is checked row by row, and what is late is in no row."""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from bench import flights
from bench.errors import WrongOutput
from bench.hours import ExpectedHours
from bench.tail import Written

BAD = b"no flight"


def flight(origin: str, time: str, delay: int, destination: str = "JFK") -> bytes:
    """Return a record of the input, of the first of January."""
    return json.dumps({"date": f"2001/01/01 {time}", "delay": delay, "distance": 1, "origin": origin, "destination": destination}).encode()


FLIGHTS = [flight("DTW", "00:05", 10), flight("DTW", "00:59", 20), flight("DTW", "01:00", -5), flight("LAS", "00:30", 15)]


def row(origin: str, hour: str, *delays: int, **changes: Any) -> bytes:
    """Return a row for some delays."""
    figures = {"flights": len(delays), "mean_delay": sum(delays) / len(delays), "max_delay": max(delays)}
    share = sum(delay >= 15 for delay in delays) / len(delays)
    return json.dumps({"origin": origin, "hour": f"2001/01/01 {hour}", **figures, "late_share": share, **changes}).encode()


ROWS = [row("DTW", "00:00", 10, 20), row("LAS", "00:00", 15), row("DTW", "01:00", -5)]


def written(values: Iterable[bytes]) -> dict[int, Written]:
    """Return a topic of one partition."""
    kept = list(values)
    return {0: Written(kept, array("q", range(len(kept))), array("q", range(len(kept))))}


REJECTS = written([json.dumps({"reason": "bad", "value": base64.b64encode(BAD).decode()}).encode()])


@pytest.fixture
def expected() -> ExpectedHours:
    """What two partitions give."""
    return ExpectedHours([[*FLIGHTS[:2], BAD], [*FLIGHTS[2:], flight("DTW", "09:00", 0, flights.CLOSING)]])


def check(expected: ExpectedHours, rows: Iterable[bytes], late: Iterable[bytes] = (), **how: bool) -> list[tuple[int, int]]:
    """Check a complete output of one row for each hour, unless told otherwise."""
    return expected.check(written(rows), written(late), REJECTS, **{"once": True, "is_complete": True, **how})


def test_the_right_rows_pass(expected: ExpectedHours) -> None:
    """They say how many flights show from when on; closing flights are none."""
    assert check(expected, ROWS) == [(0, 2), (1, 1), (2, 1)]
    assert (expected.good, expected.total, expected.keys) == (4, 5, 2)
    assert expected.shown(written(ROWS[:2])) == 3


def test_a_late_flight_is_in_no_row(expected: ExpectedHours) -> None:
    """Nor is there a row for an hour all of whose flights were late."""
    assert check(expected, [row("DTW", "00:00", 10), ROWS[1]], [FLIGHTS[1], FLIGHTS[2]]) == [(0, 1), (1, 1)]
    with pytest.raises(WrongOutput, match="row is wrong"):
        check(expected, ROWS, [FLIGHTS[1]])
    with pytest.raises(WrongOutput, match="late too often"):
        check(expected, ROWS, [FLIGHTS[1], FLIGHTS[1]])
    with pytest.raises(WrongOutput, match="late record"):
        check(expected, ROWS, [flight("DTW", "05:00", 1)])


@pytest.mark.parametrize(
    "changes", [{"flights": 3}, {"mean_delay": 14.9}, {"max_delay": 10}, {"late_share": 0.0}, {"mean_delay": None, "flights": 1}]
)
def test_a_wrong_row_is_found(expected: ExpectedHours, changes: dict[str, Any]) -> None:
    """Each of its figures counts."""
    changed = {name: value for name, value in changes.items() if value is not None}
    with pytest.raises(WrongOutput, match="row is wrong"):
        check(expected, [row("DTW", "00:00", 10, 20, **changed), *ROWS[1:]])


def test_a_row_is_there_once_and_none_is_missing(expected: ExpectedHours) -> None:
    """Nor is there one that the input does not give."""
    with pytest.raises(WrongOutput, match="there twice"):
        check(expected, [*ROWS, ROWS[0]])
    with pytest.raises(WrongOutput, match=r"missing.*LAS at 2001/01/01 00:00"):
        check(expected, [ROWS[0], ROWS[2]])
    with pytest.raises(WrongOutput, match="does not give"):
        check(expected, [*ROWS, row("SFO", "00:00", 1)])


def test_of_updates_the_last_one_must_be_right(expected: ExpectedHours) -> None:
    """Those before stand for fewer flights; what is taken back counts for nothing."""
    back = row("DTW", "00:00", 10, diff=-1)
    assert check(expected, [row("DTW", "00:00", 10), back, *ROWS], once=False) == [(0, 1), (2, 1), (3, 1), (4, 1)]
    with pytest.raises(WrongOutput, match="row is wrong"):
        check(expected, [*ROWS, row("DTW", "00:00", 10)], once=False)


def test_a_run_that_was_stopped_may_lack_the_end(expected: ExpectedHours) -> None:
    """Rows, and flights in a row that were not read; but it has none too many."""
    assert check(expected, [row("DTW", "00:00", 10)], is_complete=False) == [(0, 1)]
    with pytest.raises(WrongOutput, match="row is wrong"):
        check(expected, [row("DTW", "00:00", 10, 20, 30)], is_complete=False)


def test_rejected_records_must_be_the_malformed_ones(expected: ExpectedHours) -> None:
    """As for the other jobs."""
    with pytest.raises(WrongOutput, match="rejected record is missing"):
        expected.check(written(ROWS), written([]), written([]), once=True, is_complete=True)


def test_flights_in_time_go_on_after_the_last_one(file: Path) -> None:
    """They begin again half a year later; the last ones, of each origin, end all hours."""
    records = [
        json.loads(record.value)
        for record in flights.in_time(file, 12_000)
        if record.value.startswith(b'{"date') and record.value.endswith(b"}")
    ]
    dates = [record["date"] for record in records]
    assert dates == sorted(dates)
    assert (dates[0], dates[-1]) == ("2001/01/01 00:05", "9999/01/01 00:00")
    assert next(date for date in dates if date > "2001/02") == "2001/07/02 00:05"
    assert [record["origin"] for record in records if record["destination"] == flights.CLOSING] == ["DTW", "LAS", "SFO"]
