"""A broker in a container keeps its address and its data, and can be cut off from the job alone."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobkit.cluster import container_broker
from jobkit.cluster.container_broker import ContainerBroker
from jobkit.cluster.container_place import ContainerPlace
from jobkit.cluster.container_session import ContainerSession
from jobkit.cluster.machine import free_port
from jobkit.cluster.sample import Record
from jobkit.cluster.topics import Topics
from jobkit.cluster.waiting import until
from jobkit.testing.backends import KafkaBroker

from tests.engine import VERSIONS, require

FLINK = VERSIONS["2.2"]["image"]
KAFKA = f"apache/kafka:{VERSIONS['2.2']['kafka']}"
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()"


@pytest.fixture(scope="module")
def session() -> Iterator[ContainerSession]:
    """A session for all tests."""
    session = ContainerSession(require())
    yield session
    session.stop()


@pytest.fixture(scope="module")
def broker(session: ContainerSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerBroker]:
    """A broker that serves clients."""
    broker = ContainerBroker(tmp_path_factory.mktemp("broker"), image=KAFKA, session=session)
    broker.wait()
    yield broker
    broker.stop()


@pytest.fixture
def place(session: ContainerSession, tmp_path: Path) -> ContainerPlace:
    """Where the job would be."""
    return ContainerPlace(tmp_path, image=FLINK, session=session)


def job_reaches(broker: ContainerBroker, place: ContainerPlace, folder: Path) -> bool:
    """Say whether a container in the job's network can connect to the broker, at the job's address of it."""
    command = ["python3", "-c", CONNECT, *broker.job_servers.split(":")]
    member = place.start("client", command, log=folder / "client.out", environment={})
    code = until(lambda: member.exit_code, what="the attempt is over", seconds=60)
    member.stop()
    return code == 0


def machine_reaches(broker: ContainerBroker) -> bool:
    """Say whether this machine can read from the broker."""
    topics = Topics(broker.servers)
    try:
        return topics.read("words") is not None
    finally:
        topics.close()


def test_it_is_a_broker(broker: ContainerBroker) -> None:
    """What a backend needs of a broker is all there: the type checker reads this."""
    here: KafkaBroker = broker
    assert here.servers.startswith("127.0.0.1:")
    assert not here.job_servers.startswith("127.0.0.1:")


def test_it_keeps_address_and_data(broker: ContainerBroker) -> None:
    """Clients find it where it was, and what was written is there."""
    records = [Record(None, f"{number}".encode()) for number in range(100)]
    topics = Topics(broker.servers)
    topics.create(["words"], 2)
    assert topics.feed("words", iter(records), 2, lambda _: None) == 100
    topics.close()  # a client that goes on trying while there is no broker leaves sockets open
    pid, servers = broker.member.pid, broker.servers
    broker.restart()
    assert broker.servers == servers
    assert broker.member.pid != pid
    topics = Topics(servers)
    assert sorted(int(record.value) for record in topics.read("words")) == list(range(100))
    topics.close()
    assert any(broker.data.iterdir())


def test_only_the_job_is_cut_off(broker: ContainerBroker, place: ContainerPlace, tmp_path: Path) -> None:
    """This machine goes on reading, also when the broker is restarted meanwhile."""
    topics = Topics(broker.servers)
    topics.create(["words"], 2)
    topics.close()
    assert job_reaches(broker, place, tmp_path)
    broker.disconnect()
    broker.disconnect()
    assert not job_reaches(broker, place, tmp_path)
    assert machine_reaches(broker)
    broker.restart()
    assert not job_reaches(broker, place, tmp_path)
    assert machine_reaches(broker)
    broker.connect()
    broker.connect()
    assert job_reaches(broker, place, tmp_path)
    assert machine_reaches(broker)


def test_a_port_that_is_taken_meanwhile(session: ContainerSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one is tried."""
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        ports = [somebody.getsockname()[1]]
        monkeypatch.setattr(container_broker, "free_port", lambda: ports.pop() if ports else free_port())
        broker = ContainerBroker(tmp_path, image=KAFKA, session=session)
        assert not ports
    assert broker.wait() == broker.servers
    broker.stop()
    assert all(file.stat().st_uid == os.getuid() for file in tmp_path.rglob("*"))
