"""From one end to the other, when nothing goes wrong but the input."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from jobkit.cluster.sample import Record
from jobkit.testing.job import Job
from jobkit.testing.kafka import Kafka
from jobkit.testing.oracles import exactly_once

from {{ cookiecutter.package_name }}.records import Malformed, parse, rejected

from sample.flights import MALFORMED


def test_real_flights(job: Job, kafka: Kafka, flights: list[Record], differences: Callable[[], Sequence[str]]) -> None:
    """Each flight is counted, late or rejected once, and each hour of each airport is right."""
    kafka.produce("flights", flights[:-100])
    job.start()
    assert differences() == []


def test_poison(job: Job, kafka: Kafka) -> None:
    """Malformed records do not stop the job: each is rejected once, with its reason and its bytes."""
    good = {"date": "2001/01/05 10:47", "delay": 6, "distance": 1, "origin": "DTW", "destination": "LAS"}
    kafka.produce("flights", [*MALFORMED, json.dumps(good)])
    job.start()
    exactly_once(job, "flights-rejected", [rejected(value, reason_of(value)) for value in MALFORMED])
    assert job.restarts == 0


def reason_of(value: bytes) -> str:
    """Return why a record is no flight."""
    try:
        parse(value)
    except Malformed as error:
        return str(error)
    raise AssertionError(value)
