"""What the job put aside is sent again, each record once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from jobkit.errors import ConfigurationError
from jobkit.testing.kafka import Kafka

from {{ cookiecutter.package_name }} import replay
from {{ cookiecutter.package_name }}.records import original, rejected
from {{ cookiecutter.package_name }}.settings import Settings

from sample.flights import MALFORMED

FLIGHT = b'{"date":"2001/01/05 10:47","delay":6,"distance":1,"origin":"DTW","destination":"LAS"}'


@pytest.fixture
def send_again(kafka: Kafka) -> Callable[..., int]:
    """A function that sends the rejected records to the topic of flights."""
    settings = Settings.from_environment({**kafka.environment, "KAFKA_BOOTSTRAP_SERVERS": kafka.servers})

    def send(*, from_beginning: bool = False) -> int:
        source, target = settings.rejected_topic, settings.flights_topic
        return replay.replay(settings, source, original, target, from_beginning=from_beginning)

    return send


def test_each_record_is_sent_once(kafka: Kafka, send_again: Callable[..., int]) -> None:
    """A later call sends what has come since, byte for byte; a flight, which an earlier parser did not know, gets its key."""
    values = [*MALFORMED, FLIGHT]
    kafka.produce("flights-rejected", [rejected(value, "a reason") for value in values])
    assert send_again(from_beginning=True) == len(values)
    assert send_again() == 0
    kafka.produce("flights-rejected", [rejected(b"more", "a reason")])
    assert send_again() == 1
    records = kafka.records("flights")
    assert sorted(record.value for record in records) == sorted([*values, b"more"])
    assert [record.key for record in records if record.value == FLIGHT] == [b"DTW"]
    assert send_again(from_beginning=True) == len(values) + 1


def test_nothing_is_sent_twice_by_mistake(kafka: Kafka, send_again: Callable[..., int]) -> None:
    """When Kafka does not know what was sent: it forgets that after a week."""
    kafka.produce("flights-rejected", [rejected(b"x", "a reason")])
    with pytest.raises(ConfigurationError, match=r"not known which records were sent before.*--from-beginning"):
        send_again()
    assert kafka.records("flights") == []


def test_a_record_of_somebody_else_is_named(kafka: Kafka, send_again: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """It stays where it is, and holds nothing up."""
    kafka.produce("flights-rejected", [b"not the job's", rejected(b"x", "a reason")])
    assert send_again(from_beginning=True) == 1
    assert "the job has not written it: topic flights-rejected-" in capsys.readouterr().err
    assert kafka.values("flights") == [b"x"]
