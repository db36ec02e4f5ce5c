"""Each oracle fails for a job with a bug, on a real cluster; for the job without it, the same story passes."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobkit.cluster.rest import Checkpoint
from jobkit.cluster.sample import Record
from jobkit.cluster.topics import Topics
from jobkit.cluster.waiting import until
from jobkit.project import Project
from jobkit.testing.faults import Faults
from jobkit.testing.job import Job
from jobkit.testing.kafka import Kafka
from jobkit.testing.oracles import compare, exactly_once, guarded, in_order, no_loss, same_state
from jobkit.testing.session import Session

from .conftest import WORDS, numbered

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its own files in a way that Python has deprecated
    from kafka import KafkaConsumer

HALF = len(WORDS) // 2
EXPECTED = numbered(WORDS)
DIFFERENT = [f"word{number}" for number in range(500)]
"""Words that occur once each: what is made of them does not depend on state."""

FIFTIETHS = sum(count // 50 for count in Counter(WORDS).values())
"""How many words there are whose number is a multiple of fifty."""

RARELY = {"execution.checkpointing.interval": "1 h"}
"""So that there is no checkpoint but those that a test asks for."""


def flawed(flaw: str) -> dict[str, str]:
    """Return the variables that plant a bug; an empty one is none."""
    return {"TALLY_FLAW": flaw}


@pytest.fixture
def topics(flink: Session) -> Iterator[Topics]:
    """A client of the broker."""
    client = Topics(flink.broker.servers)
    yield client
    client.close()


def wait_until_written(flink: Session, kafka: Kafka, count: int) -> None:
    """Wait until so many results have gone out, those of open transactions included."""
    consumer = KafkaConsumer(
        kafka.topics["counts"],
        bootstrap_servers=flink.broker.servers,
        group_id=None,
        auto_offset_reset="earliest",
        isolation_level="read_uncommitted",
    )
    seen = 0

    def look() -> bool | None:
        nonlocal seen
        seen += sum(len(batch) for batch in consumer.poll(timeout_ms=200).values())
        return seen >= count or None

    try:
        until(look, what=f"{count} results have gone out", seconds=120)
    finally:
        consumer.close()


def kill_past_a_checkpoint(job: Job, kafka: Kafka, flink: Session, faults: Faults, flaw: str = "") -> None:
    """Kill a TaskManager when half of the results have gone out since the last checkpoint."""
    kafka.produce("words", WORDS[:HALF])
    job.start(configuration=RARELY, environment=flawed(flaw))
    wait_until_written(flink, kafka, HALF)
    job.cluster.rest.trigger_checkpoint(job.id)
    until(lambda: job.cluster.rest.checkpoints(job.id) or None, what="the checkpoint is completed", seconds=60)
    kafka.produce("words", WORDS[HALF:])
    wait_until_written(flink, kafka, len(WORDS))
    faults.kill_task_manager()
    job.wait_until_recovered()
    job.start(from_snapshot=job.stop_with_savepoint(), environment=flawed(flaw))


def test_a_kill_passes(job: Job, kafka: Kafka, flink: Session, faults: Faults) -> None:
    """What had gone out was not committed, and is not seen."""
    kill_past_a_checkpoint(job, kafka, flink, faults)
    exactly_once(job, "counts", EXPECTED)


def test_a_sink_that_writes_at_least_once(job: Job, kafka: Kafka, flink: Session, faults: Faults) -> None:
    """What had gone out goes out again; nothing is lost, and nothing else is wrong."""
    kill_past_a_checkpoint(job, kafka, flink, faults, "at-least-once")
    with pytest.raises(AssertionError, match=r"does not hold each record exactly once: \d+ too many \(found"):
        exactly_once(job, "counts", EXPECTED)
    no_loss(job, "counts", EXPECTED)


def restore(job: Job, kafka: Kafka, flaw: str = "", *, from_flaw: str = "") -> Path:
    """Stop with a savepoint after half of the words, go on from it with the others, and return it."""
    kafka.produce("words", WORDS[:HALF])
    job.start(environment=flawed(from_flaw))
    job.wait_until_processed()
    savepoint = job.stop_with_savepoint()
    kafka.produce("words", WORDS[HALF:])
    job.start(from_snapshot=savepoint, environment=flawed(flaw), allow_non_restored_state=True)
    return savepoint


@pytest.mark.usefixtures("jvm")
def test_a_restored_job_passes(job: Job, kafka: Kafka, project: Project) -> None:
    """It counts on where it was; its state stays as it is while there is no input; and its checkpoint is as it must be."""
    before = restore(job, kafka)
    exactly_once(job, "counts", EXPECTED)
    after = job.savepoint()
    same_state(after, job.savepoint())
    with pytest.raises(AssertionError, match="entries with another value"):
        same_state(before, after)
    guarded(job.cancel(), project)


@pytest.mark.usefixtures("jvm")
def test_state_in_an_attribute(job: Job, kafka: Kafka, project: Project) -> None:
    """Counts begin anew, and snapshots hold none of them."""
    before = restore(job, kafka, "attribute", from_flaw="attribute")
    with pytest.raises(AssertionError, match=r"exactly once: (\d+) missing, \1 too many \(found 2000 records"):
        exactly_once(job, "counts", EXPECTED)
    with pytest.raises(AssertionError, match="Neither holds any keyed state"):
        same_state(before, job.savepoint())
    with pytest.raises(AssertionError, match="It holds no keyed state"):
        guarded(job.cancel(), project)


@pytest.mark.usefixtures("jvm")
def test_a_uid_that_was_removed(job: Job, kafka: Kafka, project: Project) -> None:
    """The job starts, because it was told that state may be lost; it counts anew, and its checkpoints fit no job with uids."""
    before = restore(job, kafka, "no-uid")
    with pytest.raises(AssertionError, match=r"exactly once: (\d+) missing, \1 too many \(found 2000 records"):
        exactly_once(job, "counts", EXPECTED)
    with pytest.raises(AssertionError, match="only in the first"):
        same_state(before, job.savepoint())
    with pytest.raises(AssertionError, match="no operator of the job has this id; its uid was changed, removed or never set"):
        guarded(job.cancel(), project)


def run_unconfirmed(job: Job, kafka: Kafka, flink: Session, flaw: str = "") -> None:
    """Process everything, without a checkpoint."""
    kafka.produce("words", DIFFERENT)
    job.start(configuration=RARELY, environment=flawed(flaw))
    wait_until_written(flink, kafka, len(DIFFERENT))


def begin_anew(job: Job, flaw: str = "") -> None:
    """Cancel the job, and start it with no state but the offsets of its consumer group."""
    job.cluster.rest.cancel(job.id)
    job.start(environment=flawed(flaw))


def test_a_job_that_begins_anew_passes(job: Job, kafka: Kafka, flink: Session) -> None:
    """Without a checkpoint nothing was confirmed: not the results, and not the offsets."""
    run_unconfirmed(job, kafka, flink)
    begin_anew(job)
    exactly_once(job, "counts", numbered(DIFFERENT))


def test_offsets_that_are_committed_early(job: Job, kafka: Kafka, flink: Session, topics: Topics) -> None:
    """They were committed on receipt: the words are behind them, and their results were never confirmed."""
    run_unconfirmed(job, kafka, flink, "early-commit")

    def committed() -> bool | None:
        return topics.committed(kafka.group, kafka.topics["words"]) == len(DIFFERENT) or None

    until(committed, what="the offsets are committed", seconds=60)
    begin_anew(job, "early-commit")
    with pytest.raises(AssertionError, match=rf"has lost records: {len(DIFFERENT)} missing \(found 0 records"):
        no_loss(job, "counts", numbered(DIFFERENT))


def run(job: Job, kafka: Kafka, flaw: str = "", **variables: str) -> None:
    """Let the job process everything, and nothing go wrong."""
    kafka.produce("words", WORDS)
    job.start(environment=flawed(flaw) | variables)


def by_word(record: Record) -> bytes:
    """Return the word that was numbered."""
    return record.value.split()[0]


def by_number(record: Record) -> int:
    """Return its number."""
    return int(record.value.split()[1])


def test_an_undisturbed_job_passes(job: Job, kafka: Kafka) -> None:
    """Nothing is lost, nothing comes twice, and the numbers of a word come one after the other."""
    run(job, kafka)
    exactly_once(job, "counts", EXPECTED)
    no_loss(job, "counts", EXPECTED)
    in_order(job.records("counts"), key=by_word, position=by_number, strict=True)


def test_records_that_are_dropped(job: Job, kafka: Kafka) -> None:
    """Each of them is missed, and no other."""
    run(job, kafka, "drop")
    with pytest.raises(AssertionError, match=rf"has lost records: {FIFTIETHS} missing \(found"):
        no_loss(job, "counts", EXPECTED)
    with pytest.raises(AssertionError, match=rf"exactly once: {FIFTIETHS} missing \(found"):
        exactly_once(job, "counts", EXPECTED)


def test_a_duplicate_that_comes_late(job: Job, kafka: Kafka, flink: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When all words are processed, the results are still right; the oracle waits for two more checkpoints, and finds what comes then."""
    signal, wait_for_checkpoint, repeated = tmp_path / "signal", job.wait_for_checkpoint, len(set(WORDS))

    def let_come(count: int = 1) -> Checkpoint:
        if count == 2:
            assert compare(job.records("counts"), EXPECTED) is None
            signal.touch()
            wait_until_written(flink, kafka, len(WORDS) + repeated)
        return wait_for_checkpoint(count)

    run(job, kafka, "late-duplicate", TALLY_SIGNAL=str(signal))
    monkeypatch.setattr(job, "wait_for_checkpoint", let_come)
    with pytest.raises(AssertionError, match=rf"exactly once: {repeated} too many \(found"):
        exactly_once(job, "counts", EXPECTED)


def test_records_out_of_order(job: Job, kafka: Kafka) -> None:
    """Each result is there, once: only their order is wrong."""
    run(job, kafka, "order")
    exactly_once(job, "counts", EXPECTED)
    with pytest.raises(AssertionError, match=f"out of order: {FIFTIETHS} records come too late"):
        in_order(job.records("counts"), key=by_word, position=by_number)


def test_nothing_is_no_proof(job: Job) -> None:
    """A test that has forgotten to expect, or to produce, does not pass."""
    with pytest.raises(AssertionError, match="No record is expected in topic counts: none can be lost"):
        no_loss(job, "counts", [])
    with pytest.raises(AssertionError, match="There are no records, and so there is no order"):
        in_order(iter([]), key=by_word, position=by_number)


def test_a_counter_says_how_often() -> None:
    """Each record is expected as often as it was counted, and not once."""
    one, both = [Record(None, b"word 1")], Counter({b"word 1": 2})
    assert compare(one * 2, both) is None
    assert str(compare(one, both)).startswith("1 missing (found 1 records, expected 2)")
