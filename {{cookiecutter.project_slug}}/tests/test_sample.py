"""The judge of local runs finds what is wrong."""

from __future__ import annotations

import json
from itertools import islice

import pytest
from jobkit.cluster.sample import Record

from {{ cookiecutter.package_name }}.records import Malformed, parse, rejected
from {{ cookiecutter.package_name }}.settings import Settings

from sample.flights import KINDS, MALFORMED, Flights

DAY = 24 * 60 * 60 * 1000
FLIGHT = {"date": "2001/01/05 10:47", "delay": 66, "distance": 1750, "origin": "DTW", "destination": "LAS"}
ROW = {"origin": "DTW", "hour": "2001/01/05 10:00", "flights": 2, "mean_delay": 66.0, "max_delay": 66, "late_share": 1.0}


@pytest.fixture
def topics() -> dict[str, list[Record]]:
    """Return a correct run: two equal flights counted, one late, every malformed record rejected."""
    flight, late = json.dumps(FLIGHT).encode(), json.dumps({**FLIGHT, "date": "2000/12/31 23:59"}).encode()
    reasons = [(value, f"{kind}: detail") for value, kind in MALFORMED.items()]
    return {
        "flights": [Record(b"DTW", value) for value in (flight, flight, late, *MALFORMED)],
        "delay-stats": [Record(None, json.dumps(ROW).encode())],
        "flights-late": [Record(None, late)],
        "flights-rejected": [Record(None, rejected(value, reason).encode()) for value, reason in reasons],
    }


def differences(topics: dict[str, list[Record]]) -> list[str]:
    """Return what the judge finds."""
    return list(Flights(Settings()).judge(topics["flights"], topics).differences)


def test_correct_run_has_no_differences(topics: dict[str, list[Record]]) -> None:
    """A correct run is found correct, and counted."""
    verdict = Flights(Settings()).judge(topics["flights"], topics)
    assert verdict.differences == []
    malformed = len(MALFORMED)
    assert verdict.counts == {"fed": malformed + 3, "counted": 2, "late": 1, "rejected": malformed, "hours": 1}


@pytest.mark.parametrize("topic", ["flights", "delay-stats", "flights-late", "flights-rejected"])
def test_lost_record_is_found(topics: dict[str, list[Record]], topic: str) -> None:
    """A record that is missing from any topic is found."""
    topics[topic] = topics[topic][1:]
    assert differences(topics)


@pytest.mark.parametrize("topic", ["flights", "delay-stats", "flights-late", "flights-rejected"])
def test_doubled_record_is_found(topics: dict[str, list[Record]], topic: str) -> None:
    """A record that is in any topic once too often is found."""
    topics[topic] = [*topics[topic], topics[topic][0]]
    assert differences(topics)


@pytest.mark.parametrize("field", ["flights", "mean_delay", "max_delay", "late_share"])
def test_wrong_number_is_found(topics: dict[str, list[Record]], field: str) -> None:
    """A row with a wrong number is found."""
    topics["delay-stats"] = [Record(None, json.dumps({**ROW, field: -1}).encode())]
    assert len(differences(topics)) == 1


def test_wrong_reason_is_found(topics: dict[str, list[Record]]) -> None:
    """A record that was rejected for another reason is found."""
    topics["flights-rejected"][0] = Record(None, rejected(next(iter(MALFORMED)), "null field: delay").encode())
    assert len(differences(topics)) == 1


def test_sample_holds_every_kind() -> None:
    """The sample is 20,000 flights, duplicates, late flights, and malformed records of every kind."""
    values = [record.value for record in Flights(Settings()).records()]
    kinds = {MALFORMED[value] for value in values if value in MALFORMED}
    assert kinds == KINDS
    flights = [parse(value) for value in values if value not in MALFORMED]
    assert len({flight.original for flight in flights}) == 20_000
    assert len(flights) > 20_000
    assert len(values) == len(Flights(Settings()))


def test_sample_goes_on_without_end() -> None:
    """Each day has all flights, in the order of time but for the late ones, and is a day later than the one before."""
    sample = Flights(Settings())
    flights = sum(record.value not in MALFORMED for record in sample.records())
    values = [record.value for record in islice(sample.endless(), 3 * flights)]
    departures = [parse(value).departure for value in values if value not in MALFORMED]
    first, second = departures[:flights], departures[flights : 2 * flights]
    assert {after - before for before, after in zip(first, second, strict=True)} == {DAY}
    latest, late = first[0], 0
    for departure in first:
        late += departure < latest - DAY / 2
        latest = max(latest, departure)
        assert departure == latest or departure < latest - DAY / 2
    assert late == len(range(1, flights, 499))
    assert set(MALFORMED) <= set(values)


@pytest.mark.parametrize("value", MALFORMED)
def test_parser_and_judge_agree(value: bytes) -> None:
    """The job names the kind of mistake that the sample was made with."""
    with pytest.raises(Malformed, match=f"^{MALFORMED[value]}"):
        parse(value)
