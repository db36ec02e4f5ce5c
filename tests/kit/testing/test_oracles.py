"""Each oracle passes what is right, and says what is wrong with what is not."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from jobkit.cluster.sample import Record
from jobkit.errors import ConfigurationError
from jobkit.project import Project, find_project
from jobkit.state import snapshots
from jobkit.state.contents import StateContents
from jobkit.state.snapshots import KeyedState, OperatorState, Snapshot
from jobkit.testing import oracles
from jobkit.testing.oracles import compare, compare_states, disorder, violations

from tests.kit.state.versions import GOLDEN, PROJECT


def values(*texts: str) -> list[Record]:
    """Return records without keys."""
    return [Record(None, text.encode()) for text in texts]


@dataclass
class FinishedJob:
    """A job that has done all that it will do.

    Attributes:
        output: What it has written.
        settled: How often it was waited for.
    """

    output: list[Record]
    settled: int = 0
    topics: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Note that it was waited for."""
        self.settled += 1

    def records(self, topic: str) -> list[Record]:
        """Return the output, if it was waited for."""
        assert self.settled
        self.topics.append(topic)
        return self.output


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], []),
        (values("a", "b"), ["b", "a"]),
        (values("a", "a"), [b"a", "a"]),
        (values("ü"), ["ü"]),
        ([Record(b"k", b"a")], ["a"]),
        ([Record(b"k", b"a")], [Record(b"k", b"a")]),
        ([Record(b"k", b"a")], iter(["a"])),
    ],
)
def test_equal_multisets_are_equal(found: list[Record], expected: list[str | bytes | Record]) -> None:
    """In any order, as text or bytes; keys count only where they are expected."""
    assert compare(found, expected) is None


@pytest.mark.parametrize(
    ("found", "expected", "head"),
    [
        ([], ["a"], "1 missing (found 0 records, expected 1)"),
        (values("a"), ["a", "a", "a"], "2 missing (found 1 records, expected 3)"),
        (values("a", "a"), ["a"], "1 too many (found 2 records, expected 1)"),
        (values("a", "b"), ["a"], "1 unexpected (found 2 records, expected 1)"),
        (values("a"), [], "1 unexpected (found 1 records, expected 0)"),
        (values("a", "a", "x"), ["a", "b"], "1 missing, 1 too many, 1 unexpected (found 3 records, expected 2)"),
        (values("a "), ["a"], "1 missing, 1 unexpected (found 1 records, expected 1)"),
        ([Record(b"k", b"a")], [Record(b"other", b"a")], "1 missing, 1 unexpected (found 1 records, expected 1)"),
        ([Record(b"k", b"a")], [Record(None, b"a")], "1 missing, 1 unexpected (found 1 records, expected 1)"),
    ],
)
def test_each_kind_of_difference_is_counted(found: list[Record], expected: list[str | bytes | Record], head: str) -> None:
    """What is missing, what is there too often, and what should not be there at all."""
    assert str(compare(found, expected)).partition(".\n")[0] == head


def test_the_worst_cases_are_shown_and_no_more() -> None:
    """Ten of them, the most frequent first, long ones cut."""
    found = values(*(f"record {number:03}" for number in range(500)), *(["record 007"] * 41), "x" * 5_000)
    message = str(compare(found, [f"record {number:03}" for number in range(100, 600)]))
    lines = message.splitlines()
    assert lines[0] == "100 missing, 142 unexpected (found 542 records, expected 500)."
    assert lines[1:3] == ["missing:", "  b'record 500'"]
    assert lines[11:15] == ["  b'record 509'", "  … and 90 more", "unexpected:", "  b'record 007', 42 times"]
    assert lines[-1] == "  … and 91 more"
    assert len(lines) == 25
    long = str(compare(found, [record.value for record in found[:-1]]))
    assert long.endswith("… (5003 characters)")
    assert len(long) < 400


def test_records_and_values_are_not_mixed() -> None:
    """Whether keys count must be clear."""
    with pytest.raises(TypeError, match="all Records"):
        compare([], ["a", Record(None, b"a")])


def test_exactly_once_waits_before_it_reads() -> None:
    """So that a duplicate that comes late is there."""
    job = FinishedJob(values("a", "b"))
    oracles.exactly_once(job, "counts", ["a", "b"])
    assert (job.settled, job.topics) == (1, ["counts"])


@pytest.mark.parametrize("expected", [["a"], ["a", "b", "c"], ["a", "a", "b"]])
def test_exactly_once_fails_with_the_topic_and_the_cases(expected: list[str]) -> None:
    """A duplicate, a loss, or both."""
    with pytest.raises(AssertionError, match=r"Topic counts does not hold each record exactly once: .*\(found 2 records"):
        oracles.exactly_once(FinishedJob(values("a", "b")), "counts", expected)


def test_no_loss_lets_duplicates_pass() -> None:
    """And what was not expected, but no loss, not even of one of two."""
    job = FinishedJob(values("a", "a", "b", "x"))
    oracles.no_loss(job, "counts", ["a", "b"])
    oracles.no_loss(job, "counts", ["a", "a"])
    with pytest.raises(
        AssertionError, match=r"Topic counts has lost records: 2 missing \(found 4 records, expected 4\)\.\nmissing:\n  b'b', 2 times"
    ):
        oracles.no_loss(job, "counts", ["a", "b", "b", "b"])


def keyed(*pairs: tuple[str, int]) -> list[Record]:
    """Return records with a key and a number."""
    return [Record(key.encode(), str(number).encode()) for key, number in pairs]


@pytest.mark.parametrize(
    ("pairs", "strict", "late"),
    [
        ([], True, None),
        ([("a", 1), ("b", 1), ("a", 2), ("b", 2)], True, None),
        ([("a", 5), ("b", 1), ("a", 5)], False, None),
        ([("a", 5), ("a", 5)], True, "1 records"),
        ([("a", 2), ("a", 1)], False, "1 records"),
        ([("a", 3), ("a", 1), ("a", 2), ("b", 1), ("a", 3)], False, "2 records"),
        ([("a", 3), ("a", 1), ("a", 2), ("b", 1), ("a", 3)], True, "3 records"),
        ([("a", -1), ("a", 0)], True, None),
    ],
)
def test_order_is_that_of_each_key(pairs: list[tuple[str, int]], strict: bool, late: str | None) -> None:  # noqa: FBT001 - a parameter
    """Positions never go back; equal ones are an error only when asked. What came late does not lower the mark."""
    found = disorder(keyed(*pairs), key=lambda record: record.key, position=lambda record: int(record.value), strict=strict)
    assert (found and found[: len(late or "")]) == late


def test_disorder_names_the_record() -> None:
    """Its number, its key, its position, and the one before."""
    records = keyed(("a", 3), ("b", 9), ("a", 1))
    oracles.in_order(records[:2], key=lambda record: record.key, position=lambda record: int(record.value))
    with pytest.raises(AssertionError, match=r"out of order: 1 records.*\ntoo late:\n  record 2 of key b'a' is at 1, after 3"):
        oracles.in_order(records, key=lambda record: record.key, position=lambda record: int(record.value))


def state(entries: dict[bytes, bytes], name: str = "count", max_parallelism: int = 128) -> dict[tuple[str, str], StateContents]:
    """Return what a savepoint with one state holds."""
    return {("5f3f", name): StateContents("“rounds” (5f3f)", KeyedState(name, "list"), max_parallelism, entries)}


def test_equal_states_are_equal() -> None:
    """A state without entries is as good as none."""
    assert compare_states(state({b"a": b"1"}), state({b"a": b"1"})) is None
    assert compare_states(state({b"a": b"1"}) | state({}, "empty"), state({b"a": b"1"})) is None


@pytest.mark.parametrize(
    ("second", "difference"),
    [
        (state({b"a": b"2"}), r"state count: 1 entries with another value \(of 1 and 1\)\.\nwith another value:\n  b'a': b'1' → b'2'$"),
        (state({}), r"state count: 1 entries only in the first \(of 1 and 0\)"),
        (
            state({b"a": b"1", b"b": b"1"}),
            r"state count: 1 entries only in the second \(of 1 and 2\)\.\nonly in the second:\n  b'b': b'1'$",
        ),
        (state({b"b": b"1"}), r"state count: 1 entries only in the first, 1 entries only in the second"),
        ({}, r"state count: 1 entries only in the first"),
        (state({b"a": b"1"}, max_parallelism=256), r"state count: the maximum parallelism is 128 and 256: no key is stored alike"),
        (state({b"a": b"1"}) | state({b"a": b"1"}, "other"), r"state other: 1 entries only in the second"),
    ],
)
def test_different_states_are_named(second: dict[tuple[str, str], StateContents], difference: str) -> None:
    """The operator, the state, and how it differs."""
    assert re.match(rf"operator “rounds” \(5f3f\), {difference}", str(compare_states(state({b"a": b"1"}), second)))


def test_nothing_equals_nothing_is_no_proof() -> None:
    """Two savepoints of a job that forgot its state in an attribute."""
    assert compare_states({}, state({})) == "Neither holds any keyed state: there is nothing to compare."


@pytest.mark.usefixtures("jvm")
def test_same_state_reads_savepoints() -> None:
    """Real ones; states without entries are not worth a word."""
    oracles.same_state(GOLDEN / "2.2" / "savepoint", GOLDEN / "2.2" / "savepoint")
    with pytest.raises(AssertionError, match="hold different keyed state") as raised:
        oracles.same_state(GOLDEN / "2.2" / "savepoint", GOLDEN / "2.0" / "savepoint")
    for name in ("count", "last", "thirds"):
        assert f"state {name}: " in str(raised.value)
    assert "processing_user-timers" not in str(raised.value)
    assert len(str(raised.value)) < 10_000


ROCKSDB = OperatorState("5f3f", "rounds", "KEYED PROCESS", 1, 128, 500, 100, (), (), False, ("IncrementalRemoteKeyedStateHandle",), 3, 0)  # noqa: FBT003
STATELESS = replace(ROCKSDB, id="a1d0", uid="output", keyed_handles=(), shared_files=0)
GRAPH: list[dict[str, Any]] = [
    {"uid": "rounds", "id": "5f3f", "max_parallelism": 128},
    {"uid": "output", "id": "a1d0", "max_parallelism": 128},
    {"uid": None, "id": None, "max_parallelism": None},
]


def checkpoint(*operators: OperatorState) -> Snapshot:
    """Return a retained checkpoint."""
    return Snapshot("file:/chk-7", 7, is_savepoint=False, format=None, operators=operators)


def test_a_guarded_checkpoint_passes() -> None:
    """Keyed state or none; also when one of several operators has had nothing to keep, and when Flink did not note what it is."""
    assert violations(checkpoint(ROCKSDB, STATELESS), GRAPH) is None
    assert violations(checkpoint(STATELESS), GRAPH) is None
    assert violations(checkpoint(ROCKSDB, replace(ROCKSDB, id="a1d0", shared_files=0)), GRAPH) is None
    assert violations(replace(checkpoint(ROCKSDB), is_savepoint=None), GRAPH) is None


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        (replace(STATELESS, id="ffff", uid=None, name="Map"), "“Map” (ffff): no operator of the job has this id"),
        (replace(ROCKSDB, id="ffff"), "“rounds” (ffff): no operator of the job has this id"),
        (replace(STATELESS, max_parallelism=256), "“output” (a1d0): its maximum parallelism is 256, the job's 128."),
        (
            replace(ROCKSDB, keyed_handles=("KeyGroupsStateHandle",)),
            "“rounds” (5f3f): its keyed state is not in RocksDB: Flink keeps it in KeyGroupsStateH",
        ),
        (replace(ROCKSDB, shared_files=0, unshared_files=2), "“rounds” (5f3f): its keyed state is not incremental: 2 data files"),
        (replace(ROCKSDB, unshared_files=1), "“rounds” (5f3f): its keyed state is not incremental: 1 data files"),
    ],
)
def test_each_violation_is_named(operator: OperatorState, message: str) -> None:
    """A lost uid, another maximum parallelism, another backend, a full checkpoint: for stateless operators, too."""
    assert str(violations(checkpoint(operator), GRAPH)).startswith(message)


def test_all_violations_are_named_at_once() -> None:
    """A line for each."""
    wrong = replace(ROCKSDB, max_parallelism=64, shared_files=0, unshared_files=2)
    assert str(violations(checkpoint(wrong, replace(STATELESS, id="ffff")), GRAPH)).count("\n") == 2


def test_a_job_without_maximum_parallelism_is_told_so() -> None:
    """What Flink has chosen may be another one next time."""
    graph = [{**GRAPH[0], "max_parallelism": None}]
    assert "its maximum parallelism is 128, the job's not set" in str(violations(checkpoint(ROCKSDB), graph))


def test_an_empty_checkpoint_is_no_proof() -> None:
    """RocksDB has had no data file to write, so that none is shared and none is not."""
    assert "holds no keyed state yet" in str(violations(checkpoint(replace(ROCKSDB, shared_files=0), STATELESS), GRAPH))


def test_a_savepoint_is_no_proof() -> None:
    """It is canonical whatever the backend, and never incremental."""
    assert "give the folder of a retained checkpoint" in str(violations(replace(checkpoint(), is_savepoint=True), GRAPH))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The project of the kept snapshots."""
    return find_project(Path(shutil.copytree(PROJECT, tmp_path / "rounds", ignore=shutil.ignore_patterns(".jobkit", "__pycache__"))))


@pytest.mark.usefixtures("jvm")
def test_a_real_checkpoint_is_guarded(project: Project) -> None:
    """Against the project's own graph."""
    oracles.guarded(GOLDEN / "2.2" / "checkpoint", project)


@pytest.mark.usefixtures("jvm")
def test_a_job_that_has_changed_is_not_guarded(project: Project) -> None:
    """A uid was changed, and with it that of the hidden operator before; and the maximum parallelism. Flink 1.20 gives ids alone."""
    pipeline, base = project.root / "src" / "rounds" / "pipeline.py", project.root / "conf" / "base.yaml"
    pipeline.write_text(pipeline.read_text(encoding="utf-8").replace('.uid("rounds")', '.uid("laps")'), encoding="utf-8")
    base.write_text(base.read_text(encoding="utf-8").replace("max-parallelism: 128", "max-parallelism: 256"), encoding="utf-8")
    with pytest.raises(AssertionError) as raised:
        oracles.guarded(GOLDEN / "1.20" / "checkpoint", project)
    rounds, key_by = (
        next(each.id for each in snapshots.read(GOLDEN / "2.2" / "checkpoint").operators if each.uid == uid)
        for uid in ("rounds", "rounds/key-by")
    )
    for operator in (rounds, key_by):
        assert f"{operator}: no operator of the job has this id" in str(raised.value)
    assert "“output” (a1d043dbd3dd84cf10634a96f1f69dbe): its maximum parallelism is 128, the job's 256." in str(raised.value)
    assert str(raised.value).count("\n") == 6


def test_a_job_that_cannot_be_built_is_an_error_of_its_own(project: Project) -> None:
    """It says nothing about the checkpoint."""
    toml = project.root / "pyproject.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("rounds.pipeline:build", "laps.pipeline:build"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"graph cannot be read.*no module laps"):
        oracles.guarded(GOLDEN / "2.2" / "checkpoint", project)
