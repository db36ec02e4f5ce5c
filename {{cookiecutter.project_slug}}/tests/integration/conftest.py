"""What these tests share: the flights, and the judge of what the job made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from jobkit.cluster.sample import Record, Sample
from jobkit.testing.job import Job
from jobkit.testing.kafka import Kafka


@pytest.fixture
def flights(sample: Sample) -> list[Record]:
    """Real flights, with the duplicates, the malformed and the late ones that real topics hold; the last hundred are late."""
    return list(sample.records())


@pytest.fixture
def differences(job: Job, kafka: Kafka, sample: Sample, flights: list[Record]) -> Callable[[], Sequence[str]]:
    """A function that feeds the late flights, ends the job, and compares its output with an independent computation."""

    def end() -> Sequence[str]:
        job.wait_until_processed()
        kafka.produce("flights", flights[-sample.held_back :])
        job.settle()  # whatever comes twice, or late, has come by then
        job.stop_with_savepoint(drain=True)
        return sample.judge(kafka.records("flights"), kafka.outputs(sample.output_topics)).differences

    return end
