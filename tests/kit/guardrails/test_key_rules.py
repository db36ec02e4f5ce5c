"""The rules about keys, each with the selectors that break it and those that only look so."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from . import jobs
from .judging import by_rule, judged, line_of

pytestmark = pytest.mark.usefixtures("jvm")

UNSTABLE: list[tuple[Any, str, str, str]] = [
    (jobs.by_hash, "lambda", "hash(value[0])", "PYTHONHASHSEED"),
    (jobs.Bucket(), "hash-helper", "hash(text)", "PYTHONHASHSEED"),
    (jobs.salted, "random", "random.randrange(8)", "random"),
    (jobs.by_uuid, "uuid-key", "uuid4()", "random"),
    (jobs.by_time, "now", "datetime.now(timezone.utc)", "time"),
    (jobs.by_clock, "clock", "time.time()", "time"),
    (jobs.by_set, "set", "set(value[0])", "order"),
    (jobs.by_address, "address", "id(value)", "address"),
]


@pytest.mark.parametrize(("selector", "mark", "code", "reason"), UNSTABLE)
def test_a_key_that_differs_between_processes_is_refused_at_the_line_that_makes_it_so(
    selector: Any, mark: str, code: str, reason: str
) -> None:
    """Followed through variables and the user's own helpers."""
    results = judged(jobs.keyed_by(selector))
    (result,) = by_rule(results, "unstable-keys")
    assert (result.status, result.operator) == ("fail", "count/key-by")
    assert (result.file, result.line, result.evidence) == (jobs.__file__, line_of(jobs.__file__, mark), code)
    assert reason in result.message
    assert "zlib.crc32" in str(result.remedy)
    assert [entry.rule for entry in results if entry.status != "pass"] == ["unstable-keys"]


def test_a_key_of_the_records_own_values_is_fine() -> None:
    """Sorted sets, digests, uuids of a name and times of the record itself are the same everywhere."""
    (result,) = by_rule(judged(jobs.keyed_by(jobs.steady)), "unstable-keys")
    assert result.status == "pass"


def test_a_key_without_a_type_is_a_warning_at_the_key_by() -> None:
    """Also where the hidden operator is fused behind a map."""
    results = judged(jobs.pickled_keys)
    (result,) = by_rule(results, "pickled-keys")
    assert (result.status, result.operator) == ("unknown", "count")
    assert (result.file, result.line) == (jobs.__file__, line_of(jobs.__file__, "pickled"))
    assert "key_type=" in str(result.remedy)
    assert [entry.rule for entry in results if entry.status != "pass"] == ["pickled-keys"]


def test_a_key_with_a_type_is_fine() -> None:
    """Then Flink compares values."""
    (result,) = by_rule(judged(jobs.sound), "pickled-keys")
    assert result.status == "pass"


def test_equal_keys_do_pickle_differently() -> None:
    """The reason for the rule: a tuple that holds one text twice, and an equal one that holds two equal texts."""
    one = "abc"
    other = one[:1] + one[1:]
    assert (one, one) == (one, other)
    assert pickle.dumps((one, one)) != pickle.dumps((one, other))
