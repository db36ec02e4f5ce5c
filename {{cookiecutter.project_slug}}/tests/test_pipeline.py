"""The whole job, on Flink's mini cluster in this process: flights in, delays out, without Kafka."""

from __future__ import annotations

import json
from pathlib import Path

from jobkit.project import find_project
from jobkit.testing.pipeline import Pipeline

PIPELINE = Pipeline(find_project(Path(__file__)))
ONE_BY_ONE = {"BATCH_MILLISECONDS": "0"}
"""No batches: the watermark passes an hour as soon as a flight shows that it is over, not after the batch."""


def flight(time: str, delay: int, origin: str = "DTW") -> str:
    """Return a flight as it comes from Kafka."""
    fields = {"date": f"2001/01/05 {time}", "delay": delay, "distance": 1750, "origin": origin, "destination": "LAS"}
    return json.dumps(fields)


def test_flights_are_counted_by_airport_and_hour() -> None:
    """An hour comes out once a flight, ten minutes later or more, shows that it is over; the last ones at the end."""
    flights = [flight("10:05", 20), flight("10:59", -10), flight("10:30", 0, "BOS"), flight("11:10", 5)]
    outputs = PIPELINE.run({"flights": flights})
    rows = [json.loads(row) for row in outputs["delay-stats"]]
    assert [(row["origin"], row["hour"], row["flights"]) for row in rows] == [
        ("DTW", "2001/01/05 10:00", 2),
        ("BOS", "2001/01/05 10:00", 1),
        ("DTW", "2001/01/05 11:00", 1),
    ]
    assert (rows[0]["mean_delay"], rows[0]["max_delay"], rows[0]["late_share"]) == (5.0, 20, 0.5)


def test_nothing_is_dropped() -> None:
    """A flight that comes after its hour, and a record that is no flight, come out as they came in."""
    late = flight("10:30", 0)
    outputs = PIPELINE.run({"flights": [flight("10:05", 20), b"\xff", flight("12:00", 0), late]}, environment=ONE_BY_ONE)
    assert outputs["flights-late"] == [late.encode()]
    assert [json.loads(record)["value"] for record in outputs["flights-rejected"]] == ["/w=="]


def test_bounds_come_from_the_environment() -> None:
    """With two hours of patience the same flight is not late."""
    late = flight("10:30", 0)
    flights = [flight("10:05", 20), flight("12:00", 0), late]
    environment = {**ONE_BY_ONE, "FLIGHTS_TOPIC": "departures", "OUT_OF_ORDERNESS_SECONDS": "7200"}
    outputs = PIPELINE.run({"departures": flights}, environment=environment)
    assert outputs["flights-late"] == []
    assert [json.loads(row)["flights"] for row in outputs["delay-stats"]] == [2, 1]
