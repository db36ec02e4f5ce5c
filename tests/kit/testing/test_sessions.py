"""Test sessions side by side, under pytest-xdist, and after one that was killed; each leaves nothing behind."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from jobkit.cluster.container_session import SESSION
from jobkit.cluster.waiting import until
from jobkit.project import Project

from tests import engine as engines
from tests.kit.cluster.conftest import copy_of_tally, processes_of

SECONDS = 600

CONFTEST = """\
import json
import os
from pathlib import Path

import pytest

pytest_plugins = ["jobkit.testing.plugin"]


@pytest.fixture
def note():
    \"\"\"Tell the outside world something.\"\"\"

    def write(name, **what):
        file = Path(os.environ["NOTES"]) / name
        file.with_suffix(".part").write_text(json.dumps({"pid": os.getpid(), **what}))
        file.with_suffix(".part").rename(file.with_suffix(".json"))

    return write
"""

TESTS = """\
import os
from pathlib import Path

import pytest
from jobkit.cluster.waiting import until
from jobkit.testing import oracles

NOTES = Path(os.environ["NOTES"])


def met():
    return len(list(NOTES.glob("*.json"))) == 3 or None


@pytest.mark.parametrize("own", ["one", "two", "three"])
def test_side_by_side(own, job, kafka, flink, note):
    kafka.produce("words", [own, "all"])
    job.start()
    job.wait_until_processed()
    topics = [topic for topic in kafka._client._admin.list_topics() if not topic.startswith("__")]
    addresses = [flink.broker.servers, flink.broker.job_servers, job.cluster.rest.url]
    note(own, folder=str(flink.folder), own_topics=[*kafka.topics.values()], topics=topics, addresses=addresses)
    until(met, what="the others are here", seconds=600)
    kafka.produce("words", ["all", own])
    oracles.exactly_once(job, "counts", [f"{own} 1", f"{own} 2", "all 1", "all 2"])


def test_killed(job, kafka, flink, new_faults, note):
    if os.geteuid() == 0:
        new_faults(job).small_disk(megabytes=1)
    job.start()
    job.wait_for_checkpoint()
    note("killed", folder=str(flink.folder))
    until(lambda: None, what="this session is killed", seconds=600)


def test_container(flink, note):
    place = flink._backend.place(flink.own_folder("cluster"))
    place.start("taskmanager-1", ["sleep", "600"], log=flink.folder / "out", environment={})
    note("container", folder=str(flink.folder), id=flink._backend._session.id)
    until(lambda: None, what="this session is killed", seconds=600)


def test_next(flink):
    assert flink.own_folder("next").parent == flink.folder
"""

Start = Callable[..., "subprocess.Popen[str]"]


@dataclass(frozen=True)
class Field:
    """A project in which sessions of pytest run.

    Attributes:
        project: The project.
        temporary: The system's folder for temporary files, as they see it.
        notes: The folder in which they say what they are.
    """

    project: Project
    temporary: Path
    notes: Path

    def note(self, name: str) -> dict[str, Any]:
        """Wait for a note, and take it."""
        file = self.notes / f"{name}.json"
        until(lambda: file.exists() or None, what=f"{name} says what it is", seconds=SECONDS)
        note: dict[str, Any] = json.loads(file.read_text())
        file.unlink()
        return note

    def temporary_files(self) -> list[Path]:
        """Return what is in the folder for temporary files, but for what pytest itself keeps there."""
        return [file for file in self.temporary.iterdir() if not file.name.startswith("pytest-of-")]

    def sessions(self) -> list[Path]:
        """Return the folders of sessions that are there."""
        return list((self.project.work / "test").iterdir())


def start(field: Field, *options: str) -> subprocess.Popen[str]:
    """Start a session of pytest."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir=.", "--color=no", *options, "tests"],
        cwd=field.project.root,
        env={**own, "TMPDIR": str(field.temporary), "NOTES": str(field.notes)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def prepare(folder: Path) -> Field:
    """Make a project with the tests above."""
    field = Field(copy_of_tally(folder / "a tally"), folder / "tmp", folder / "notes")
    for each in (field.temporary, field.notes, field.project.root / "tests"):
        each.mkdir()
    (field.project.root / "tests" / "conftest.py").write_text(CONFTEST)
    (field.project.root / "tests" / "test_it.py").write_text(TESTS)
    return field


def listening() -> set[int]:
    """Return all ports of this machine that somebody listens on."""
    return {each.laddr.port for each in psutil.net_connections("tcp") if each.laddr and each.status == psutil.CONN_LISTEN}


def is_free(lock: Path) -> bool:
    """Say whether nobody holds a lock."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def ports_of(processes: list[psutil.Process]) -> set[int]:
    """Return the ports that processes listen on."""
    connections = [each for process in processes for each in process.net_connections("tcp")]
    return {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Field:
    """A project for the sessions with processes."""
    return prepare(tmp_path_factory.mktemp("sessions"))


@dataclass(frozen=True)
class Killed:
    """A session that was killed while its job ran.

    Attributes:
        folder: Its folder.
        processes: How many processes it had.
        ports: The ports that they listened on.
        ports_left: Those of them that somebody listens on when the processes have ended.
        disk: The small disk that was mounted, if any.
        temporary: What was left in the system's folder for temporary files.
    """

    folder: Path
    processes: int
    ports: set[int]
    ports_left: set[int]
    disk: Path | None
    temporary: list[Path]


@pytest.fixture(scope="module")
def killed(field: Field) -> Iterator[Killed]:
    """A session that is killed; its processes have ended when this returns."""
    session = start(field, "--flink-backend=process", "-k", "killed")
    try:
        folder = Path(field.note("killed")["folder"])
        processes = processes_of(folder)
        ports = ports_of(processes)
    finally:
        session.send_signal(signal.SIGKILL)
        session.communicate()
    until(lambda: not processes_of(folder) or None, what="all processes of the session have ended", seconds=60)
    left = ports & listening()
    disk = next((path for path in folder.rglob("disk-*") if path.is_mount()), None)
    yield Killed(folder, len(processes), ports, left, disk, field.temporary_files())
    if disk is not None and disk.is_mount():
        subprocess.run(["umount", disk], check=True)


@pytest.fixture(scope="module")
def notes(field: Field, killed: Killed) -> dict[str, dict[str, Any]]:
    """What three sessions say of themselves that were there at once, two of them workers of one pytest; all tests have passed."""
    assert field.sessions() == [killed.folder]
    sessions = [
        start(field, "--flink-backend=process", "-n", "2", "-k", "one or two"),
        start(field, "--flink-backend=process", "-k", "three"),
    ]
    outputs = [session.communicate(timeout=SECONDS)[0] for session in sessions]
    assert [session.returncode for session in sessions] == [0, 0], "\n".join(outputs)
    assert all("flink: the first test body with a job began after" in output for output in outputs)
    return {name: field.note(name) for name in ("one", "two", "three")}


def test_a_session_that_is_killed_leaves_no_process(killed: Killed) -> None:
    """Broker, JobManager, TaskManagers, Python workers: they end by themselves, and their ports are free."""
    assert killed.processes >= 5
    assert len(killed.ports) >= 5
    assert killed.ports_left == set()
    assert killed.temporary == []


def test_the_next_session_removes_what_is_left_of_a_killed_one(killed: Killed, notes: dict[str, dict[str, Any]]) -> None:
    """Its folder, and the disk that was mounted in it."""
    assert not killed.folder.exists()
    assert {note["folder"] for note in notes.values()}.isdisjoint({str(killed.folder)})
    if os.geteuid() == 0:
        assert killed.disk is not None
        assert not killed.disk.is_mount()


def test_sessions_side_by_side_have_nothing_in_common(notes: dict[str, dict[str, Any]]) -> None:
    """Each of the three has processes, ports, topics and a folder of its own, and an exact answer."""
    assert len({note["pid"] for note in notes.values()}) == 3
    assert len({note["folder"] for note in notes.values()}) == 3
    assert len({address for note in notes.values() for address in note["addresses"]}) == 9
    assert all(sorted(note["topics"]) == sorted(note["own_topics"]) for note in notes.values())


@pytest.mark.usefixtures("notes")
def test_a_session_that_ends_leaves_nothing(field: Field) -> None:
    """No process, no folder, no temporary file, and no logs when all is well."""
    assert processes_of(field.project.root) == []
    assert field.sessions() == []
    assert field.temporary_files() == []
    assert not (field.project.work / "test-results").exists()


def test_a_killed_session_leaves_no_container(tmp_path: Path) -> None:
    """Neither containers nor networks; the next session has its folder, too, removed."""
    field, engine = prepare(tmp_path), engines.require()
    flink, kafka, *_ = engines.images()
    options = ("--flink-backend=docker", f"--job-image={flink}", f"--kafka-image={kafka}")
    session = start(field, *options, "-k", "container")
    try:
        note = field.note("container")
        filters = {"label": f"{SESSION}={note['id']}"}
        assert len(engine.client.containers.list(filters=filters)) == 1
        assert len(engine.client.networks.list(filters=filters)) == 1
    finally:
        session.send_signal(signal.SIGKILL)
        session.communicate()

    # The folder may be removed when nothing writes into it any more, and not before.
    until(lambda: is_free(Path(note["folder"]) / "lock") or None, what="nobody holds the lock of the folder", seconds=120)
    assert engine.client.containers.list(all=True, filters=filters, ignore_removed=True) == []
    assert engine.client.networks.list(filters=filters) == []
    assert field.sessions() == [Path(note["folder"])]
    following = start(field, *options, "-k", "next")
    output, _ = following.communicate(timeout=SECONDS)
    assert following.returncode == 0, output
    assert field.sessions() == []
