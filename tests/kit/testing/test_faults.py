"""Each fault has really happened when its call returns, and the job's answer is exact all the same."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from jobkit.cluster.flink import FlinkCluster
from jobkit.cluster.processes import has_ended
from jobkit.cluster.waiting import until
from jobkit.errors import ClusterError, JobFailed
from jobkit.testing.faults import Disk, Faults, Killed
from jobkit.testing.job import Job
from jobkit.testing.kafka import Kafka

from .conftest import WORDS, numbered

HALF = len(WORDS) // 2


def task_managers(job: Job) -> set[str]:
    """Return the TaskManagers that have registered."""
    return {manager["id"] for manager in job.cluster.rest.task_managers()}


@pytest.fixture
def running(job: Job, kafka: Kafka) -> Job:
    """The job, with one checkpoint and half of its input."""
    kafka.produce("words", WORDS[:HALF])
    job.start()
    job.wait_for_checkpoint()
    return job


def assert_exact(job: Job, kafka: Kafka) -> None:
    """Feed the other half, and expect each count once."""
    kafka.produce("words", WORDS[HALF:])
    job.settle()
    assert Counter(kafka.values("counts")) == numbered(WORDS)


def is_gone(killed: Killed, before: float) -> bool:
    """Say whether the process that was killed after a time has ended: meanwhile its number may be that of a new one, or of a thread."""
    return has_ended(killed.pid) or psutil.Process(killed.pid).create_time() > before - 1  # psutil is not more exact


def test_a_task_manager_is_killed(running: Job, kafka: Kafka, faults: Faults) -> None:
    """Its process is gone, the tasks run in a later attempt, and the job went on from a checkpoint."""
    before = time.time()
    killed = faults.kill_task_manager()
    assert is_gone(killed, before)
    running.wait_until_recovered()
    assert running.restarts >= 1
    assert running.restored() is not None
    assert killed.name not in {task.task_manager for task in running.cluster.rest.tasks(running.id)}
    assert_exact(running, kafka)


def test_a_task_manager_is_killed_during_a_checkpoint(running: Job, kafka: Kafka, faults: Faults) -> None:
    """That checkpoint has failed."""
    failed = {each.id for each in running.checkpoints() if each.status == "FAILED"}
    before = time.time()
    assert is_gone(faults.kill_task_manager_during_checkpoint(), before)
    assert {each.id for each in running.checkpoints() if each.status == "FAILED"} - failed
    running.wait_until_recovered()
    assert_exact(running, kafka)


def test_a_task_manager_is_killed_during_recovery(running: Job, kafka: Kafka, faults: Faults) -> None:
    """Two different ones are gone, and the job was restarted at least twice."""
    before = time.time()
    first, second = faults.kill_task_manager_during_recovery()
    assert first.name != second.name
    assert is_gone(first, before)
    assert is_gone(second, before)
    running.wait_until_recovered()
    assert running.restarts >= 2
    assert_exact(running, kafka)


def test_a_task_manager_misses_its_heartbeats(running: Job, kafka: Kafka, faults: Faults) -> None:
    """The JobManager gives it up; when it goes on, what it still does is not seen."""
    name = faults.pause_task_manager()
    assert any(f"eartbeat of TaskManager with id {name} timed out" in text for text in running.logs().values())
    running.wait_until_recovered()
    assert_exact(running, kafka)


def test_the_broker_is_restarted(running: Job, kafka: Kafka, faults: Faults) -> None:
    """It is another process, with the records of the one before."""
    before = faults.broker.member.pid
    faults.restart_broker()
    assert before != faults.broker.member.pid
    assert_exact(running, kafka)


def test_the_broker_cannot_be_reached(running: Job, kafka: Kafka, faults: Faults) -> None:
    """The job sees nothing of what is produced meanwhile, and all of it afterwards."""
    with faults.broker_unreachable():
        kafka.produce("words", WORDS[HALF:])

        def cut() -> bool | None:
            return any("could not be established" in text for name, text in running.logs().items() if "taskmanager" in name) or None

        until(cut, what="a client of the job says that there is no connection", seconds=60)
        assert kafka.unread(kafka.read(running.cluster.rest, running.id)) > 0
    running.settle()
    assert Counter(kafka.values("counts")) == numbered(WORDS)


def test_the_job_manager_is_killed(running: Job, faults: Faults) -> None:
    """Without high availability the job is lost, and every question says so."""
    before = time.time()
    assert is_gone(faults.kill_job_manager(), before)
    with pytest.raises(ClusterError, match="Could not find Flink job"):
        running.wait_for_checkpoint()


def test_a_highly_available_job_manager_is_killed(
    new_cluster: Callable[..., FlinkCluster], new_job: Callable[..., Job], new_faults: Callable[[Job], Faults], kafka: Kafka
) -> None:
    """Another JobManager takes the job up, under the same id, from its last checkpoint."""
    job = new_job(new_cluster(high_availability=True))
    kafka.produce("words", WORDS[:HALF])
    job.start()
    before = job.wait_for_checkpoint()
    at = time.time()
    assert is_gone(new_faults(job).kill_job_manager(), at)
    job.wait_until_running()
    restored = job.restored()
    assert restored is not None
    assert restored >= before.id
    assert_exact(job, kafka)


def test_the_disk_of_the_checkpoints_is_full(job: Job, kafka: Kafka, faults: Faults) -> None:
    """Checkpoints fail while it is, and the next one after that is completed; there is not a byte left in between."""
    disk = faults.small_disk(megabytes=4)
    kafka.produce("words", WORDS[:HALF])
    job.start(configuration={"execution.checkpointing.dir": disk.address, "execution.checkpointing.tolerable-failed-checkpoints": "1000"})
    last = job.wait_for_checkpoint()
    disk.fill()
    assert_full(disk)

    def failed() -> bool | None:
        return any(each.id > last.id and each.status == "FAILED" for each in job.checkpoints()) or None

    until(failed, what="a checkpoint has failed", seconds=60)
    disk.free()
    assert_exact(job, kafka)


def assert_full(disk: Disk) -> None:
    """Expect that nothing more can be written."""
    with pytest.raises(OSError, match="No space left"):
        (disk.path / "one more").write_bytes(b"x")


def test_a_snapshot_is_corrupted(running: Job, faults: Faults) -> None:
    """No job can be started from it; in the end it is as before."""
    snapshot = running.stop_with_savepoint()
    content = (snapshot / "_metadata").read_bytes()
    assert faults.corrupt(snapshot).read_bytes() != content
    running.start(from_snapshot=snapshot)
    with pytest.raises(JobFailed):
        running.wait_until_running()
    faults.undo()
    assert (snapshot / "_metadata").read_bytes() == content
    running.start(from_snapshot=snapshot)
    running.wait_until_running()


def test_an_exception_is_thrown_once(job: Job, kafka: Kafka, faults: Faults) -> None:
    """At the hundredth record of a subtask: the job is restarted, and counts as if nothing had been."""
    throw = faults.throw("Number", on_record=100)
    kafka.produce("words", WORDS[:HALF])
    job.start(throw=throw)
    until(lambda: faults.thrown(throw) or None, what="it is thrown", seconds=120)
    job.wait_until_recovered()
    assert job.exceptions()[0].root_cause == "jobkit.testing.throwing.Thrown: thrown by a test, at call 100"
    assert_exact(job, kafka)
    assert faults.thrown(throw) == 1


def test_an_exception_is_thrown_in_open_each_time(job: Job, kafka: Kafka, faults: Faults) -> None:
    """The job fails again and again, and the reason is the exception; nothing was thrown before it was submitted."""
    throw = faults.throw_in_open("Number", times=None)
    kafka.produce("words", WORDS[:10])  # in process mode a function is opened when it has something to do
    job.start(throw=throw)
    assert job.id
    assert faults.thrown(throw) == 0
    with pytest.raises(JobFailed, match="thrown by a test"):
        job.settle()
    assert faults.thrown(throw) > 2


def test_a_function_that_is_not_there_cannot_throw(job: Job, faults: Faults) -> None:
    """A misspelt name is no test that passes."""
    job.start(throw=faults.throw("Nubmer", on_record=1))
    with pytest.raises(Exception, match="no function Nubmer that could throw"):
        job.wait_until_running()


def test_all_is_undone(running: Job, faults: Faults, tmp_path: Path) -> None:
    """What is still on at the end of a test goes off."""
    disk = faults.small_disk(megabytes=1)
    assert disk.path.is_mount()
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    (snapshot / "_metadata").write_bytes(b"content")
    faults.corrupt(snapshot)
    faults.broker.disconnect()
    faults.undo()
    assert not disk.path.is_mount()
    assert (snapshot / "_metadata").read_bytes() == b"content"
    assert running.cluster.rest.is_running(running.id)
