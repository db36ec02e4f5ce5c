"""Batches on a real cluster, in thread mode: checkpoints leave nothing in them, and state by batches is rescaled."""

from __future__ import annotations

from collections import Counter

import pytest
from jobkit.errors import JobFailed
from jobkit.testing.job import Job
from jobkit.testing.kafka import Kafka
from jobkit.testing.oracles import compare, exactly_once

HELD = {"WITHIN": "600000", "AT_MOST": "1000000"}
"""No batch is ever full, nor its time up."""
RARE = {"execution.checkpointing.interval": "10 min"}
"""No checkpoint comes before the job is stopped."""
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
    job.start(environment=HELD)
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


def test_a_job_that_is_stopped_leaves_nothing_in_a_batch(job: Job, kafka: Kafka) -> None:
    """What is held when it stops is written once, and counted: the next start counts on from the savepoint."""
    kafka.produce("words", lines(KEYS[:50]))
    job.start(environment=HELD, configuration=RARE)
    job._wait_until_read()
    savepoint = job.stop_with_savepoint()
    kafka.produce("words", lines(KEYS[:50] * 2))
    job.start(environment=HELD, from_snapshot=savepoint)
    require(job, KEYS[:50] * 3)


def test_a_job_that_is_drained_leaves_nothing_in_a_batch(job: Job, kafka: Kafka) -> None:
    """What is held is written once, and then all timers have fired."""
    kafka.produce("words", lines(KEYS[:50] * 3))
    job.start(environment={**HELD, "WATERMARKS": "yes"}, configuration=RARE)
    job._wait_until_read()
    job.stop_with_savepoint(drain=True)
    numbered, even = expected(KEYS[:50] * 3)
    ended = [f"{key} ended at 3, 1" for key in KEYS[:50]]
    assert compare(job.records("numbered"), [each for each in numbered if not each.endswith("ticked")] + ended) is None
    assert compare(job.records("even"), even) is None


def test_an_error_names_what_it_was_at(job: Job, kafka: Kafka) -> None:
    """The operator, the key and the record are in Flink's root exception, and the function's own line in the traceback."""
    kafka.produce("words", [*lines(KEYS[:50]), "poison 666"])
    job.start(environment=HELD)
    with pytest.raises(JobFailed) as failed:
        job.wait_until_processed()
    expected = "Number failed at the key 'poison': ZeroDivisionError: integer division or modulo by zero. "
    expected += "Found: one record, Word(text='poison', time=666). Where: numbering/words.py:"
    assert expected in failed.value.root_cause
    assert "the operator number." in failed.value.root_cause
    traceback = failed.value.python_traceback or ""
    assert "words.py" in traceback.splitlines()[-2], traceback
