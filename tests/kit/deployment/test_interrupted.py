"""`kill -9` of a command at every step: the next one finishes what was begun or takes it back, and nothing is left in between."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from jobkit.cluster.waiting import until
from jobkit.deployment.instance import Instance, Operation

from .kills import Seen, kill_when, step
from .stage import FUNCTIONS, OPEN, SECONDS, Deployment, Stage, stage


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A session cluster that is highly available, and a broker."""
    with stage(tmp_path_factory.mktemp("available"), more={"high-availability.type": "zookeeper"}) as prepared:
        yield prepared


@pytest.fixture(scope="module")
def job(theatre: Stage) -> Deployment:
    """A job that runs; each test upgrades it once more."""
    deployment = theatre.deployment()
    deployment.send(["a", "b"])
    deployment.ok("deploy", "--without-state")
    return deployment


STEPS: dict[str, Seen] = {
    "before anything": lambda operation, found: operation is None and found[0].status == "PREPARED",
    "the old version is being stopped": lambda operation, _: step(operation, "STOPPING"),
    "the old version is stopped": lambda operation, _: step(operation, "STARTING", "stopped"),
    "the new version is being started": lambda operation, found: step(operation, "STARTING", "begin") and found[0].status == "STARTING",
}


def require_order(job: Deployment) -> None:
    """Require one job that runs, which the ledger knows, nothing unfinished, and each record once."""
    instances = job.instances()
    running = [instance["uid"] for instance in instances if instance["status"] not in ("STOPPED", "FAILED", "ABANDONED")]
    assert job.running() == running
    assert len(running) == 1
    with job.ledger() as ledger:
        assert ledger.unfinished("ordinals/test") is None
    job.send(["a", "c"])
    job.expect_all()


def test_an_upgrade_that_is_killed_at_every_step_is_finished(job: Deployment) -> None:
    """Each command takes up what the one before has left, and is killed at the next step; the last one finishes it."""
    job.version("killed")
    for seen in STEPS.values():
        kill_when(job, seen, "upgrade")

    def known(_: Operation | None, instances: list[Instance]) -> bool:
        return instances[0].status == "STARTING" and job.stage.cluster.rest.jobs().get(instances[0].uid) is not None

    kill_when(job, known, "upgrade")
    done = job.jobkit("upgrade")
    assert done.returncode == 0, done.stderr
    assert "taking up the upgrade" in done.stderr
    require_order(job)
    assert "killed" in {version for *_, version in job.read()}
    statuses = [instance["status"] for instance in job.instances()]
    assert statuses == ["RUNNING", "ABANDONED", "STOPPED"], "given up: what was killed before anything; what runs already is no instance"


def test_a_roll_back_that_is_killed_at_every_step_is_finished(job: Deployment) -> None:
    """The old version runs again; the command that finishes it says so."""
    before = (job.root / FUNCTIONS).read_text()
    job.replace(FUNCTIONS, OPEN, f"        raise LookupError('not today')\n{OPEN}")
    for detail in ("reason", "back"):
        kill_when(job, partial(at_roll_back, detail), "upgrade")
    (job.root / FUNCTIONS).write_text(before)
    done = job.jobkit("upgrade")
    assert done.returncode == 1
    assert "the old one runs again" in done.stderr
    assert "not today" in done.stderr
    require_order(job)


def at_roll_back(detail: str, operation: Operation | None, _: list[Instance]) -> bool:
    """Say whether an operation is being taken back, with a detail."""
    return step(operation, "ROLLING_BACK", detail)


def test_a_rollback_that_is_killed_is_finished_by_another_and_goes_back_once(job: Deployment) -> None:
    """The version before runs, and not the one before that."""
    job.version("rolled back")
    (before,) = [instance["specification"]["artefact"] for instance in job.instances() if instance["status"] == "RUNNING"]
    job.ok("upgrade")
    kill_when(job, STEPS["the old version is stopped"], "rollback")
    job.ok("rollback")
    require_order(job)
    assert job.instances()[0]["specification"]["artefact"] == before


def test_a_job_manager_that_is_replaced_interrupts_no_upgrade(job: Deployment) -> None:
    """With high availability the next one knows the job: the command waits for it."""
    job.version("replaced")
    command, uid = job.begin_upgrade()
    job.stage.replace_job_manager()
    assert job.finish(command) == 0, job.log.read_text()
    assert job.running() == [uid]
    require_order(job)
    assert "replaced" in {version for *_, version in job.read()}


def test_of_two_upgrades_at_once_one_wins(job: Deployment) -> None:
    """The other is told who is at work; exactly one new version runs."""
    job.version("twice")
    first = job.begin("upgrade")
    with job.ledger() as ledger:
        until(lambda: ledger.unfinished("ordinals/test"), what="the first is at work", seconds=SECONDS)
    told = job.jobkit("upgrade")
    assert told.returncode == 1
    assert "Another operation on ordinals/test is under way" in told.stderr
    assert f"process {first.pid}" in told.stderr
    assert job.finish(first) == 0
    require_order(job)


def test_a_deploy_and_a_stop_that_are_killed_are_finished_by_the_next(theatre: Stage) -> None:
    """Whatever command that is."""
    job = theatre.deployment()
    job.send(["a", "b"])
    kill_when(job, lambda operation, found: operation is not None and found[0].status == "STARTING", "deploy", "--without-state")
    kill_when(job, lambda operation, _: operation is not None and operation.kind == "stop", "stop")
    done = job.jobkit("stop")
    assert done.returncode == 2, "it was finished: nothing runs"
    assert "taking up the stop" in done.stderr
    assert job.running() == []
    stopped = job.instances()[0]
    assert stopped["status"] == "STOPPED"
    assert Path(stopped["savepoint"].removeprefix("file:"), "_metadata").exists()
    job.expect_all()
