"""States are found without a cluster: names, kinds, types and times to live, with the line that asks for each."""
# ruff: noqa: ARG002 - the arguments are Flink's

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from jobkit import origins, states
from jobkit.graph import JobGraph, Operator, State
from pyflink.common import Time, Types
from pyflink.datastream import BroadcastProcessFunction, KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor
from pyflink.datastream.window import TumblingProcessingTimeWindows

from . import descriptors
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
        State("account", "value", pickled, None, 3, fields, migrate is not None),
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
    assert found == State(
        "limits", "broadcast", "MapTypeInfo<String, PickledByteArrayTypeInfo>", None, 2, (("most", "int"),), migrates=True
    )


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


class _Kept(KeyedProcessFunction):
    """Keeps what asks for states."""

    def __init__(self, form: str) -> None:
        self.form = form

    def open(self, runtime_context: RuntimeContext) -> None:
        get = runtime_context.get_state
        self.get = get if self.form == "method" else partial(get, ValueStateDescriptor("late", Types.LONG()))

    def process_element(self, value: Any, ctx: Any) -> Any:
        yield value


@pytest.mark.parametrize("form", ["method", "partial"])
def test_a_function_that_keeps_what_asks_for_states_is_unknown(form: str) -> None:
    """By another name, `_Kept.process_element` could ask for any."""

    def build(env: Any) -> None:
        jobs.pairs(env).key_by(lambda value: value[0], Types.STRING()).process(_Kept(form), jobs.PAIR).uid("kept").print().uid("out")

    assert operator(opened(build), "kept").states_unknown == "open() keeps get_state, as get, for later"


RULES = MapStateDescriptor("rules", Types.STRING(), Types.DOUBLE())


class _Ruled(BroadcastProcessFunction):
    def process_broadcast_element(self, value: Any, ctx: Any) -> Any:
        return iter(())


class _ByAttribute(_Ruled):
    def process_element(self, value: Any, ctx: Any) -> Any:
        yield ctx.get_broadcast_state(descriptors.RULES).get("a")


class _Inline(_Ruled):
    def process_element(self, value: Any, ctx: Any) -> Any:
        yield ctx.get_broadcast_state(
            MapStateDescriptor("rules", Types.STRING(), value_type_info=Types.TUPLE([Types.INT(), Types.LIST(Types.INT())]))
        )


class _Unseen(_Ruled):
    def process_element(self, value: Any, ctx: Any) -> Any:
        yield ctx.get_broadcast_state(value)


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (_ByAttribute(), "MapTypeInfo<String, Integer>"),
        (_Inline(), "MapTypeInfo<String, TupleTypeInfo(Integer, ListTypeInfo<Integer>)>"),
        (_Unseen(), "MapTypeInfo<String, Double>"),
    ],
    ids=["of another module", "made where it is used", "within reach"],
)
def test_a_broadcast_state_has_the_type_that_the_function_reads_it_by(function: Any, kind: str) -> None:
    """PyFlink passes the name of the descriptor of the stream to Flink, and no more."""
    stream = MapStateDescriptor("rules", Types.STRING(), Types.LONG())
    assert operator(opened(_ruled(function, stream)), "route").states == (State("rules", "broadcast", kind),)


def test_a_broadcast_state_that_the_function_does_not_describe_has_the_type_of_the_stream() -> None:
    """As when the function is given the descriptor only as it runs."""
    stream = MapStateDescriptor("others", Types.STRING(), Types.LONG())
    found = operator(opened(_ruled(_Unseen(), stream)), "route")
    assert found.states == (State("others", "broadcast", "MapTypeInfo<String, Long>"),)
    assert found.states_unknown is None


def test_a_broadcast_state_whose_descriptor_nobody_has_seen_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a stream that was made past PyFlink."""
    monkeypatch.setattr(origins, "_broadcasts", lambda _: ())
    found = operator(opened(_ruled(_Unseen(), MapStateDescriptor("others", Types.STRING(), Types.LONG()))), "route")
    assert found.states == (State("others", "broadcast", "unknown"),)
    assert found.states_unknown == "the descriptor of “others” was not found"


def _ruled(function: Any, stream: MapStateDescriptor) -> Any:
    def build(env: Any) -> None:
        rules = env.from_collection([1], Types.LONG()).uid("rules").broadcast(stream)
        jobs.pairs(env).connect(rules).process(function, Types.STRING()).uid("route").print().uid("out")

    return build
