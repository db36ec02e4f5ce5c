"""The rules about state that no restart finds again, each with the job that breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from jobkit import states
from jobkit.guardrails import Job, judge
from pyflink.common import Types

from . import jobs
from .judging import Build, built, by_rule, judged_with_states, line_of

pytestmark = pytest.mark.usefixtures("jvm")

ROLLING = ["reduce", "sum", "min", "max", "min_by", "max_by"]


@pytest.mark.parametrize("call", ROLLING)
def test_a_rolling_aggregate_is_refused_by_the_name_that_the_user_wrote(call: str) -> None:
    """One finding, at the call, with what to write instead."""
    results = judged_with_states(getattr(jobs, f"rolling_{call}"))
    (result,) = by_rule(results, "rolling-aggregates")
    assert result.status == "fail"
    assert (result.operator, result.file, result.line) == ("rolled", jobs.__file__, line_of(jobs.__file__, call))
    assert f"KeyedStream.{call}(…)" in result.message
    assert "KeyedProcessFunction" in str(result.remedy)
    assert [entry.rule for entry in results if entry.status != "pass"] == ["rolling-aggregates"]


def test_a_windowed_reduce_is_fine() -> None:
    """Its state has a fixed name."""
    (result,) = by_rule(judged_with_states(jobs.sound), "rolling-aggregates")
    assert result.status == "pass"


@pytest.mark.parametrize(("function", "mark"), [(jobs.NamedInOpen, "uuid"), (jobs.NamedInInit, "init"), (jobs.NamedByHash, "hash")])
def test_a_random_state_name_is_refused_where_the_state_is_asked_for(function: type[Any], mark: str) -> None:
    """Made in open, when the job is built, or of a hash: the name differs between two builds and processes."""

    def build(env: Any) -> None:
        jobs.processing(function())(env)

    (result,) = by_rule(judged_with_states(build), "random-state-names")
    assert result.status == "fail"
    assert (result.operator, result.file, result.line) == ("count", jobs.__file__, line_of(jobs.__file__, mark))
    assert str(result.evidence).startswith("count-")
    assert "constant text" in str(result.remedy)


def test_the_same_names_twice_are_fine() -> None:
    """Three states, a window's contents and its merging set: all with fixed names."""
    (result,) = by_rule(judged_with_states(jobs.sound), "random-state-names")
    assert result.status == "pass"


def test_objects_of_a_class_with_a_version_are_kept_as_they_should_be() -> None:
    """Their states have fixed names, are asked for in open(), and are no attributes."""
    results = judged_with_states(jobs.processing(jobs.Evolving()))
    assert {entry.status for entry in results} <= {"pass", "not-applicable"}


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (jobs.processing(jobs.Dialling()), "open() raised ConnectionRefusedError: redis.internal:6379"),
        (jobs.processing(jobs.Ending()), "the process that opened it ended"),
        (jobs.processing(jobs.AskingLate()), "AskingLate.process_element calls get_state() while it processes"),
        (jobs.processing(jobs.EvolvingLate()), "EvolvingLate.process_element calls value_state() while it processes"),
    ],
)
def test_states_that_cannot_be_found_are_unknown_with_the_reason(build: Build, reason: str) -> None:
    """It is no proof that anything is wrong: the job may start."""
    results = judged_with_states(build)
    (result,) = by_rule(results, "unknown-states")
    assert (result.status, result.operator) == ("unknown", "count")
    assert reason in result.message
    assert "open()" in str(result.remedy)
    assert not [entry for entry in results if entry.status == "fail"]


def test_an_open_that_hangs_is_unknown_and_hides_no_other() -> None:
    """The deadline holds for each function; the next operator is opened all the same."""

    def build(env: Any) -> None:
        keyed = jobs.pairs(env).key_by(lambda value: value[0], Types.STRING())
        keyed.process(jobs.Hanging(), jobs.PAIR).uid("hanging").print().uid("out")
        keyed.process(jobs.Count(), jobs.PAIR).uid("count").print().uid("count-out")

    job = states.discover(built(build), deadline=4)
    (result,) = by_rule(judge(Job(job, "prod")), "unknown-states")
    assert (result.status, result.operator) == ("unknown", "hanging")
    assert "had not returned" in result.message
    assert {state.name for operator in job.operators if operator.uid == "count" for state in operator.states} == {
        *("count", "by-day", "recent"),
    }
