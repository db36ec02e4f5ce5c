"""A job's lock is what Flink's graph and the opened functions say."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

import msgspec
import pytest
from jobkit import batches, states
from jobkit.batches import Context, KeyedFunction
from jobkit.errors import ConfigurationError
from jobkit.graph import State
from jobkit.lock import Lock, lock_of
from pyflink.common import Row, Types, WatermarkStrategy
from pyflink.common.serialization import Encoder
from pyflink.datastream.connectors.file_system import FileSink
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.window import CountTrigger, GlobalWindows, PurgingTrigger
from pyflink.table import StreamTableEnvironment

from ..guardrails import jobs
from ..guardrails.judging import built

pytestmark = pytest.mark.usefixtures("jvm")


def test_operators_and_states_of_a_plain_job() -> None:
    """Each with what its state depends on, in the order of the uids."""
    found = lock_of(states.discover(built(jobs.sound)))
    assert [operator.uid for operator in found.operators] == sorted(operator.uid for operator in found.operators)
    count = found.operator("count")
    assert count is not None
    assert (count.id, count.kind, count.max_parallelism) == ("b71731f1c0df9c3076c4a455334d0ad6", "keyed-process", 128)
    assert (count.key_type, count.execution_mode, count.timers) == ("String", "thread", "none")
    assert count.states == (
        State("by-day", "map", "MapTypeInfo<String, TupleTypeInfo(String, Long)>"),
        State("count", "value", "Long", "7200000 ms, OnCreateAndWrite, NeverReturnExpired"),
        State("recent", "list", "ListTypeInfo<String>"),
    )
    sessions = found.operator("sessions")
    assert sessions is not None
    assert sessions.timers == "set"
    assert found.backend == "rocksdb"


def test_an_operator_without_a_uid_cannot_be_locked() -> None:
    """The message has its line."""

    def build(env: Any) -> None:
        env.from_collection([1], Types.LONG()).uid("source").map(lambda value: value, Types.LONG()).print().uid("out")

    with pytest.raises(ConfigurationError, match=r"An operator cannot be locked.*test_model\.py:\d+"):
        lock_of(states.discover(built(build)))


class Word(NamedTuple):
    """A record."""

    text: str


@dataclass
class Parent:
    """Fields may be inherited."""

    first: int = 0


@dataclass
class Kept(Parent):
    """What is kept of a key."""

    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    last: typing.Union[int, None] = None  # noqa: UP007  (as some write it)


class Pair(msgspec.Struct):
    """A state that is no dataclass."""

    total: int = 0
    last: Optional[str] = None  # noqa: UP045


def function_of(kind: type[Any], number: int, *, migrates: bool) -> KeyedFunction[Word, Any]:
    """Return a function with a class of states."""

    class Function(KeyedFunction[Word, Any]):
        state = kind
        version = number

        def process(self, key: Any, state: Any, records: list[Word], context: Context) -> None:
            """Do nothing."""

    class Migrating(Function):
        def migrate(self, version: int, values: tuple[Any, ...]) -> Any:  # noqa: ARG002
            return kind(*values)

    return Migrating() if migrates else Function()


def build_with(function: KeyedFunction[Word, Any]) -> Callable[[Any], None]:
    """Return a job with a function."""

    def build(env: Any) -> None:
        values = env.from_collection(["a"], Types.STRING()).uid("source")
        words, no_words = batches.read(
            values, lambda text: Word(text.decode()), record=Word, key=str, malformed=ValueError, rejected=lambda text, _: text, uid="parse"
        )
        words.process(function, uid="words").print().uid("out")
        no_words.print().uid("rejected")

    return build


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kept, (("first", "int"), ("seen", "dict[str, tuple[int, int]]"), ("last", "typing.Union[int, None]"))),
        (Pair, (("total", "int"), ("last", "Optional[str]"))),
    ],
)
@pytest.mark.parametrize("migrates", [True, False])
def test_the_class_of_a_keyed_functions_state(kind: type[Any], fields: tuple[tuple[str, str], ...], migrates: bool) -> None:  # noqa: FBT001
    """Its version and its fields, as they are written; and whether it migrates older ones."""
    found = lock_of(states.discover(built(build_with(function_of(kind, 3, migrates=migrates)))))
    operator = found.operator("words")
    assert operator is not None
    state = next(state for state in operator.states if state.name == "states")
    assert (state.version, state.fields, state.migrates) == (3, fields, migrates)


def test_a_window_operator_has_its_windows() -> None:
    """Assigner, trigger and kind of window; no size."""
    found = lock_of(states.discover(built(jobs.sound))).operator("sessions")
    assert found is not None
    assert found.window == "EventTimeSessionWindows, EventTimeTrigger, TimeWindow"

    def build(env: Any) -> None:
        windows = jobs.pairs(env).key_by(lambda value: value[0], Types.STRING()).window(GlobalWindows.create())
        windows = windows.trigger(PurgingTrigger.of(CountTrigger.of(3)))
        windows.reduce(lambda one, _: one).uid("counted").print().uid("out")

    counted = lock_of(states.discover(built(build))).operator("counted")
    assert counted is not None
    assert counted.window == "GlobalWindows, PurgingTrigger(CountTrigger), GlobalWindow"


def test_sources_and_sinks_have_their_connectors() -> None:
    """Those of today, both halves of a sink, and those of before Flink 1.14."""

    def build(env: Any) -> None:
        numbers = env.from_source(NumberSequenceSource(0, 1), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()).uid("numbers")
        texts = numbers.map(str, Types.STRING()).uid("texts")
        texts.sink_to(FileSink.for_row_format("/tmp", Encoder.simple_string_encoder()).build()).uid("files")  # noqa: S108
        texts.print().uid("out")

    found = lock_of(states.discover(built(build)))
    assert {operator.uid: operator.connector for operator in found.operators if operator.connector} == {
        "numbers": "NumberSequenceSource",
        "files": "FileSink",
        "Sink Committer: files": "FileSink",
        "out": "PrintSinkFunction",
    }


def _queries(*queries: str) -> Lock:
    def build(env: Any) -> None:
        tables = StreamTableEnvironment.create(env)
        row = Types.ROW_NAMED(["k", "v", "w"], [Types.LONG(), Types.LONG(), Types.LONG()])
        rows = env.from_collection([Row(1, 2, 3)], row).uid("rows")
        tables.create_temporary_view("numbers", rows)
        for query in queries:
            name = query.partition("(")[0].split()[-1].lower()
            found = tables.to_changelog_stream(tables.sql_query(query)).map(lambda row: row[1], Types.LONG()).uid(f"{name}-map")
            found.print().uid(f"{name}-out")

    return lock_of(states.discover(built(build)))


MINIMUM = "SELECT k, MIN(v) FROM numbers GROUP BY k"


def test_a_query_has_a_digest_of_what_it_computes() -> None:
    """Its uids and its names are the same for another aggregate, or another column."""
    found = [_queries(query) for query in (MINIMUM, MINIMUM, MINIMUM.replace("MIN(v)", "MIN(w)"))]
    plans = [{operator.uid: operator.plan for operator in each.operators if operator.kind == "table"} for each in found]
    assert plans[0] == plans[1] != plans[2]
    assert plans[0].keys() == plans[2].keys()
    assert None not in plans[0].values()


def test_a_query_that_is_added_changes_nothing_of_another() -> None:
    """The planner numbers its operators in the names, and the next job has other numbers for all of them."""
    alone, added = _queries(MINIMUM), _queries("SELECT k, SUM(w) FROM numbers GROUP BY k", MINIMUM)
    for operator in alone.operators:
        if operator.uid.startswith("min"):
            assert added.operator(operator.uid) == operator
            assert "[" not in operator.name
