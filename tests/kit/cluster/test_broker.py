"""The broker keeps what it is given, and the topics are read as far as transactions were committed."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from jobkit.cluster import java
from jobkit.cluster.broker import _OWN_PROPERTIES, Broker, is_formatted
from jobkit.cluster.sample import Record
from jobkit.cluster.topics import Topics
from jobkit.cluster.waiting import until
from jobkit.errors import ClusterError
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError


def records(count: int) -> Iterator[Record]:
    """Return records, every third without a key."""
    for number in range(count):
        yield Record(None if number % 3 == 0 else f"key {number % 7}".encode(), str(number).encode())


def nothing(_: int) -> None:
    """Take no notice of progress."""


@pytest.fixture
def topic(topics: Topics) -> str:
    """A topic of its own, with three partitions."""
    name = f"topic-{uuid.uuid4()}"
    topics.create([name], 3)
    return name


def test_what_is_fed_is_read(topics: Topics, topic: str) -> None:
    """Keys and values survive, and the records of a key keep their order."""
    reports: list[int] = []
    assert topics.feed(topic, records(500), 3, reports.append) == 500
    found = topics.read(topic)
    assert sorted(found, key=lambda record: int(record.value)) == list(records(500))
    for number in range(7):
        values = [int(record.value) for record in found if record.key == f"key {number}".encode()]
        assert values == sorted(values)
    assert (reports[0], reports[-1]) == (0, 500)


def test_feeding_goes_on_where_it_stopped(topics: Topics, topic: str) -> None:
    """No record twice and none left out, wherever it stopped."""
    for count in (0, 100, 101, 300):
        assert topics.feed(topic, records(count), 3, nothing) == count
    assert sorted(int(record.value) for record in topics.read(topic)) == list(range(300))


def test_feeding_goes_on_after_a_crash(topics: Topics, topic: str, broker: Broker) -> None:
    """What a killed run has left is no prefix of the records, but one in each partition."""
    producer = KafkaProducer(bootstrap_servers=broker.wait())
    for place, record in enumerate(records(90)):
        if record.key is None and place % 9 == 0:  # partition 0 is ahead of the others
            producer.send(topic, value=record.value, partition=0)
    producer.close()
    ahead = [int(record.value) for record in topics.read(topic)]
    everything = itertools.chain((Record(None, str(n).encode()) for n in range(0, 90, 9)), records(0))
    assert ahead == list(range(0, 90, 9))
    assert topics.feed(topic, everything, 1, nothing) == len(ahead)


def test_making_a_topic_twice_changes_nothing(topics: Topics, topic: str) -> None:
    """A resumed run has its topics already."""
    topics.feed(topic, records(10), 3, nothing)
    topics.create([topic, topic], 3)
    assert len(topics.read(topic)) == 10


def test_only_what_is_asked_for_is_connected(broker: Broker) -> None:
    """kafka-python loses the socket of a client that is closed while it connects: nothing is opened that nobody waits for."""

    def clients() -> int:
        return sum(thread.name.startswith("kafka-io") for thread in threading.enumerate())

    servers, before = broker.wait(), clients()
    with closing(Topics(servers)) as topics:
        topics.names()
        assert clients() == before + 1
    assert clients() == before


SILENCE = """
import socket, sys
from jobkit.cluster import clients
from jobkit.cluster.topics import Topics
from jobkit.errors import ClusterError

with socket.create_server(("127.0.0.1", 0)) as silent:
    topics = Topics(sys.argv[1])
    clients._PATIENCE["bootstrap_timeout_ms"] = 300
    topics.servers = f"127.0.0.1:{silent.getsockname()[1]}"
    for ask in (Topics, lambda _: topics.ends("t"), lambda _: topics.read("t"), lambda _: topics.produce("t", [], 1)):
        try:
            ask(topics.servers)
        except ClusterError as error:
            print(str(error).replace(topics.servers, "SERVERS"))
"""


def test_a_broker_that_answers_nothing(broker: Broker) -> None:
    """It is an error of ours, whichever client finds that out; in a process of its own: kafka-python leaves the sockets open."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", SILENCE, broker.wait()], capture_output=True, text=True, check=True)
    found = done.stdout.splitlines()
    assert len(found) == 4, done.stdout
    assert all(line.startswith("The broker does not answer.") and line.endswith("Where: SERVERS.") for line in found), done.stdout


def test_a_broker_that_misses_its_own_heartbeats(broker_classpath: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without processors to spare: its controller does without it for a moment, and makes no topics."""
    for key, value in {"broker.session.timeout.ms": "1000", "broker.heartbeat.interval.ms": "4000"}.items():
        monkeypatch.setitem(_OWN_PROPERTIES, key, value)
    broker = Broker(tmp_path, classpath=broker_classpath, java=java.find(17))
    refused: list[KafkaError] = []
    with closing(Topics(broker.wait())) as topics:

        def create(missing: list[NewTopic]) -> None:
            try:
                KafkaAdminClient.create_topics(topics._admin, missing)
            except KafkaError as error:
                refused.append(error)
                raise

        monkeypatch.setattr(topics._admin, "create_topics", create)
        numbers = itertools.count()

        def made_after_all() -> bool | None:
            topics.create([f"topic-{next(numbers)}"], 3)
            return bool(refused) or None

        until(made_after_all, what="a topic was not made at once", seconds=120)
        assert topics.names() >= {f"topic-{number}" for number in range(next(numbers))}
    broker.stop()


def test_a_missing_topic_is_an_error(topics: Topics) -> None:
    """The broker makes no topics by itself: a misspelt name shows."""
    with pytest.raises(ClusterError, match="There is no topic nowhere"):
        topics.read("nowhere")


def test_only_committed_records_are_read(topics: Topics, topic: str, broker: Broker) -> None:
    """What an aborted transaction wrote is not part of the result."""
    producer = KafkaProducer(bootstrap_servers=broker.wait(), transactional_id=topic)
    producer.init_transactions()
    for ending in (producer.commit_transaction, producer.abort_transaction, producer.commit_transaction):
        producer.begin_transaction()
        producer.send(topic, value=ending.__name__.encode(), partition=0)
        producer.flush()
        ending()
    producer.close()
    assert [record.value for record in topics.read(topic)] == [b"commit_transaction"] * 2


def test_nothing_is_committed_by_a_group_that_has_not_read(topics: Topics, topic: str) -> None:
    """The beginning of every progress bar."""
    assert topics.committed("nobody", topic) == 0


def test_data_outlives_the_broker_even_a_killed_one(broker_classpath: list[Path], tmp_path: Path) -> None:
    """A run is resumed with a broker that has another port and the same records, however the first one ended."""
    found = java.find(17)
    for round_, count in enumerate((40, 70)):
        broker = Broker(tmp_path, classpath=broker_classpath, java=found)
        topics = Topics(broker.wait())
        topics.create(["kept"], 3)
        assert topics.feed("kept", records(count), 3, nothing) == count
        topics.close()
        if round_ == 0:
            broker.process.kill()
        broker.stop()
    assert is_formatted(broker.data)
    assert list((tmp_path / "tmp").iterdir()) == []
