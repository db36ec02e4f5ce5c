"""Savepoints and stops, by what a JobManager answers: it, and the process that examines a version, are stand-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jobkit.cluster.failure import Failure
from jobkit.cluster.http import NotFound
from jobkit.cluster.rest import Savepoint
from jobkit.deployment import course, savepoints, stopping
from jobkit.deployment.change import Change
from jobkit.deployment.course import Course
from jobkit.deployment.instance import FAILED, RUNNING, STOPPED, Instance
from jobkit.deployment.ledger import Ledger
from jobkit.deployment.savepoints import NotYet
from jobkit.errors import ConfigurationError, JobFailed

from . import ledgers
from .told import Told

ADDRESS = "file:/s/savepoint-abcdef-0123456789ab"


class Rest:
    """Answers what it is told to; remembers the orders."""

    def __init__(self) -> None:
        self.answer: Callable[[], Savepoint | None] = lambda: None
        self.orders: list[dict[str, Any]] = []
        self.newest: str | None = None
        self.removed: list[str] = []
        self.entries: list[dict[str, Any] | None] = []
        self.tasks = (2, 2)

    def begin_savepoint(self, job: str, folder: str, trigger: str, *, is_native: bool = False) -> None:
        """Take an order."""
        self.orders.append({"job": job, "folder": folder, "order": trigger, "native": is_native})

    def begin_stop(self, job: str, folder: str, trigger: str, *, is_native: bool = False) -> None:
        """Take an order."""
        self.begin_savepoint(job, folder, trigger, is_native=is_native)

    def ordered_savepoint(self, job: str, order: str) -> Savepoint | None:
        """Say what became of it."""
        del job, order
        return self.answer()

    def newest_snapshot(self, job: str) -> str | None:
        """Return the newest."""
        del job
        return self.newest

    def dispose(self, savepoint: str) -> str:
        """Remove one."""
        self.removed.append(savepoint)
        return "order"

    def disposed(self, savepoint: str, order: str) -> Savepoint:
        """It is."""
        del order
        return Savepoint(savepoint)

    def under_way(self, job: str) -> dict[str, Any] | None:
        """Return what is being taken."""
        del job
        return self.entries.pop(0) if self.entries else None

    def running_tasks(self, job: str) -> tuple[int, int]:
        """Return how many run."""
        del job
        return self.tasks


class Scene:
    """A change, and a version that runs."""

    def __init__(self, change: Change, instance: Instance, told: Told) -> None:
        self.change, self.told, self.rest = change, told, Rest()
        self.locked: list[str] = []
        self.state = "RUNNING"
        self.there: dict[str, int] = {}
        self.version: Any = SimpleNamespace(
            uid=instance.uid,
            instance=instance,
            target=SimpleNamespace(rest=self.rest, state=lambda _: self.state, end=lambda _: None),
            keep_lock=self.locked.append,
            snapshots_folder=lambda _: "file:/s",
            examiner=SimpleNamespace(savepoints=lambda _: list(self.there), times=lambda _: self.there, remove_lock=lambda _: None),
        )

    def outcomes(self) -> list[str | None]:
        """Return how the operations ended, the newest first."""
        return [operation.outcome for operation in self.change.ledger.operations(ledgers.DEPLOYMENT)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A version that runs."""
    ledger = Ledger.open(str(tmp_path / "ledger"))
    ledger.keep_artefact(ledgers.digest(0), ledgers.content(0))
    told = Told()
    with ledger.lease(ledgers.DEPLOYMENT, "savepoint") as lease:
        yield Scene(Change(ledger, lease, told, tmp_path), ledger.add(ledgers.entry(status=RUNNING), lease), told)
    ledger.close()


def test_a_savepoint_that_takes_longer_is_waited_for_the_next_time(scene: Scene) -> None:
    """It has been ordered once, with an id that is told; the lock is put beside it when it is complete."""
    with pytest.raises(NotYet, match=r"not complete after 0 s.*Flink goes on with it. Found: order [0-9a-f]{32}") as late:
        savepoints.take(scene.change, scene.version, 0.01, native=True)
    assert late.value.exit_code == 1
    assert scene.outcomes() == [savepoints.UNDER_WAY]
    scene.rest.answer = lambda: Savepoint(ADDRESS)
    assert savepoints.take(scene.change, scene.version, 10) == ADDRESS
    assert [order["native"] for order in scene.rest.orders] == [True], "no second one"
    assert scene.locked == [ADDRESS]
    assert "is waited for" in scene.told.said[-1]


def test_a_savepoint_that_was_complete_long_ago_is_found_in_its_folder(scene: Scene) -> None:
    """Flink forgets an order after five minutes; without it, and without a savepoint, another one is taken."""

    def forgotten() -> Savepoint:
        raise NotFound("The JobManager does not know what it was asked for.")

    with pytest.raises(NotYet):
        savepoints.take(scene.change, scene.version, 0.01)
    scene.rest.answer = forgotten
    scene.there = {"file:/s/savepoint-000000-0": 5, ADDRESS: 4_000_000_000_000}
    assert savepoints.take(scene.change, scene.version, 10) == ADDRESS
    assert len(scene.rest.orders) == 1


def test_a_savepoint_that_fails_is_said(scene: Scene) -> None:
    """The next one is another order."""
    scene.rest.answer = lambda: Savepoint(failure=Failure("no space"))
    with pytest.raises(JobFailed, match="no space"):
        savepoints.take(scene.change, scene.version, 10)
    scene.rest.answer = lambda: Savepoint(ADDRESS)
    assert savepoints.take(scene.change, scene.version, 10) == ADDRESS
    assert scene.outcomes() == [f"completed: {ADDRESS}", "failed: no space"]
    assert len(scene.rest.orders) == 2


def test_what_the_job_was_started_from_is_kept_until_it_has_a_checkpoint(scene: Scene) -> None:
    """From then on it is only the way back, which is said; of a job that is over, nothing needs it."""
    started = replace(scene.version.instance, snapshot=ADDRESS)

    class Held:
        """The version, as a context."""

        target, uid, instance, examiner = scene.version.target, started.uid, started, scene.version.examiner

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing."""

    change: Any = SimpleNamespace(version=lambda _: Held(), tell=scene.change.tell)
    scene.rest.newest = f"file://{ADDRESS.removeprefix('file:')}"
    with pytest.raises(ConfigurationError, match="no checkpoint of its own yet"):
        savepoints.dispose(change, started, ADDRESS)
    assert scene.rest.removed == []
    scene.rest.newest = "file:/c/chk-1"
    savepoints.dispose(change, started, ADDRESS)
    assert "the way back" in scene.told.said[-1]
    savepoints.dispose(change, replace(started, status=STOPPED), ADDRESS)
    assert scene.rest.removed == [ADDRESS] * 2


@pytest.mark.parametrize(
    ("state", "status", "what"),
    [
        ("RUNNING", RUNNING, "The savepoint failed; the job runs on."),
        ("FAILING", RUNNING, "The savepoint failed; the job is FAILING."),
        ("FINISHED", STOPPED, "The job has ended while it was stopped."),
        ("FAILED", FAILED, "The job has ended while it was stopped."),
    ],
)
def test_a_stop_that_fails_says_what_became_of_the_job(scene: Scene, state: str, status: str, what: str) -> None:
    """A bounded job that came to its end meanwhile has not failed."""
    scene.state = state
    scene.rest.answer = lambda: Savepoint(failure=Failure("declined"))
    operation = scene.change.begin("stop", {"old": scene.version.uid, "order": "1", "folder": "file:/s/stop"})
    with pytest.raises(Exception, match=what.replace(".", r"\.")):
        stopping.carry_out(scene.change, operation, scene.version)
    found = scene.change.ledger.instance(scene.version.uid)
    assert found.status == status
    assert (found.ending or "").startswith({"FINISHED": "came to the end", "FAILED": "failed while"}.get(state, ""))


def test_what_takes_long_is_shown(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that run, then the subtasks of a checkpoint; every half a minute as a line, which logs keep."""
    moment = 0.0

    def clock() -> float:
        nonlocal moment
        moment += 10
        return moment

    monkeypatch.setattr(course, "time", SimpleNamespace(monotonic=clock))
    watch = Course(scene.change, scene.version)
    scene.rest.tasks = (1, 2)
    watch.starting()
    scene.rest.tasks = (2, 2)
    scene.rest.entries = [
        {"id": 7, "num_acknowledged_subtasks": 1, "num_subtasks": 4, "checkpointed_size": 3 << 20},
        None,
        {"id": 8, "num_acknowledged_subtasks": 3, "num_subtasks": 4, "checkpointed_size": None},
    ]
    for _ in range(3):
        watch.starting()
    scene.rest.entries = [{"id": 9, "num_acknowledged_subtasks": 2, "num_subtasks": 4, "checkpointed_size": 9 << 20}]
    watch.taking_savepoint()
    assert scene.told.shown == [
        ("tasks that run", 1, 2),
        ("checkpoint: subtasks", 1, 4),
        ("checkpoint: subtasks", 3, 4),
        ("savepoint: subtasks", 2, 4),
    ]
    assert any("MiB, after" in line for line in scene.told.said)
