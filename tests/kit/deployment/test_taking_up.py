"""What becomes of a job when something goes wrong in the middle, on a simulated cluster (see `simulation`)."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from jobkit.cluster.http import NoAnswer
from jobkit.deployment.address import LedgerAway
from jobkit.deployment.change import Change
from jobkit.deployment.instance import RUNNING, STARTING, Operation
from jobkit.deployment.ledger import Ledger
from jobkit.deployment.rest import Deployed
from jobkit.deployment.version import APPLICATION

from . import ledgers
from .simulation import BROKEN, Simulation


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """A first version that runs; each test takes a copy."""
    simulation = Simulation.of(tmp_path_factory.mktemp("one") / "simulation")
    simulation.ok("deploy", "--without-state")
    return simulation


@pytest.fixture
def job(one: Simulation, tmp_path: Path) -> Simulation:
    """A first version that runs."""
    return one.copy(tmp_path / "job")


def interrupt(job: Simulation, step: str, *arguments: str) -> Operation:
    """Kill a command as soon as its operation stands at a step; return the operation."""
    assert job.run(*arguments, moment=step) == -signal.SIGKILL, f"it was never at {step}: {job.said}"
    operation = job.unfinished
    assert operation is not None
    return operation


def said_last(job: Simulation, code: int, *arguments: str, **variables: str) -> str:
    """Run a command that ends with a code, and return what it says."""
    before = len(job.said)
    assert job.run(*arguments, **variables) == code, job.said
    return job.said[before:]


def test_an_answer_of_500_is_waited_over(job: Simulation) -> None:
    """Flink's word for a time-out within the JobManager; it says nothing about the job."""
    job.version("two")
    with job.cluster.changed() as known:
        known["answers_500"] = 2
    job.ok("upgrade")
    assert job.cluster.known["answers_500"] == 0
    job.require_order("two")


def test_an_old_version_that_restarts_is_not_ended(job: Simulation) -> None:
    """It is started from the savepoint, fails as the new one did, and is left to Flink; the message says so."""
    job.version(BROKEN)
    with job.cluster.changed() as known:
        known["fails"] = True
    said = said_last(job, 1, "upgrade", "--within", "2")
    assert "the old one was started again, and has no complete checkpoint yet (Exception: not today)" in said
    assert [(found["code"], found["state"]) for found in job.cluster.running.values()] == [("one", "RESTARTING")]
    assert job.unfinished is None


def test_whoever_takes_up_has_the_secrets_before_anything_is_stopped(job: Simulation) -> None:
    """What is missing is named; before the stop the job runs on, after it the message says where the savepoint is."""
    job.version("two")
    interrupt(job, "PREPARED", "upgrade")
    said = said_last(job, 2, "upgrade", TOKEN="")
    assert "TOKEN is not set" in said
    assert "the old version is not stopped" in said
    assert [found["code"] for found in job.cluster.running.values()] == ["one"]

    operation = interrupt(job, "STARTING", "upgrade")
    said = said_last(job, 2, "upgrade", TOKEN="")
    assert "TOKEN is not set" in said
    assert f"the old version is stopped, and the new one is to start from {operation.details['savepoint']}" in said
    assert job.cluster.running == {}
    job.ok("upgrade")
    job.require_order("two")


def test_a_mended_version_does_not_start_the_broken_one_first(job: Simulation) -> None:
    """What was not started yet is taken back, whether the old version was stopped or not; then what is asked for now is done."""
    for step in ("STOPPING", "STARTING"):
        job.version(BROKEN)
        interrupt(job, step, "upgrade")
        job.version(f"mended, {step}")
        job.ok("upgrade")
        assert not any(BROKEN in found["code"] for found in job.cluster.known["jobs"].values())
        job.require_order(f"mended, {step}")


@pytest.mark.parametrize("command", [("rollback", "--undo"), ("rollback",)])
@pytest.mark.parametrize("step", ["PREPARED", "STARTING"])
def test_an_interrupted_upgrade_is_given_up(job: Simulation, step: str, command: tuple[str, ...]) -> None:
    """The version that ran before runs; `status` and `instances` show what is unfinished until then."""
    job.version("two")
    interrupt(job, step, "upgrade")
    for show in ("status", "instances"):
        before = len(job.said)
        job.run(show)
        assert "upgrade of " in job.said[before:]
        assert "jobkit rollback --undo takes it back" in job.said[before:]
    job.ok(*command)
    job.require_order("one")
    assert "two" not in [found["code"] for found in job.cluster.known["jobs"].values()]
    assert said_last(job, 2, "rollback", "--undo").count("Nothing of simulated/test is unfinished.") == 1


def test_a_job_that_fails_over_and_over_is_mended(job: Simulation) -> None:
    """Neither can it be upgraded with a savepoint, nor stopped with one: the messages name what can be done."""
    with job.cluster.changed() as known:
        next(iter(known["jobs"].values()))["state"] = "RESTARTING"
    (newest,) = job.cluster.known["snapshots"]
    job.version("mended")
    for command in ("upgrade", "stop", "savepoint"):
        said = said_last(job, 1, command)
        assert f"jobkit upgrade --from {newest}" in said
        assert "jobkit stop --cancel" in said
    other = job.copy(job.folder.with_name("other"))
    job.ok("upgrade", "--from", newest)
    job.require_order("mended")
    assert newest in said_last(other, 0, "stop", "--cancel")
    assert other.instances[0].savepoint == newest
    other.require_order(None)


def test_a_mended_version_that_fails_as_well_gives_way_from_the_same_snapshot(job: Simulation) -> None:
    """So that nothing is lost but what was lost before."""
    (newest,) = job.cluster.known["snapshots"]
    job.version(BROKEN)
    assert job.run("upgrade", "--from", newest, "--within", "60") == 1, job.said
    job.require_order("one")
    assert job.instances[0].snapshot == newest


def test_an_application_cluster_of_a_machine_that_is_gone_is_written_off(job: Simulation) -> None:
    """Its processes cannot be looked at from here; who says that it is lost is believed, unless its JobManager answers for it."""
    (running,) = job.instances
    arguments = {**running.specification.arguments, "place": "dead-host:/home/ann"}
    elsewhere = replace(running.specification, mode=APPLICATION, arguments=arguments)
    with job.ledger() as ledger:
        ledger.change(running.uid, specification=elsewhere)
    (newest,) = job.cluster.known["snapshots"]
    assert "It is not lost" in said_last(job, 2, "deploy", "--lost", "--from", newest)
    with job.cluster.changed() as known:
        known["jobs"].clear()
    job.ok("deploy", "--lost", "--from", newest)
    job.require_order("one")


def test_a_ledger_that_is_away_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a while; an entry whose answer was lost is not written twice."""
    monkeypatch.setattr("jobkit.deployment.change._SECONDS_FOR_THE_LEDGER", 20)
    ledger = Ledger.open(str(tmp_path / "ledger.sqlite"))
    ledger.keep_artefact(ledgers.digest(0), ledgers.content(0))
    told: list[str] = []
    with ledger.lease(ledgers.DEPLOYMENT, "upgrade") as lease:
        change = Change(ledger, lease, SimpleNamespace(phase=told.append), tmp_path)
        for name in ("add", "change", "record", "finish"):
            _lose_the_answer_once(ledger, name, monkeypatch)
        new = change.add(ledgers.entry(status=STARTING))
        operation = change.begin("upgrade", {"new": new.uid})
        change.record(operation, "STARTING", savepoint="s3://a")
        change.change(new.uid, status=RUNNING)
        change.finish(operation, "completed")
    assert len(told) == 4
    assert [(each.status, each.uid) for each in ledger.instances(ledgers.DEPLOYMENT)] == [(RUNNING, new.uid)]
    (found,) = ledger.operations(ledgers.DEPLOYMENT)
    assert (found.outcome, found.details["savepoint"]) == ("completed", "s3://a")
    ledger.close()


def _lose_the_answer_once(ledger: Ledger, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write = getattr(ledger, name)
    answers: list[object] = []

    def written(*arguments: object, **named: object) -> object:
        found = write(*arguments, **named)
        if not answers:
            answers.append(found)
            raise LedgerAway("The ledger cannot be written.", found="the server is shut down")
        return found

    monkeypatch.setattr(ledger, name, written)


@pytest.mark.parametrize("kind", ["zookeeper", "NONE"])
def test_a_suspended_job_is_away_and_not_over_with_high_availability(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next JobManager goes on with it; without, nobody does."""
    monkeypatch.setattr(Deployed, "state", lambda *_: "SUSPENDED")
    monkeypatch.setattr(Deployed, "job_manager_configuration", lambda _: {"high-availability.type": kind})
    rest = Deployed("http://simulated:8081")
    if kind == "NONE":
        assert rest.known_state("any") == "SUSPENDED"
        return
    with pytest.raises(NoAnswer, match="suspended until a JobManager leads again"):
        rest.known_state("any")


def test_a_command_that_ends_between_stop_and_start_says_where_it_stands(job: Simulation) -> None:
    """The ledger is away for longer than it is waited for: the old version is stopped, the savepoint is there, and named."""
    job.version("two")
    (job.folder / "away").touch()
    said = said_last(job, 2, "upgrade")
    (job.folder / "away").unlink()
    savepoint = next(address for address in job.cluster.known["snapshots"] if "/savepoints/" in address)
    assert "The upgrade is not finished: the old version is stopped" in said
    assert savepoint in said
    assert "jobkit upgrade goes on with it" in said
    job.ok("upgrade")
    job.require_order("two")
