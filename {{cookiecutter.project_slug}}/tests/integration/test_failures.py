"""Machines die, and no record is lost or counted twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jobkit.cluster.sample import Record
from jobkit.testing.faults import Faults
from jobkit.testing.job import Job
from jobkit.testing.kafka import Kafka


def test_killed_task_manager(
    job: Job, kafka: Kafka, faults: Faults, flights: list[Record], differences: Callable[[], Sequence[str]]
) -> None:
    """A TaskManager is killed in the middle; the job goes on from its last checkpoint, and the result is exact."""
    kafka.produce("flights", flights[:10_000])
    job.start()
    job.wait_for_checkpoint()
    kafka.produce("flights", flights[10_000:-100])
    faults.kill_task_manager()
    job.wait_until_recovered()
    assert job.restarts > 0
    assert differences() == []
