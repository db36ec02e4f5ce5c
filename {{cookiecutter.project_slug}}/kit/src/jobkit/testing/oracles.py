"""Judges of what a job has done. Each raises an AssertionError that says what is wrong, how often, and shows the first cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .. import analysis
from ..cluster.sample import Record
from ..project import LOCAL, Project
from ..state import contents, snapshots
from ..state.contents import StateContents
from ..state.snapshots import OperatorState, Snapshot
from . import _graphs

Expected = Iterable[str | bytes | Record]
T = TypeVar("T", bound=Hashable)

_SHOWN = 10
_LONGEST = 160  # characters of one record in a message
_ROCKSDB = "IncrementalRemoteKeyedStateHandle"


class Job(Protocol):
    """What these ask of a job: `jobkit.testing.job.Job` does it."""

    def settle(self) -> None:
        """Wait until all input is processed, and then for two more checkpoints, so that what comes late or twice is seen."""

    def records(self, topic: str) -> list[Record]:
        """Return the committed records of a topic."""


def exactly_once(job: Job, topic: str, expected: Expected) -> None:
    """Require that a topic holds the expected records: each as often as expected, and no other.

    Args:
        job: The job that writes it; it is waited for.
        topic: The topic.
        expected: Values, as text or bytes, or whole records, with their keys; a `Counter` says how often each is expected. Their order
            does not matter.
    """
    job.settle()
    _require(f"Topic {topic} does not hold each record exactly once", compare(job.records(topic), expected))


def no_loss(job: Job, topic: str, expected: Expected) -> None:
    """Require that a topic holds each expected record at least as often as expected; what else it holds does not matter.

    Args:
        job: The job that writes it; it is waited for.
        topic: The topic.
        expected: As for `exactly_once`, but not nothing: that could not be lost.
    """
    wanted = _each(expected)
    if not wanted:
        raise AssertionError(f"No record is expected in topic {topic}: none can be lost.")
    job.settle()
    _require(f"Topic {topic} has lost records", compare(job.records(topic), wanted, loss_only=True))


def in_order(
    records: Iterable[Record], *, key: Callable[[Record], Hashable], position: Callable[[Record], Any], strict: bool = False
) -> None:
    """Require that the records of each key come in the order of their positions.

    Kafka keeps the order within a partition: this says something when all records of a key are in one.

    Args:
        records: What `job.records(topic)` returns; to have none is an error, because nothing has every order.
        key: Returns a record's key, such as `lambda record: record.key`.
        position: Returns what must not go back, such as a time or a running number.
        strict: Require that it goes on, too: two equal positions of a key are an error.
    """
    found = list(records)
    if not found:
        raise AssertionError("There are no records, and so there is no order.")
    _require("Records are out of order", disorder(found, key=key, position=position, strict=strict))


def same_state(first: Path | str, second: Path | str) -> None:
    """Require that two savepoints hold the same keyed state and timers, operator by operator and state by state.

    What is compared is bytes: a set pickled in two processes may differ, and so does a state with a time to live, which holds times.

    Args:
        first: A savepoint's folder.
        second: Another's. Its parallelism may differ, but not its maximum parallelism.
    """
    _require("The savepoints hold different keyed state", compare_states(contents.contents(first), contents.contents(second)))


def guarded(snapshot: Path | str, project: Project, environment: str = LOCAL) -> None:
    """Require that a retained checkpoint, by its own metadata, is one that the project's job can be restored from.

    Every operator in it has a uid in the job, hidden ones included, and the job's maximum parallelism; keyed state is in RocksDB,
    and incremental.

    Args:
        snapshot: The checkpoint's folder.
        project: The project whose job it is.
        environment: Whose configuration the job is built with.
    """
    analysis.jvm(project)
    operators = [operator for job in _graphs.read(project, environment) for operator in job["operators"]]
    found = snapshots.read(snapshot)
    _require(f"The checkpoint {found.path} is not as the guardrails want it", violations(found, operators))


def compare(found: Iterable[Record], expected: Expected, *, loss_only: bool = False) -> str | None:
    """Compare records as multisets.

    Args:
        found: The records that came out.
        expected: Values or records; where they are values, keys are not compared.
        loss_only: Let duplicates and unexpected records pass.

    Returns:
        How they differ, or None when they do not.
    """
    wanted = _each(expected)
    whole = [isinstance(each, Record) for each in wanted]
    if any(whole) and not all(whole):
        raise TypeError("Expected records must be all Records, with their keys, or all values.")
    want: Counter[Hashable] = Counter(each.encode() if isinstance(each, str) else each for each in wanted)
    have: Counter[Hashable] = Counter(record if any(whole) else record.value for record in found)
    kinds = {"missing": want - have}
    if not loss_only:
        more = have - want
        kinds["too many"] = Counter({each: count for each, count in more.items() if each in want})
        kinds["unexpected"] = Counter({each: count for each, count in more.items() if each not in want})
    if not any(kinds.values()):
        return None
    head = ", ".join(f"{cases.total()} {kind}" for kind, cases in kinds.items() if cases)
    lines = [f"{head} (found {have.total()} records, expected {want.total()})."]
    for kind, cases in kinds.items():
        lines += _listing(kind, [f"{_shown(each)}{f', {count} times' if count > 1 else ''}" for each, count in _ordered(cases)])
    return "\n".join(lines)


def disorder(
    records: Iterable[Record], *, key: Callable[[Record], Hashable], position: Callable[[Record], Any], strict: bool = False
) -> str | None:
    """Look for records that come after one of the same key with a later position.

    Returns:
        Which they are, or None when there are none.
    """
    latest: dict[Hashable, Any] = {}
    wrong = []
    for number, record in enumerate(records):
        name, place = key(record), position(record)
        before = latest.get(name, place)
        if place < before or (strict and name in latest and place == before):
            wrong.append(f"record {number} of key {name!r} is at {place!r}, after {before!r}")
        latest[name] = max(before, place)
    if not wrong:
        return None
    return "\n".join([f"{len(wrong)} records come too late.", *_listing("too late", wrong)])


def compare_states(first: Mapping[T, StateContents], second: Mapping[T, StateContents]) -> str | None:
    """Compare what two savepoints hold, by operator id and state.

    Returns:
        How they differ, or None when they do not. To have nothing to compare is a difference, too.
    """
    if not any(each.entries for each in (*first.values(), *second.values())):
        return "Neither holds any keyed state: there is nothing to compare."
    lines = []
    for name in sorted({*first, *second}, key=str):
        one, other = first.get(name), second.get(name)
        known = one or other
        if known is None:
            continue
        head = f"operator {known.operator}, state {known.state.name}"
        if one and other and one.max_parallelism != other.max_parallelism:
            lines.append(f"{head}: the maximum parallelism is {one.max_parallelism} and {other.max_parallelism}: no key is stored alike.")
        elif difference := _difference(one.entries if one else {}, other.entries if other else {}):
            lines.append(f"{head}: {difference}")
    return "\n".join(lines) or None


def violations(snapshot: Snapshot, operators: Sequence[Mapping[str, Any]]) -> str | None:
    """Look for what the guardrails forbid in a checkpoint.

    Args:
        snapshot: The checkpoint.
        operators: The job's operators, as `jobkit graph --json` shows them.

    Returns:
        What it is, or None when there is nothing.
    """
    if snapshot.is_savepoint:
        return "It is a savepoint, which does not show how checkpoints are made: give the folder of a retained checkpoint (…/chk-42)."
    by_id = {operator["id"]: operator for operator in operators if operator["id"]}
    lines = [line for state in snapshot.operators for line in _violations(state, by_id.get(state.id))]
    rocksdb = [state for state in snapshot.operators if _ROCKSDB in state.keyed_handles]
    if rocksdb and not any(state.shared_files or state.unshared_files for state in rocksdb):
        lines.append("It holds no keyed state yet, so it does not show whether checkpoints are incremental: let the job process something.")
    return "\n".join(lines) or None


def _violations(state: OperatorState, operator: Mapping[str, Any] | None) -> list[str]:
    if operator is None:
        return [f"{state.label}: no operator of the job has this id; its uid was changed, removed or never set."]
    label, lines = f"“{operator['uid']}” ({state.id})", []
    if state.max_parallelism != operator["max_parallelism"]:
        lines.append(f"{label}: its maximum parallelism is {state.max_parallelism}, the job's {operator['max_parallelism'] or 'not set'}.")
    if set(state.keyed_handles) - {_ROCKSDB}:
        lines.append(f"{label}: its keyed state is not in RocksDB: Flink keeps it in {', '.join(state.keyed_handles)}.")
    elif state.unshared_files:
        lines.append(f"{label}: its keyed state is not incremental: {state.unshared_files} data files belong to this checkpoint alone.")
    return lines


def _difference(first: Mapping[bytes, bytes], second: Mapping[bytes, bytes]) -> str | None:
    kinds = {
        "only in the first": [key for key in first if key not in second],
        "only in the second": [key for key in second if key not in first],
        "with another value": [key for key in first if key in second and first[key] != second[key]],
    }
    if not any(kinds.values()):
        return None
    head = ", ".join(f"{len(keys)} entries {kind}" for kind, keys in kinds.items() if keys)
    lines = [f"{head} (of {len(first)} and {len(second)})."]
    for kind, keys in kinds.items():
        lines += _listing(kind, [_entry(key, first.get(key), second.get(key)) for key in sorted(keys)])
    return "\n".join(lines)


def _entry(key: bytes, first: bytes | None, second: bytes | None) -> str:
    values = " → ".join(_shown(value) for value in (first, second) if value is not None)
    return f"{_shown(key)}: {values}"


def _ordered(cases: Counter[Hashable]) -> list[tuple[Hashable, int]]:
    """Return the most frequent cases first, equal ones in an order that is the same each time."""
    return sorted(cases.items(), key=lambda case: (-case[1], str(case[0])))


def _listing(title: str, cases: Sequence[str]) -> list[str]:
    if not cases:
        return []
    rest = len(cases) - _SHOWN
    return [f"{title}:", *(f"  {case}" for case in cases[:_SHOWN]), *([f"  … and {rest} more"] if rest > 0 else [])]


def _shown(case: Hashable) -> str:
    text = f"{case.key!r}: {case.value!r}" if isinstance(case, Record) else repr(case)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def _each(expected: Expected) -> list[str | bytes | Record]:
    """Return the expected records; to iterate over a `Counter` would give each of them once, however often it is expected."""
    return list(expected.elements() if isinstance(expected, Counter) else expected)


def _require(title: str, difference: str | None) -> None:
    if difference is not None:
        raise AssertionError(f"{title}: {difference}")
