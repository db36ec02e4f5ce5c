"""States are found without a cluster: names, kinds, types and times to live, with the line that asks for each."""

from __future__ import annotations

from typing import Any

import pytest
from jobkit import states
from jobkit.graph import JobGraph, Operator, State
from pyflink.common import Time, Types
from pyflink.datastream.window import TumblingProcessingTimeWindows

from .guardrails import jobs
from .guardrails.judging import built

pytestmark = pytest.mark.usefixtures("jvm")


def opened(build: Any) -> JobGraph:
    """Build a job and find its states."""
    return states.discover(built(build))


def operator(job: JobGraph, uid: str) -> Operator:
    """Return the operator of a uid."""
    return next(entry for entry in job.operators if entry.uid == uid)


def test_keyed_states_are_found_with_their_full_types() -> None:
    """As PyFlink writes them, with the time to live where there is one."""
    found = operator(opened(jobs.sound), "count")
    assert found.states == (
        State("count", "value", "Long", "7200000 ms, OnCreateAndWrite, NeverReturnExpired"),
        State("by-day", "map", "MapTypeInfo<String, TupleTypeInfo(String, Long)>"),
        State("recent", "list", "ListTypeInfo<String>"),
    )
    assert (found.states_unknown, found.random_states, found.key_type) == (None, (), "String")


@pytest.mark.parametrize("migrate", [None, lambda _, values: jobs.Account(*values)])
def test_states_of_a_class_with_a_version_are_found_with_its_fields(migrate: Any) -> None:
    """With the state whose place one takes, and the user's line."""
    found = operator(opened(jobs.processing(jobs.Evolving(3, migrate))), "count")
    fields = (("count", "int"), ("last", "str | None"))
    pickled = "PickledByteArrayTypeInfo"
    assert set(found.states) == {
        State("count", "value", "Long"),
        State("account", "value", pickled, None, 3, fields),
        State("accounts", "list", f"ListTypeInfo<{pickled}>", "7200000 ms, OnCreateAndWrite, NeverReturnExpired", 1, fields),
        State("by-name", "map", f"MapTypeInfo<String, {pickled}>", None, 1, fields),
    }
    assert {state.name: state.migrates for state in found.states} == {
        "count": False,
        "account": migrate is not None,
        "accounts": False,
        "by-name": False,
    }
    assert {state.file for state in found.states} == {jobs.__file__}
    assert found.states_unknown is None


def test_each_state_says_where_it_is_asked_for() -> None:
    """The user's line, not PyFlink's."""
    lines = jobs.Count.open.__code__
    for state in operator(opened(jobs.sound), "count").states:
        assert state.file == jobs.__file__
        assert lines.co_firstlineno < (state.line or 0) < lines.co_firstlineno + 12


def test_a_window_has_its_contents_and_a_merging_one_its_set() -> None:
    """Both are Flink's own names."""
    found = operator(opened(jobs.sound), "sessions")
    assert [(state.name, state.kind, state.type) for state in found.states] == [
        ("window-contents", "reducing", "TupleTypeInfo(String, Long)"),
        ("merging-window-set", "map", "MapTypeInfo<TimeWindow, TimeWindow>"),
    ]


def test_a_count_window_has_its_counters() -> None:
    """The trigger and the assigner of PyFlink count in states of their own."""

    def build(env: Any) -> None:
        windows = jobs.pairs(env).key_by(lambda value: value[0], Types.STRING()).count_window(3)
        windows.reduce(lambda one, _: one).uid("counted").print().uid("out")

    assert {state.name for state in operator(opened(build), "counted").states} == {"window-contents", "count", "tumble-count-assigner"}


def test_a_broadcast_state_has_the_type_of_its_descriptor() -> None:
    """Flink's side knows the name only."""
    assert operator(opened(jobs.routed), "route").states == (State("rules", "broadcast", "MapTypeInfo<String, Long>"),)


def test_a_broadcast_state_has_the_class_of_its_descriptor() -> None:
    """When that has one with a version."""
    (found,) = operator(opened(jobs.limited), "limit").states
    assert found == State("limits", "broadcast", "MapTypeInfo<String, PickledByteArrayTypeInfo>", None, 2, (("most", "int"),))
    assert found.migrates


def test_an_operator_without_state_has_none() -> None:
    """It is known to have none."""
    found = operator(opened(jobs.mapping(jobs.local_names)), "map")
    assert (found.states, found.states_unknown) == ((), None)


def test_states_of_a_pickled_key_are_found_all_the_same() -> None:
    """The key's type is found as well, behind a fused key_by."""
    found = operator(opened(jobs.pickled_keys), "count")
    assert (len(found.states), found.key_type) == (3, "PickledByteArrayTypeInfo")


def test_a_window_function_that_keeps_state_of_its_own_is_unknown() -> None:
    """What it asks for while it processes cannot be seen by opening it."""

    def build(env: Any) -> None:
        windows = jobs.pairs(env).key_by(lambda value: value[0], Types.STRING())
        windows = windows.window(TumblingProcessingTimeWindows.of(Time.seconds(1)))
        windows.process(jobs.Remembering(), jobs.PAIR).uid("remember").print().uid("out")

    assert "Remembering.process calls get_state() while it processes" in str(operator(opened(build), "remember").states_unknown)
