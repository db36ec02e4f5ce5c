"""Containers do what processes do: they are killed, frozen and stopped, reach one another, and nothing of them stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests
from jobkit.cluster.container import Container
from jobkit.cluster.container_place import ContainerPlace
from jobkit.cluster.container_session import SESSION, ContainerSession, sweep
from jobkit.cluster.engine import Engine
from jobkit.cluster.place import Member, Place
from jobkit.cluster.waiting import until
from jobkit.errors import ClusterError
from testcontainers.core.config import testcontainers_config

from tests.engine import VERSIONS, require

FLINK = VERSIONS["2.2"]["image"]
COUNTER = "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.05; done"
POLITE = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"

SESSION_OF_ITS_OWN = """
import sys
from pathlib import Path
from jobkit.cluster.container_place import ContainerPlace
from jobkit.cluster.container_session import ContainerSession
from jobkit.cluster.engine import require
session = ContainerSession(require())
place = ContainerPlace(Path(sys.argv[1]), image=sys.argv[2], session=session)
place.start("taskmanager-1", ["sleep", "600"], log=Path(sys.argv[1]) / "out", environment={})
print(session.id, session._watchdog.pid, flush=True)
sys.stdin.read()
"""
"""A program that starts a container, and ends, when it is told to, without having cleaned up."""


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine, with the images."""
    return require()


@pytest.fixture(scope="module")
def session(engine: Engine) -> Iterator[ContainerSession]:
    """A session for all tests."""
    session = ContainerSession(engine)
    yield session
    session.stop()
    assert left(engine, session.id) == []


@pytest.fixture
def place(session: ContainerSession, tmp_path: Path) -> ContainerPlace:
    """A place with a folder of its own, whose name is no easy one."""
    return ContainerPlace(tmp_path / "a folder", image=FLINK, session=session)


@pytest.fixture
def start(place: ContainerPlace, tmp_path: Path) -> Iterator[Callable[..., Container]]:
    """A function that starts a shell script."""
    folder = tmp_path / "a folder"
    started = []

    def run(script: str, name: str = "taskmanager-1", ports: tuple[int, ...] = ()) -> Container:
        variables = place.environment(folder / "tmp")
        started.append(place.start(name, ["sh", "-c", script], log=folder / "logs" / f"{name}.out", environment=variables, ports=ports))
        return started[-1]

    yield run
    for container in started:
        container.kill()
        container.stop()


def wait_for(member: Member, text: str) -> None:
    """Wait until a member has printed a text."""
    until(lambda: text in member.output() or None, what=f"it prints {text}", seconds=60)


def wait_for_end(member: Member) -> int:
    """Wait until a member has ended, and return its exit code."""
    return until(lambda: member.exit_code, what="it ends", seconds=60)


def left(engine: Engine, session: str) -> list[str]:
    """Return the names of what a session has at the engine."""
    filters = {"label": f"{SESSION}={session}"}
    found = engine.client.containers.list(all=True, filters=filters, ignore_removed=True)
    return [each.name for each in (*found, *engine.client.networks.list(filters=filters))]


def status(session: ContainerSession, container: Container) -> str:
    """Return what the engine says of a container."""
    return str(session.engine.client.containers.get(container.id).status)


def test_it_is_a_place(place: ContainerPlace, start: Callable[..., Container]) -> None:
    """What a cluster needs of a place and its members is all there: the type checker reads this."""
    here: Place = place
    member: Member = start("echo ready")
    assert here.home == "/opt/flink"
    assert member.name == "the taskmanager-1"
    assert wait_for_end(member) == 0


def test_testcontainers_is_left_as_it_is(start: Callable[..., Container]) -> None:
    """A project's tests may use it for other things, which its own container cleans up."""
    before = testcontainers_config.ryuk_disabled
    start("true")
    assert testcontainers_config.ryuk_disabled is before


def test_output_and_exit_code_are_kept(start: Callable[..., Container]) -> None:
    """What a command says is in its log, also when the container is gone."""
    member = start("echo out; echo err >&2; exit 7")
    assert wait_for_end(member) == 7
    assert member.pid is None
    with pytest.raises(ClusterError, match="exit code 7") as caught:
        member.require_running()
    assert caught.value.found == "out\nerr"
    assert member.stop() == 7
    assert member.output() == "out\nerr\n"
    assert member.exit_code == 7


def test_a_command_that_is_not_there(place: ContainerPlace, tmp_path: Path) -> None:
    """It ends as a shell's does, and says so in its log."""
    member = place.start("client", ["nonsense"], log=tmp_path / "a folder" / "out", environment={})
    assert wait_for_end(member) == 127
    assert "nonsense" in member.last_lines()
    member.stop()


def test_what_the_engine_refuses(session: ContainerSession, tmp_path: Path) -> None:
    """Its reason is told, and no half-made container stays."""
    place = ContainerPlace(tmp_path, image=FLINK, session=session)
    with pytest.raises(ClusterError, match=r"the client cannot be started in a container\. Found: .*[Pp]ort"):
        place.start("client", ["true"], log=tmp_path / "out", environment={}, ports=[70000])
    assert not [name for name in left(session.engine, session.id) if "client" in name]


def test_it_runs_as_this_user(start: Callable[..., Container], tmp_path: Path) -> None:
    """What it writes into the folder is this user's, and its process is one of this machine's."""
    member = start(f"touch '{tmp_path}/a folder/made' \"$TMPDIR/made\"; {POLITE}")
    wait_for(member, "ready")
    for file in (tmp_path / "a folder" / "made", tmp_path / "a folder" / "tmp" / "made"):
        assert file.stat().st_uid == os.getuid()
    assert member.pid
    assert psutil.Process(member.pid).uids().real == os.getuid()


def test_stop_lets_it_end_by_itself(start: Callable[..., Container]) -> None:
    """SIGTERM comes first."""
    member = start(POLITE)
    wait_for(member, "ready")
    assert member.stop() == 3
    assert member.last_lines(1) == "bye"


def test_what_ignores_sigterm_is_killed(start: Callable[..., Container]) -> None:
    """Stopping always comes to an end."""
    member = start(STUBBORN)
    wait_for(member, "ready")
    assert member.stop() == 128 + signal.SIGKILL


def test_kill_is_sigkill(start: Callable[..., Container]) -> None:
    """It cannot clean up, and it is gone when the call returns."""
    member = start(POLITE)
    wait_for(member, "ready")
    pid = member.pid
    member.kill()
    assert member.exit_code == 128 + signal.SIGKILL
    assert "bye" not in member.output()
    assert pid
    assert not psutil.pid_exists(pid)


def test_pause_and_resume(start: Callable[..., Container], session: ContainerSession) -> None:
    """While it is paused it prints nothing; then it goes on."""
    member = start(COUNTER)
    wait_for(member, "line 3")
    member.pause()
    frozen = member.output()
    assert status(session, member) == "paused"
    assert member.exit_code is None
    other = start(COUNTER, name="taskmanager-2")
    wait_for(other, "line 10")  # time goes by
    assert member.output() == frozen
    member.resume()
    until(lambda: len(member.output()) > len(frozen) or None, what="it goes on", seconds=60)


def test_what_is_paused_can_be_killed_and_stopped(start: Callable[..., Container]) -> None:
    """A fault that nobody has undone stands in nobody's way."""
    first, second = start(POLITE), start(POLITE, name="taskmanager-2")
    for member in (first, second):
        wait_for(member, "ready")
        member.pause()
    first.kill()
    assert first.exit_code == 128 + signal.SIGKILL
    assert second.stop() == 3


def test_restart_brings_it_back(start: Callable[..., Container]) -> None:
    """The same command once more; its output begins anew, after what is in the log."""
    member = start(f"echo start $$; {POLITE}")
    wait_for(member, "ready")
    member.kill()
    member.restart()
    wait_for(member, "ready")
    assert member.exit_code is None
    assert member.output().count("ready") == 1
    assert member.log.read_text().count("ready") == 2


def test_this_machine_and_the_other_members_reach_it(
    place: ContainerPlace, start: Callable[..., Container], session: ContainerSession
) -> None:
    """By a port of 127.0.0.1 that the kernel chose, and by name."""
    member = start("echo hello >/tmp/hello; cd /tmp; exec python3 -m http.server 8081", name="jobmanager-2", ports=(8081,))
    address = until(lambda: place.address(member, 8081), what="it listens", seconds=60)
    assert requests.get(f"{place.url(member, 8081)}/hello", timeout=60).text == "hello\n"
    bound = session.engine.client.containers.get(member.id).attrs["NetworkSettings"]["Ports"]["8081/tcp"]
    assert [each["HostIp"] for each in bound] == ["127.0.0.1"]
    read = "import sys, urllib.request as r; sys.stdout.write(r.urlopen(sys.argv[1]).read().decode())"
    for host in (address, f"{place.configuration['rest.address']}:8081"):
        asking = start(f"exec python3 -c '{read}' http://{host}/hello", name="client")
        assert (wait_for_end(asking), asking.output()) == (0, "hello\n")
    with pytest.raises(ClusterError, match="Port 9999 of the jobmanager-2 cannot be reached"):
        member.port(9999)


def test_two_clusters_do_not_meet(
    place: ContainerPlace, start: Callable[..., Container], session: ContainerSession, tmp_path: Path
) -> None:
    """Each has its own `jobmanager`, though they share the session's network."""
    other = ContainerPlace(tmp_path / "other", image=FLINK, session=session)
    assert other.configuration["jobmanager.rpc.address"] != place.configuration["jobmanager.rpc.address"]
    start("echo ready; sleep 600", name="jobmanager")
    member = other.start("client", ["getent", "hosts", other.configuration["rest.address"]], log=tmp_path / "other" / "out", environment={})
    assert wait_for_end(member) != 0
    member.stop()


def test_a_session_that_was_killed_leaves_nothing(
    engine: Engine, session: ContainerSession, start: Callable[..., Container], tmp_path: Path
) -> None:
    """SIGKILL lets it do nothing; the watchdog does it, and leaves another session's containers alone."""
    mine = start(POLITE)
    with begin(tmp_path / "killed") as parent:
        identity, _ = read_identity(parent)
        assert len(left(engine, identity)) == 2
        parent.kill()
    until(lambda: left(engine, identity) == [] or None, what="everything is removed", seconds=90)
    assert mine.exit_code is None
    assert left(engine, session.id)


def test_the_next_session_cleans_up_when_the_watchdog_was_killed_too(
    engine: Engine, session: ContainerSession, start: Callable[..., Container], tmp_path: Path
) -> None:
    """As after a power cut. What belongs to processes that live is left alone."""
    mine = start(POLITE)
    with begin(tmp_path / "lives") as living:
        alive, _ = read_identity(living)
        with begin(tmp_path / "killed") as parent:
            identity, watchdog = read_identity(parent)
            os.kill(int(watchdog), signal.SIGKILL)
            parent.kill()
        assert len(left(engine, identity)) == 2
        sweep(engine)
        assert left(engine, identity) == []
        assert len(left(engine, alive)) == 2
        living.kill()
    until(lambda: left(engine, alive) == [] or None, what="everything is removed", seconds=90)
    assert mine.exit_code is None
    assert left(engine, session.id)


def begin(folder: Path) -> subprocess.Popen[str]:
    """Begin a session in a process of its own."""
    command = [sys.executable, "-c", SESSION_OF_ITS_OWN, str(folder), FLINK]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def read_identity(parent: subprocess.Popen[str]) -> list[str]:
    """Return a session's id and the process id of its watchdog."""
    assert parent.stdout
    return parent.stdout.readline().split()
