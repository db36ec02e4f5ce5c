"""Texts are parsed, and divided by key as Flink divides keys over subtasks."""

from __future__ import annotations

import enum
import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pytest
from jobkit._codec import as_tuple
from jobkit.batches import Batching, KeyedFunction, _buckets, frames, read
from jobkit.batches._keyed import load
from jobkit.batches.reading import Parsing, dump
from jobkit.errors import ConfigurationError, FunctionFailed
from jobkit.testing.operators import Operator
from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import OutputTag, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

BUCKETS = tuple(range(100, 116))
"""Stand for the numbers of sixteen key groups."""


class Word(NamedTuple):
    """A record."""

    text: str
    time: int
    value: Any = None


@dataclass
class Seen:
    """A state."""

    count: int = 0


def parse(value: bytes) -> Word:
    """Read a word and its time."""
    text, time = value.decode().split()
    return Word(text, int(time)) if text != "decimal" else Word(text, int(time), Decimal("1.10"))


def parsing(malformed: type[Exception] = ValueError, *, timed: bool = True) -> Operator:
    """Return the operator that parses."""
    event_time = (lambda word: word.time) if timed else None
    function = Parsing(
        parse, as_tuple(Word), lambda word: word.text, event_time, malformed, lambda value, error: f"{error}|".encode() + value, BUCKETS
    )
    return Operator(function)


def rows(operator: Operator, *texts: bytes) -> list[tuple[int, int | None, list[Any]]]:
    """Process a batch; return bucket, time and records by key of each part that came out."""
    operator.process(frames.join(texts))
    return [(row[0], row[1], load(row[2])) for row in operator.take()]


def test_records_are_divided_by_key() -> None:
    """In the bucket of its key group each key has its records, in their order; none is twice."""
    texts = [f"word{number % 20} {number}".encode() for number in range(100)]
    parts = rows(parsing(), *texts)
    found = {key: (bucket, records) for bucket, _, keys in parts for key, records in keys}
    assert len({bucket for bucket, _, _ in parts}) == len(parts)
    assert found == {
        f"word{word}": (100 + crc32(b"word%d" % word) % 16, [(f"word{word}", number, None) for number in range(word, 100, 20)])
        for word in range(20)
    }


def test_only_the_last_part_of_a_batch_has_the_latest_time() -> None:
    """The others have the earliest, so that no watermark overtakes a record of the same batch."""
    texts = [b"a 30", b"b 10", b"c 50", b"d 20", b"a 40"]
    times = [time for _, time, _ in rows(parsing(), *texts)]
    assert len(times) > 2
    assert times == [10] * (len(times) - 1) + [50]
    assert [time for _, time, _ in rows(parsing(), b"a 30")] == [30]
    assert {time for _, time, _ in rows(parsing(timed=False), *texts)} == {None}


def test_what_is_malformed_is_rejected_with_its_bytes() -> None:
    """Also when nothing else is in the batch; what is well-formed goes on, and tells the time."""
    operator = parsing()
    parts = rows(operator, b"a 1", b"\xff\n", b"a b c", b"b 2")
    assert sorted(key for _, _, keys in parts for key, _ in keys) == ["a", "b"]
    assert parts[-1][1] == 2
    (batch,) = operator.take("rejected")
    first, second = frames.split(batch)
    assert (first[-2:], b"can't decode byte 0xff" in first) == (b"\xff\n", True)
    assert second.startswith(b"too many values to unpack")
    assert second.endswith(b"|a b c")
    assert rows(operator, b"nothing") == []
    assert len(operator.take("rejected")) == 1


def test_records_are_counted() -> None:
    """As Flink counts batches: once a batch, those that go on and those that are rejected."""
    operator = parsing()
    assert operator.metrics == {"batches": 0, "records": 0, "rejected": 0}
    rows(operator, b"a 1", b"no", b"b 2", b"c 3")
    rows(operator, b"no")
    assert operator.metrics == {"batches": 2, "records": 3, "rejected": 2}


def test_other_exceptions_fail_the_job() -> None:
    """As every mistake in the user's code."""
    with pytest.raises(FunctionFailed, match=r"ValueError: too many values.*raise KeyError: the class that `malformed` names") as raised:
        rows(parsing(malformed=KeyError), b"a b c")
    assert type(raised.value.__cause__) is ValueError


def test_records_of_any_class_travel() -> None:
    """A Decimal among them is one when it arrives."""
    (part,) = rows(parsing(), b"decimal 1")
    ((key, (record,)),) = part[2]
    assert (key, record, type(record[2])) == ("decimal", ("decimal", 1, Decimal("1.10")), Decimal)
    values = [bytearray(b"x"), 1.5, None, {1: [2]}, "ä", b"\xff"]
    ((_, (returned,)),) = load(dump([(("k", 1), [tuple(values)])]))
    assert [(type(value), value) for value in returned] == [(type(value), value) for value in values]


@pytest.mark.parametrize(
    ("key", "group"),
    [
        ("DTW", 9),  # zlib.crc32(b"DTW") % 128, and so on
        ("", 0),
        ("ä", 3),
        (7, 2),
        (-1, 42),
        (1.5, 58),
    ],
)
def test_a_key_is_in_the_same_group_for_ever(key: Any, group: int) -> None:
    """Written down once: another group would lose its state."""
    assert _buckets.key_group(key, 128) == group


def test_equal_keys_are_in_one_group() -> None:
    """What one dictionary takes for one key is one."""
    for equal in ([1, 1.0], [0, 0.0, -0.0], [2**70, float(2**70)]):
        assert len({_buckets.key_group(key, 128) for key in equal}) == 1, equal


@pytest.mark.parametrize("keys", [[0.0, -0.0], [-0.0, 0.0], [-0.0], [-0.0, 1.5]], ids=str)
def test_zero_is_one_key(keys: list[float]) -> None:
    """The two that there are in floating-point numbers are one to Python, and two to Java's maps."""
    function = Parsing(json.loads, as_tuple(Single), lambda record: record.key, None, KeyError, lambda value, _: value, BUCKETS)
    function._parse = lambda value: Single(json.loads(value))
    parts = rows(Operator(function), *(json.dumps(key).encode() for key in keys))
    found = [key for _, _, members in parts for key, _ in members]
    assert sorted(map(repr, found)) == sorted({repr(abs(key)) for key in keys})


class Single(NamedTuple):
    """A record that is its key."""

    key: float


class Color(enum.IntEnum):
    """Numbers with names."""

    RED = 1


class Name(str):
    """A text with a class of its own."""

    __slots__ = ()


@pytest.mark.parametrize(
    "key",
    [object(), None, ("a", 1), b"DTW", Decimal(1), range(3), True, math.nan, Color.RED, Name("DTW"), np.float64(1.5), np.int64(1)],
    ids=lambda key: type(key).__name__,
)
def test_a_key_that_is_no_text_and_no_number_is_refused(key: Any) -> None:
    """It would not be found again: by its address, as an array to Java, or as something else than what it equals."""
    with pytest.raises(ConfigurationError, match=r"A key is a text or a number\. Found: .*of the class \w"):
        _buckets.key_group(key, 128)


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize("max_parallelism", [1, 2, 128])
def test_each_bucket_is_in_its_key_group(max_parallelism: int) -> None:
    """As Flink assigns the rows that the stream is keyed by, and with each parallelism to the subtask of that group."""
    buckets = _buckets.of_key_groups(max_parallelism)
    jvm = get_gateway().jvm
    assignment = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment
    found = []
    for bucket in buckets:
        row = jvm.org.apache.flink.types.Row(1)
        row.setField(0, bucket)
        found.append(assignment.assignToKeyGroup(row, max_parallelism))
    assert found == list(range(max_parallelism))
    assert len(set(buckets)) == max_parallelism


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize(("max_parallelism", "found"), [(None, "it is not set"), (2048, "2048")])
def test_batches_need_a_maximum_parallelism(max_parallelism: int | None, found: str) -> None:
    """Not too large a one; the error says where it is set."""
    env = StreamExecutionEnvironment.get_execution_environment()
    if max_parallelism is not None:
        env.set_max_parallelism(max_parallelism)
    values = env.from_collection(["a"], Types.STRING())
    with pytest.raises(ConfigurationError, match=rf"need to know the maximum parallelism\. Found: {found}\..*env\.set_max_parallelism"):
        read(values, parse, record=Word, key=lambda word: word.text, rejected=lambda value, _: value, uid="read")


@pytest.mark.usefixtures("jvm")
def test_a_class_of_records_must_have_fields() -> None:
    """The error names it."""
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_max_parallelism(128)
    values = env.from_collection(["a"], Types.STRING())
    no_class: Any = dict
    with pytest.raises(ConfigurationError, match=r"is a dataclass, a NamedTuple or a Struct of msgspec's\. Found: <class 'dict'>"):
        read(values, parse, record=no_class, key=lambda word: word.text, rejected=lambda value, _: value, uid="read")


class ByTime(TimestampAssigner):
    """What the jobs of PyFlink have for event time."""

    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:  # noqa: ARG002
        """Take it from the record."""
        return int(value.time)


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize(
    ("watermarks", "timed", "message"),
    [
        (
            WatermarkStrategy.for_monotonous_timestamps,
            False,
            r"need event times.*Found: watermarks, and no event_time\..*Give it event_time=",
        ),
        (
            lambda: WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(ByTime()),
            True,
            r"times that `event_time` returns\. Found: .*timestamp assigner.*Leave with_timestamp_assigner out",
        ),
    ],
    ids=["no times", "an assigner"],
)
def test_watermarks_that_would_never_move_are_refused(watermarks: Any, timed: bool, message: str) -> None:  # noqa: FBT001
    """When the job is built: its timers would not fire before the input ends."""
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_max_parallelism(128)
    values = env.from_collection(["a"], Types.STRING())
    with pytest.raises(ConfigurationError, match=message):
        read(
            values,
            parse,
            record=Word,
            key=lambda word: word.text,
            event_time=(lambda word: word.time) if timed else None,
            watermarks=watermarks(),
            rejected=lambda value, _: value,
            uid="read",
        )


@pytest.mark.usefixtures("jvm")
def test_a_side_output_is_the_same_stream_each_time() -> None:
    """A second one would have the first one's uid."""

    class Silent(KeyedFunction[Word, Seen]):
        state = Seen

    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_max_parallelism(128)
    values = env.from_collection(["a"], Types.STRING())
    records = read(values, parse, record=Word, key=lambda word: word.text, rejected=lambda value, _: value, uid="read").records
    results = records.process(Silent(), uid="silent")
    aside = OutputTag("aside", Types.STRING())
    assert results.get_side_output(aside) is results.get_side_output(OutputTag("aside", Types.STRING()))
    assert results.get_side_output(aside) is not results.get_side_output(OutputTag("apart", Types.STRING()))


@pytest.mark.usefixtures("jvm")
def test_the_uid_of_results_is_not_given_twice() -> None:
    """It is made from that of the function."""
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_max_parallelism(128)
    values = env.from_collection(["a"], Types.STRING())
    results = read(values, parse, record=Word, key=lambda word: word.text, rejected=lambda value, _: value, uid="read")
    with pytest.raises(TypeError, match="has a uid already, made from 'read-rejected'"):
        results.rejected.uid("mine")
    with pytest.raises(TypeError, match="has a name already, made from 'read: rejected'"):
        results.rejected.name("mine")


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize("method", ["set_parallelism", "set_max_parallelism", "disable_chaining", "slot_sharing_group"])
def test_operators_of_results_run_as_the_job_does(method: str) -> None:
    """What PyFlink's stream lets one set is not set here in silence, nor by an error of Java's."""
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_max_parallelism(128)
    values = env.from_collection(["a"], Types.STRING())
    results = read(values, parse, record=Word, key=lambda word: word.text, rejected=lambda value, _: value, uid="read")
    with pytest.raises(TypeError, match="around 'read: rejected' run with the parallelism and the chaining of the job"):
        getattr(results.rejected, method)(*[] if method == "disable_chaining" else [1])


@pytest.mark.parametrize(
    "wrong",
    [{"within": -1}, {"within": 0.5}, {"within": 10**9}, {"at_most": 0}, {"at_most": True}, {"cached_states": -1}, {"cached_states": "1"}],
    ids=str,
)
def test_a_batching_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    """When it is made: a negative time would hold records for ever, or fail in Java."""
    ((name, value),) = wrong.items()
    with pytest.raises(ConfigurationError, match=rf"Batching\({name}=…\) takes a whole number from [01] to \d+\. Found: {value!r}\."):
        Batching(**wrong)


def test_the_bounds_of_a_batching() -> None:
    """They may be used."""
    assert Batching(0, 1, 0) != Batching(24 * 3_600_000, 2**31 - 1, 2**31 - 1)


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize("tags", [["results"], ["a", "a-results"], ["a-results", "a"]], ids=str)
def test_a_side_output_with_the_uid_of_another_is_refused(tags: list[str]) -> None:
    """Uids are made of the function's and of the tag; Flink would say no more than that a hash is there twice."""

    class Silent(KeyedFunction[Word, Seen]):
        state = Seen

    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_max_parallelism(128)
    values = env.from_collection(["a"], Types.STRING())
    records = read(values, parse, record=Word, key=lambda word: word.text, rejected=lambda value, _: value, uid="read").records
    results = records.process(Silent(), uid="silent")
    for tag in tags[:-1]:
        results.get_side_output(OutputTag(tag, Types.STRING()))
    message = rf"side output '{tags[-1]}' would have the uid of another operator of 'silent'\. Found: the uids silent-results.*another name"
    with pytest.raises(ConfigurationError, match=message):
        results.get_side_output(OutputTag(tags[-1], Types.STRING()))
