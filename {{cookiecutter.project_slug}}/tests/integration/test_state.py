"""State outlives the job: it is restored from checkpoints and savepoints, and divided anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jobkit.cluster.sample import Record
from jobkit.project import Project
from jobkit.testing.job import Job
from jobkit.testing.kafka import Kafka
from jobkit.testing.oracles import guarded


def test_restored_from_a_retained_checkpoint(
    job: Job, kafka: Kafka, project: Project, flights: list[Record], differences: Callable[[], Sequence[str]]
) -> None:
    """A cancelled job leaves a checkpoint that holds to the guardrails, and the next one goes on from there."""
    kafka.produce("flights", flights[:10_000])
    job.start()
    job.wait_until_processed()
    checkpoint = job.cancel()
    guarded(checkpoint, project)
    kafka.produce("flights", flights[10_000:-100])
    job.start(from_snapshot=checkpoint)
    assert differences() == []


def test_rescaled(job: Job, kafka: Kafka, flights: list[Record], differences: Callable[[], Sequence[str]]) -> None:
    """From one subtask to two and back, through savepoints: each key keeps its state."""
    kafka.produce("flights", flights[:7_000])
    job.start(parallelism=1)
    job.wait_until_processed()
    job.rescale(2)
    kafka.produce("flights", flights[7_000:14_000])
    job.wait_until_processed()
    job.rescale(1)
    kafka.produce("flights", flights[14_000:-100])
    assert differences() == []
