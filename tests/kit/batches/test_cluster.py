"""Batches on a real cluster, in thread mode: checkpoints leave nothing in them, and state by batches is rescaled."""

from __future__ import annotations

from collections import Counter

from jobkit.testing.job import Job
from jobkit.testing.kafka import Kafka
from jobkit.testing.oracles import compare, exactly_once

KEYS = [f"key{number}" for number in range(1000)]


def lines(keys: list[str]) -> list[str]:
    """Return records for the job."""
    return [f"{key} 1" for key in keys]


def expected(keys: list[str]) -> tuple[list[str], list[str]]:
    """Return what is numbered, with a tick for each key, and what goes aside."""
    counts: Counter[str] = Counter()
    outputs: tuple[list[str], list[str]] = ([f"{key} ticked" for key in set(keys)], [])
    for key in keys:
        counts[key] += 1
        outputs[counts[key] % 2 == 0].append(f"{key} {counts[key]}")
    return outputs


def require(job: Job, keys: list[str]) -> None:
    """Wait until a job has settled, and compare what it has written."""
    numbered, even = expected(keys)
    exactly_once(job, "numbered", numbered)
    assert compare(job.records("even"), even) is None


def test_a_checkpoint_leaves_nothing_in_a_batch(job: Job, kafka: Kafka) -> None:
    """Though none is ever full, nor its time up, what was read before a checkpoint is written with it."""
    kafka.produce("words", [*lines(KEYS[:50] * 3), "no word at all"])
    job.start(environment={"WITHIN": "600000", "AT_MOST": "1000000"})
    require(job, KEYS[:50] * 3)
    assert job.kafka.values("rejected") == [b"no word at all"]


def test_state_is_divided_anew(job: Job, kafka: Kafka) -> None:
    """From one subtask to two and back, through savepoints: each of a thousand keys counts on, and its timer has fired once."""
    keys: list[str] = []
    for parallelism, part in ((1, KEYS), (2, KEYS[::2] * 2), (1, KEYS)):
        if keys:
            job.rescale(parallelism)
        else:
            job.start(parallelism=parallelism)
        kafka.produce("words", lines(part))
        keys += part
        job.wait_until_processed()
    require(job, keys)
