"""The check of an output finds everything that can be wrong with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable

import pytest

from bench.errors import WrongOutput
from bench.tail import Written
from bench.verify import Expected

BAD = b'{"key":"A","delay":null}'
FLIGHTS = [("A", 10), ("B", -3), ("A", 5), ("A", 0), ("B", 4)]
RIGHT = [("A", 1, 10.0), ("B", 1, -3.0), ("A", 2, 7.5), ("A", 3, 5.0), ("B", 2, 0.5)]
"""Computed by hand."""


@pytest.fixture
def expected() -> Expected:
    """What the flights, with a malformed record among them, give."""
    values = [json.dumps({"key": key, "delay": delay}).encode() for key, delay in FLIGHTS]
    return Expected([[*values[:2], BAD, *values[2:]]])


def written(records: Iterable[tuple[str, int, float]]) -> Written:
    """Return a partition that holds these records."""
    return Written([json.dumps({"key": key, "count": count, "mean": mean}).encode() for key, count, mean in records])


def reject(value: bytes, reason: str = "no delay") -> bytes:
    """Return a record of the reject topic."""
    return json.dumps({"reason": reason, "value": base64.b64encode(value).decode()}).encode()


def test_the_right_output_passes(expected: Expected) -> None:
    """In one partition, and spread over two."""
    assert expected.check_each({0: written(RIGHT)}, is_complete=True) == len(RIGHT)
    assert expected.check_each({0: written(RIGHT[:3]), 1: written(RIGHT[3:])}, is_complete=True) == len(RIGHT)


Change = Callable[[list[tuple[str, int, float]]], list[tuple[str, int, float]]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda right: right[:-1], "missing.*B has 1 of 2"),
        (lambda right: [*right, right[0]], "twice"),
        (lambda right: [right[2], right[0], *right[1:2], *right[3:]], "out of order"),
        (lambda right: [("A", 1, 10.0001), *right[1:]], "mean is wrong"),
        (lambda right: [*right, ("A", 4, 1.0)], "does not give"),
        (lambda right: [*right, ("C", 1, 1.0)], "does not give"),
    ],
)
def test_a_wrong_output_is_found(expected: Expected, change: Change, message: str) -> None:
    """Missing, there twice, out of order, a wrong mean, one too many, a key that is not in the input."""
    with pytest.raises(WrongOutput, match=message):
        expected.check_each({0: written(change(list(RIGHT)))}, is_complete=True)


def test_a_record_that_is_there_twice_is_found_across_partitions(expected: Expected) -> None:
    """A restart may send the second one elsewhere."""
    with pytest.raises(WrongOutput, match="twice"):
        expected.check_each({0: written(RIGHT), 1: written(RIGHT[4:])}, is_complete=True)


def test_a_run_that_was_stopped_may_lack_the_end_but_nothing_before_it(expected: Expected) -> None:
    """What was committed is a beginning of each key."""
    assert expected.check_each({0: written(RIGHT[:3])}, is_complete=False) == 3
    with pytest.raises(WrongOutput, match=r"missing.*A has 2 of 3"):
        expected.check_each({0: written([RIGHT[0], RIGHT[3]])}, is_complete=False)


def test_rejects_must_be_the_malformed_records(expected: Expected) -> None:
    """With a reason, once each, byte for byte."""
    assert expected.check_rejects({0: Written([reject(BAD)])}, is_complete=True) == 1
    for values, message in (
        ([], "missing"),
        ([reject(BAD), reject(BAD)], "too often"),
        ([reject(BAD + b" ")], "too often"),
        ([reject(BAD, reason="")], "no reason"),
    ):
        with pytest.raises(WrongOutput, match=message):
            expected.check_rejects({0: Written(values)}, is_complete=True)


def test_updates_may_skip_records_but_not_the_last_one(expected: Expected) -> None:
    """They say how many records of the input show from then on; what is taken back counts for nothing."""
    values = written([RIGHT[2], RIGHT[3], RIGHT[4]]).values
    back = json.dumps({"key": "A", "count": 2, "mean": 7.5, "diff": -1}).encode()
    assert expected.check_final([(1, values[0]), (2, back), (2, values[1]), (5, values[2])], is_complete=True) == [(1, 2), (2, 1), (5, 2)]
    assert expected.check_final([(1, values[1])], is_complete=False) == [(1, 3)]
    with pytest.raises(WrongOutput, match=r"last value.*B at 0 of 2"):
        expected.check_final([(1, values[1])], is_complete=True)
    with pytest.raises(WrongOutput, match="mean is wrong"):
        expected.check_final([(1, written([("A", 3, 5.1)]).values[0])], is_complete=True)


def test_a_copy_must_be_the_input(expected: Expected) -> None:
    """The malformed records, too."""
    values = list(expected.values.elements())
    assert expected.check_same({0: Written(values[:2]), 1: Written(values[2:])}, is_complete=True) == len(FLIGHTS) + 1
    with pytest.raises(WrongOutput, match="missing"):
        expected.check_same({0: Written(values[1:])}, is_complete=True)
    with pytest.raises(WrongOutput, match="too often"):
        expected.check_same({0: Written([*values, values[0]])}, is_complete=True)
