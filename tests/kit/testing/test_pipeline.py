"""A whole job runs over given records on the mini cluster, without Kafka, and leaves the process as it found it."""

from __future__ import annotations

import datetime as dt
import importlib
import logging
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jobkit.cluster.sample import Record
from jobkit.errors import ConfigurationError, JobFailed
from jobkit.project import Project, find_project
from jobkit.testing.operators import FIRST_WATERMARK, Operator, WrongType
from jobkit.testing.pipeline import Pipeline
from pyflink.common import Row, Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.fn_execution.beam.beam_coders import FlinkCoder
from pyflink.fn_execution.coders import from_type_info

SETTINGS = """
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Settings:
        shape: str
        job_name: str = "shapes"

        @classmethod
        def from_environment(cls, environ):
            return cls(environ["SHAPE"])
"""
PIPELINE = """
    from pyflink.common import Row, Types, WatermarkStrategy
    from pyflink.common.serialization import SimpleStringSchema
    from pyflink.common.watermark_strategy import TimestampAssigner
    from pyflink.datastream import KeyedProcessFunction, OutputTag, StreamExecutionEnvironment
    from pyflink.datastream.connectors.kafka import *
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource
    from pyflink.datastream.formats.json import JsonRowDeserializationSchema
    from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, ValueStateDescriptor

    from .settings import Settings

    def source(subscribe, schema=None):
        builder = KafkaSource.builder().set_bootstrap_servers("nowhere:1").set_group_id("g")
        return subscribe(builder).set_value_only_deserializer(schema or SimpleStringSchema()).build()

    def sink(topic, schema=None):
        records = KafkaRecordSerializationSchema.builder().set_value_serialization_schema(SimpleStringSchema())
        records = records.set_topic(topic) if isinstance(topic, str) else records.set_topic_selector(topic)
        return KafkaSink.builder().set_bootstrap_servers("nowhere:1").set_record_serializer(records.build()).build()

    def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
        SHAPES[settings.shape](env)

    def selector(env):
        words = env.from_source(source(lambda it: it.set_topics("words")), WatermarkStrategy.no_watermarks(), "words")
        words.map(str.upper, Types.STRING()).sink_to(sink(lambda word: "long" if len(word) > 3 else "short")).uid("out").name("out")

    def pattern(env):
        both = env.from_source(source(lambda it: it.set_topic_pattern("w.*")), WatermarkStrategy.no_watermarks(), "both")
        both.set_parallelism(1).sink_to(sink("all")).set_parallelism(2)

    def json(env):
        kind = Types.ROW_NAMED(["name", "size"], [Types.STRING(), Types.LONG()])
        schema = JsonRowDeserializationSchema.builder().type_info(kind).build()
        rows = env.from_source(source(lambda it: it.set_topics("rows"), schema), WatermarkStrategy.no_watermarks(), "rows")
        rows.map(lambda row: f"{row.name} {row.size + 1}", Types.STRING()).sink_to(sink("sizes"))

    class Number(TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp):
            return int(value)

    LATE = OutputTag("late", Types.STRING())

    class Late(KeyedProcessFunction):
        def process_element(self, value, ctx):
            if int(value) <= ctx.timer_service().current_watermark():
                yield LATE, value
            else:
                yield value
                ctx.timer_service().register_event_time_timer(int(value))
        def on_timer(self, timestamp, ctx):
            yield f"passed {timestamp}"
            if 100 <= timestamp < 120:
                ctx.timer_service().register_event_time_timer(timestamp + 10)

    def numbers(env):
        numbers = env.from_source(source(lambda it: it.set_topics("numbers")), WatermarkStrategy.no_watermarks(), "numbers")
        strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Number())
        judged = numbers.assign_timestamps_and_watermarks(strategy).key_by(lambda _: 0, Types.INT()).process(Late(), Types.STRING())
        judged.sink_to(sink("in-time"))
        judged.get_side_output(LATE).sink_to(sink("late"))

    def endless(env):
        numbers = env.from_source(NumberSequenceSource(1, 2**62), WatermarkStrategy.no_watermarks(), "numbers")
        numbers.map(str, Types.STRING()).sink_to(sink("all"))

    class Everything(KeyedProcessFunction):
        def open(self, runtime_context):
            self.value = runtime_context.get_state(ValueStateDescriptor("value", Types.LONG()))
            self.list = runtime_context.get_list_state(ListStateDescriptor("list", Types.TUPLE([Types.STRING(), Types.DOUBLE()])))
            self.map = runtime_context.get_map_state(MapStateDescriptor("map", Types.STRING(), Types.PICKLED_BYTE_ARRAY()))
            self.sum = runtime_context.get_reducing_state(ReducingStateDescriptor("sum", lambda a, b: a + b, Types.INT()))

        def process_element(self, value, ctx):
            time = int(value)
            before = self.value.value(), sorted(self.list.get()), sorted(self.map.items()), self.sum.get()
            yield repr((ctx.get_current_key(), ctx.timestamp(), ctx.timer_service().current_watermark(), before))
            self.value.update(time)
            self.list.add((value, float(time)))
            self.map.put(value, {"time": time})
            self.map.remove(str(time - 2))
            self.sum.add(time)
            for later in (7, 3, 7):
                ctx.timer_service().register_event_time_timer(time + later)
            ctx.timer_service().delete_event_time_timer(time + 4)
            if time % 5 == 0:
                self.list.clear()
                self.sum.clear()
                self.map.clear()
            self.map.put("none", None)

        def on_timer(self, timestamp, ctx):
            now = self.map.contains("none"), self.map.get("absent"), self.map.is_empty(), len(list(self.map.keys()))
            yield repr((timestamp, ctx.get_current_key(), ctx.timestamp(), str(ctx.time_domain()), self.value.value(), now))
            if timestamp == 14:
                self.value.clear()
                ctx.timer_service().register_event_time_timer(20)

    def everything(env):
        numbers = env.from_source(source(lambda it: it.set_topics("numbers")), WatermarkStrategy.no_watermarks(), "numbers")
        strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Number())
        keyed = numbers.assign_timestamps_and_watermarks(strategy).key_by(lambda value: int(value) % 2, Types.INT())
        keyed.process(Everything(), Types.STRING()).sink_to(sink("all"))

    SHAPES = {"everything": everything, "selector": selector, "pattern": pattern, "json": json, "numbers": numbers, "endless": endless}
"""
RECORD = Record(b"key", b"by itself")

pytestmark = pytest.mark.usefixtures("jvm")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose job has the shape that its settings name."""
    root = tmp_path_factory.mktemp("shapes")
    package = root / "src" / "shapes"
    package.mkdir(parents=True)
    (root / "pyproject.toml").write_text('[tool.jobkit]\npipeline = "shapes.pipeline:build"\n')
    for name, text in (("__init__", ""), ("settings", SETTINGS), ("pipeline", PIPELINE)):
        (package / f"{name}.py").write_text(textwrap.dedent(text))
    path = list(sys.path)
    yield find_project(root)
    sys.path[:] = path
    for name in [name for name in sys.modules if name.split(".")[0] == "shapes"]:
        del sys.modules[name]


def run(project: Project, shape: str, **inputs: Sequence[bytes | str | Record]) -> dict[str, list[bytes]]:
    """Run a shape over the records of each topic."""
    return Pipeline(project).run(inputs, environment={"SHAPE": shape})


def test_each_record_goes_through_the_job(project: Project) -> None:
    """Values may be bytes, texts or whole records; what comes out is sorted by the topics that it was written to."""
    assert run(project, "selector", words=[b"ab", "straße", RECORD]) == {"short": [b"AB"], "long": [b"STRASSE", b"BY ITSELF"]}


def test_a_source_reads_the_topics_of_its_pattern(project: Project) -> None:
    """Of those that were given, in that order."""
    assert run(project, "pattern", w1=[b"a", b"b"], w2=[b"c"]) == {"all": [b"a", b"b", b"c"]}


def test_records_go_through_the_jobs_own_schema(project: Project) -> None:
    """Also when it makes something else than texts of them."""
    assert run(project, "json", rows=['{"name": "a", "size": 1}', '{"name": "b", "size": 2}']) == {"sizes": [b"a 2", b"b 3"]}


def test_a_record_that_the_schema_cannot_read_is_named(project: Project) -> None:
    """The job would fail for it, and so does the run."""
    with pytest.raises(JobFailed, match="deserialisation schema cannot read a record") as failed:
        run(project, "json", rows=['{"name": "a", "size": 1}', "no JSON"])
    assert failed.value.where == "record 1 of the topic rows"


def test_what_is_late_does_not_depend_on_speed(project: Project) -> None:
    """The watermark follows each record; after the last one every timer fires."""
    outputs = run(project, "numbers", numbers=["1", "3", "2", "5", "4", "5", "6"])
    assert outputs["late"] == [b"2", b"4"]
    assert outputs["in-time"] == [b"1", b"3", b"passed 1", b"5", b"passed 3", b"5", b"6", b"passed 5", b"passed 6"]


def test_every_topic_is_in_the_outcome(project: Project) -> None:
    """A topic without records too, and a source that was given none."""
    assert run(project, "numbers") == {"in-time": [], "late": []}


def test_a_topic_that_is_not_read_is_refused(project: Project) -> None:
    """The misspelt name stands beside those that the job knows."""
    with pytest.raises(ConfigurationError, match=r"does not read a topic.*Found: nubmers\..*read numbers\."):
        run(project, "numbers", nubmers=["1"])


def test_a_failing_job_shows_the_users_traceback(project: Project) -> None:
    """The line of the user's code, and nothing of Java."""
    with pytest.raises(JobFailed, match="ValueError: invalid literal") as failed:
        run(project, "numbers", numbers=["1", "x"])
    assert "in extract_timestamp" in (failed.value.python_traceback or "")
    assert "org.apache" not in f"{failed.value}{failed.value.python_traceback}"


def test_a_timer_that_a_timer_registers_fires(project: Project) -> None:
    """At the end of the input too, though each record and each timer is a bundle of its own."""
    assert run(project, "numbers", numbers=["100"])["in-time"] == [b"100", b"passed 100", b"passed 110", b"passed 120"]


def test_a_job_that_does_not_end_is_cancelled(project: Project) -> None:
    """A source that is not Kafka's is left as it is, and this one has no end."""
    with pytest.raises(JobFailed, match="did not end"):
        Pipeline(project).run({}, environment={"SHAPE": "endless"}, seconds=3)
    assert run(project, "pattern", w=["after it"]) == {"all": [b"after it"]}


def test_a_function_alone_does_what_it_does_in_flink(project: Project) -> None:
    """The harness without a JVM and the mini cluster agree on states, timers, keys and times."""
    numbers = ["1", "2", "3", "4", "5", "5", "9", "7", "12"]
    flink = run(project, "everything", numbers=numbers)["all"]
    function = importlib.import_module("shapes.pipeline").Everything()  # the project's: on the path once the job was built
    operator = Operator(function, key=lambda value: int(value) % 2, key_type=Types.INT(), output_type=Types.STRING())
    watermark = FIRST_WATERMARK
    for number in numbers:
        operator.process(number, timestamp=int(number))
        watermark = max(watermark, int(number) - 1)
        operator.advance_watermark(watermark)
    operator.end_of_input()
    assert operator.output == [line.decode() for line in flink]


AS_KEPT = [
    ((1, 2), Types.LIST(Types.LONG())),
    ([1, None], Types.LIST(Types.LONG())),
    ([1, None], Types.PRIMITIVE_ARRAY(Types.LONG())),
    (bytearray(b"x"), Types.PRIMITIVE_ARRAY(Types.BYTE())),
    ([1], Types.PRIMITIVE_ARRAY(Types.BYTE())),
    ([1], Types.LIST(Types.BYTE())),
    ({"a": None}, Types.MAP(Types.STRING(), Types.LONG())),
    ((None,), Types.TUPLE([Types.LONG()])),
    ([1], Types.TUPLE([Types.LONG()])),
    (Row(b=2, a=None), Types.ROW_NAMED(["a", "b"], [Types.LONG(), Types.LONG()])),
    ((1,), Types.ROW([Types.LONG()])),
    (Row(1), Types.ROW([Types.LONG()])),
    (1, Types.DOUBLE()),
    (Decimal(1), Types.DOUBLE()),
    ("1", Types.DOUBLE()),
    (0.1, Types.FLOAT()),
    (1, Types.BOOLEAN()),
    (True, Types.LONG()),
    (300, Types.BYTE()),
    (2**40, Types.INT()),
    (2**70, Types.BIG_INT()),
    (1, Types.BIG_DEC()),
    (b"x", Types.STRING()),
    (None, Types.STRING()),
    (None, Types.PICKLED_BYTE_ARRAY()),
    (dt.datetime(2001, 1, 5, 10, 47, 0, 1999), Types.SQL_DATE()),  # noqa: DTZ001 - Flink's have no zone
    (dt.datetime(2001, 1, 5, 10, 47, 0, 1999), Types.SQL_TIMESTAMP()),  # noqa: DTZ001
    (dt.time(10, 47, 0, 1999), Types.SQL_TIME()),
]


@pytest.mark.parametrize(
    ("value", "declared"), AS_KEPT, ids=[f"{type(value).__name__}-{index}" for index, (value, _) in enumerate(AS_KEPT)]
)
def test_a_value_alone_is_kept_as_flinks_coders_keep_it(value: Any, declared: TypeInformation) -> None:
    """What the harness without a JVM refuses, they cannot write; what it gives back, they give back."""
    operator = Operator(Keep(declared), key=lambda _: 0)
    try:
        operator.process(value)
        found = repr(operator.state("kept", key=0))
    except WrongType:
        found = "refused"
    coder = FlinkCoder(from_type_info(declared)).get_impl()
    try:
        expected = repr(coder.decode(coder.encode(value)))
    except Exception:  # noqa: BLE001 - each coder fails in its own way
        expected = "refused"
    assert found == expected


class Keep(KeyedProcessFunction):
    """Keeps the last value."""

    def __init__(self, declared: TypeInformation) -> None:
        self._declared = declared

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state."""
        self._kept = runtime_context.get_state(ValueStateDescriptor("kept", self._declared))

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> None:  # noqa: ARG002 - Flink's
        """Write it."""
        self._kept.update(value)


def test_the_process_stays_as_it_was(project: Project) -> None:
    """PyFlink's methods, the root logger, the environment, the path and the folder."""
    methods = (StreamExecutionEnvironment.from_source, DataStream.sink_to, DataStream.assign_timestamps_and_watermarks)
    root = logging.getLogger()
    before = (root.level, list(root.handlers), dict(os.environ), Path.cwd())
    run(project, "pattern", w=["a"])
    assert methods == (StreamExecutionEnvironment.from_source, DataStream.sink_to, DataStream.assign_timestamps_and_watermarks)
    assert before == (root.level, list(root.handlers), dict(os.environ), Path.cwd())


def test_a_job_runs_with_more_parallelism(project: Project) -> None:
    """The order of the records is then not given."""
    outputs = Pipeline(project).run({"words": [f"{number}" for number in range(20)]}, environment={"SHAPE": "selector"}, parallelism=2)
    assert sorted(outputs["short"], key=int) == [f"{number}".encode() for number in range(20)]
