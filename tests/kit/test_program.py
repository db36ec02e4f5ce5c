"""Any PyFlink program is analysed as it stands: PyFlink's own examples with the verdicts that they deserve."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyflink
import pytest
from jobkit import guardrails, program
from jobkit.errors import ConfigurationError
from jobkit.graph import JobGraph

from .projects import jobkit

EXAMPLES = Path(pyflink.__file__).parent / "examples" / "datastream"


@dataclass(frozen=True)
class Verdict:
    """What is wrong with one job of an example, read from its source by hand.

    Attributes:
        missing: The line of each call that makes an operator without a uid; fused operators are one.
        rolling: The lines of rolling aggregates.
        pickled: The lines of key_by calls without a key type.
    """

    missing: tuple[int, ...]
    rolling: tuple[int, ...] = ()
    pickled: tuple[int, ...] = ()


VERDICTS = {
    "basic_operations.py": [
        Verdict((27, 36, 53)),
        Verdict((27, 36, 60)),
        Verdict((27, 36, 64, 66), rolling=(66,), pickled=(66,)),
    ],
    "event_time_timer.py": [Verdict((68, 81, 87, 88), pickled=(86,))],
    "process_json_data.py": [Verdict((29, 48, 48))],
    "state_access.py": [Verdict((56, 71, 72), pickled=(70,))],
    # Its source is SQL's, which is not for the user to name.
    "streaming_word_count.py": [Verdict((60, 63, 81), rolling=(63,), pickled=(62,))],
    # In batch mode nothing is ever restored: its reduce(…) is harmless.
    "word_count.py": [Verdict((83, 89, 92, 110), pickled=(91,))],
    "asyncio/remote_model_inference.py": [Verdict((107, 131))],
    "windowing/session_with_dynamic_gap_window.py": [Verdict((67, 75, 78, 97))],
    "windowing/session_with_gap_window.py": [Verdict((67, 75, 78, 97))],
    "windowing/sliding_time_window.py": [Verdict((61, 69, 72, 91))],
    "windowing/tumbling_count_window.py": [Verdict((55, 61, 79))],
    "windowing/tumbling_time_window.py": [Verdict((61, 69, 72, 91))],
}
NAMED_JARS = {
    "connectors/elasticsearch.py": "flink-sql-connector-elasticsearch6",
    "connectors/kafka_avro_format.py": "flink-sql-avro",
    "connectors/kafka_bytearray_format.py": "flink-sql-connector-kafka",
    "connectors/kafka_csv_format.py": "flink-sql-connector-kafka",
    "connectors/kafka_json_format.py": "flink-sql-connector-kafka",
    "connectors/pulsar.py": "flink-sql-connector-pulsar",
}
# A sink's writer and committer are one call.
WITH_JARS = {
    "connectors/kafka_bytearray_format.py": [Verdict((48, 53, 67)), Verdict((81, 88))],
    "connectors/kafka_csv_format.py": [Verdict((32, 50)), Verdict((67, 73))],
    "connectors/kafka_json_format.py": [Verdict((32, 52)), Verdict((69, 75))],
}


def lines(jobs: list[JobGraph], rule: str) -> list[tuple[int, ...]]:
    """Return the lines that a rule finds in each job, in order."""
    chosen = [entry for entry in guardrails.RULES if entry.id == rule]
    judged = [guardrails.judge(guardrails.Job(job, "prod"), rules=chosen) for job in jobs]
    return [tuple(sorted(result.line or 0 for result in results if result.status in ("fail", "unknown"))) for results in judged]


def test_each_example_of_pyflink_is_in_the_tables() -> None:
    """A new version of PyFlink brings no example that is not looked at."""
    files = {str(file.relative_to(EXAMPLES)) for file in EXAMPLES.rglob("*.py") if file.name != "__init__.py"}
    assert files == set(VERDICTS) | set(NAMED_JARS)


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize("example", VERDICTS)
def test_an_example_is_analysed_unchanged(example: str) -> None:
    """Each job that it executes is found, and what is wrong with it at the lines where it is written."""
    jobs = program.graphs(EXAMPLES / example)
    expected = VERDICTS[example]
    assert lines(jobs, "missing-uids") == [verdict.missing for verdict in expected]
    assert lines(jobs, "rolling-aggregates") == [verdict.rolling for verdict in expected]
    assert lines(jobs, "pickled-keys") == [verdict.pickled for verdict in expected]
    assert lines(jobs, "max-parallelism") == [(0,) for _ in expected]
    assert {operator.file for job in jobs for operator in job.operators} == {str(EXAMPLES / example)}


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize("example", NAMED_JARS)
def test_an_example_that_names_a_jar_is_told_which_one_is_missing(example: str) -> None:
    """The path in the example is a placeholder: the reader learns what to give."""
    with pytest.raises(ConfigurationError) as refused:
        program.graphs(EXAMPLES / example)
    assert f"/path/to/{NAMED_JARS[example]}-1." in (refused.value.found or "")
    assert f"--jar {NAMED_JARS[example]}-<version>.jar" in (refused.value.remedy or "")


def test_an_example_is_analysed_once_its_jar_is_given(tmp_path: Path, flink_lib: Path) -> None:
    """The connector comes from --jar alone: this command has a JVM of its own without it."""
    connector = next(flink_lib.glob("flink-sql-connector-kafka-*.jar"))
    example = "connectors/kafka_json_format.py"
    done = jobkit(tmp_path, "check", "--program", str(EXAMPLES / example), "--jar", str(connector), "--json")
    assert done.returncode == 1, done.stderr
    found = [result["line"] for result in json.loads(done.stdout)["results"] if result["rule"] == "missing-uids"]
    assert sorted(set(found)) == sorted(line for verdict in WITH_JARS[example] for line in verdict.missing)


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize("example", WITH_JARS)
def test_a_given_jar_stands_in_for_the_one_that_is_named(example: str, flink_lib: Path) -> None:
    """Versions differ: the name without the version decides."""
    connector = next(flink_lib.glob("flink-sql-connector-kafka-*.jar"))
    jobs = program.graphs(EXAMPLES / example, jars=[connector])
    assert [tuple(sorted(set(job))) for job in lines(jobs, "missing-uids")] == [verdict.missing for verdict in WITH_JARS[example]]


@pytest.mark.usefixtures("jvm")
def test_a_jar_that_is_given_is_no_other(flink_lib: Path) -> None:
    """The connector does not stand in for the format: that one is still missing."""
    connector = next(flink_lib.glob("flink-sql-connector-kafka-*.jar"))
    with pytest.raises(ConfigurationError) as refused:
        program.graphs(EXAMPLES / "connectors/kafka_avro_format.py", jars=[connector])
    assert "flink-sql-avro" in (refused.value.found or "")


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a program."""

    def written(text: str) -> Path:
        file = tmp_path / "program.py"
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    return written


START = """\
    import sys
    from pyflink.datastream import StreamExecutionEnvironment
    from pyflink.table import StreamTableEnvironment
    env = StreamExecutionEnvironment.get_execution_environment()
    stream = env.from_collection([1, 2]).uid("source")
"""
SQL = """\
    tables = StreamTableEnvironment.create(env)
    tables.execute_sql("CREATE TEMPORARY TABLE a (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '1')")
    tables.execute_sql("CREATE TEMPORARY TABLE b (n INT) WITH ('connector' = 'blackhole')")
"""

FAILING = {
    "an exception": (START + "    1 / 0\n", "raised an exception", "ZeroDivisionError: division by zero", ":6"),
    "an exception of Flink's": (
        START + "    stream.uid('')._j_data_stream.setParallelism(-7)\n",
        "raised an exception",
        "IllegalArgumentException",
        ":6",
    ),
    "a syntax error": ("def f(:\n", "raised an exception", "SyntaxError", "program.py"),
    "an unknown module": ("import no_such_module\n", "raised an exception", "No module named 'no_such_module'", ":1"),
    "an exit code": ("import sys\nsys.exit(3)\n", "ended itself", "exit code 3", "program.py"),
    "an exit message": ("import sys\nsys.exit('wrong')\n", "ended itself", "wrong", "program.py"),
    "no job": (START, "without executing", None, "program.py"),
    "an early end": ("import sys\nsys.exit()\n", "without executing", None, "program.py"),
    "an empty file": ("", "without executing", None, "program.py"),
}
EXECUTING_SQL = {
    "execute_insert": 'tables.from_path("a").execute_insert("b").wait()',
    "execute": 'tables.from_path("a").execute().print()',
    "to_pandas": 'tables.from_path("a").to_pandas()',
    "execute_sql of an insert": 'tables.execute_sql("INSERT INTO b SELECT n FROM a").wait()',
    "execute_sql of a query": 'tables.execute_sql("-- all\\nWITH c AS (SELECT n FROM a) SELECT n FROM c").print()',
    "execute_sql of a set": 'tables.execute_sql("EXECUTE STATEMENT SET BEGIN INSERT INTO b SELECT n FROM a; END")',
    "a pipeline": 'tables.from_path("a").insert_into("b").execute()',
    "a plan": 'tables.compile_plan_sql("INSERT INTO b SELECT n FROM a").execute()',
    "a statement set": 'tables.create_statement_set().add_insert_sql("INSERT INTO b SELECT n FROM a").execute()',
}


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize("kind", FAILING)
def test_a_program_that_does_not_get_to_a_job_says_why(kind: str, write: Write) -> None:
    """One paragraph: what happened, and at which line of the program."""
    text, what, found, where = FAILING[kind]
    with pytest.raises(ConfigurationError) as refused:
        program.graphs(write(text))
    assert what in refused.value.what
    assert (found or "") in (refused.value.found or "")
    assert (refused.value.where or "").endswith(where)
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize("call", EXECUTING_SQL)
def test_a_program_that_executes_sql_is_not_run(call: str, write: Write) -> None:
    """Nothing is ever submitted; definitions are no jobs and go through."""
    with pytest.raises(ConfigurationError, match="executes SQL by itself"):
        program.graphs(write(START + SQL + f"    {EXECUTING_SQL[call]}\n"))


@pytest.mark.parametrize("path", ["missing.py", "."])
def test_what_is_no_program_is_refused(path: str, tmp_path: Path) -> None:
    """A file that is not there, a folder."""
    with pytest.raises(ConfigurationError, match="There is no such program"):
        program.graphs(tmp_path / path)


def test_a_jar_that_is_not_there_is_refused(tmp_path: Path, write: Write) -> None:
    """Before the program is run."""
    with pytest.raises(ConfigurationError, match="There is no such jar"):
        program.graphs(write("raise AssertionError"), jars=[tmp_path / "missing.jar"])


@pytest.mark.usefixtures("jvm")
def test_each_way_to_execute_is_a_job_and_none_is_submitted(write: Write) -> None:
    """A program goes on after it executed: what it would do with the results finds none."""
    jobs = program.graphs(
        write(
            START
            + """\
    stream.print().uid("one")
    assert env.execute("first").get_net_runtime() == 0
    env.from_collection([3]).uid("again").print().uid("two")
    client = env.execute_async("second")
    assert client.get_job_id() is not None
    with env.from_collection([4]).uid("third").execute_and_collect("third") as results:
        assert list(results) == []
    assert env.from_collection([5]).uid("fourth").execute_and_collect("fourth", 1) == []
    """
        )
    )
    assert [job.name for job in jobs] == ["first", "second", "third", "fourth"]
    assert [{operator.uid for operator in job.operators} for job in jobs[:2]] == [
        {"source", "one", "one/to-string"},
        {"again", "two", "two/to-string"},
    ]


def test_prints_and_arguments_of_a_program(tmp_path: Path, write: Write) -> None:
    """What a program prints, by whatever way, does not spoil the one document; its arguments come after --."""
    file = write(
        START
        + """\
    import os
    print("printed", *sys.argv[1:])
    sys.stdout.write("written")
    os.write(1, b"written below Python")
    stream.print().uid(sys.argv[2])
    env.execute(sys.argv[1])
    """
    )
    done = jobkit(tmp_path, "graph", "--program", str(file), "--json", "--", "--name", "sink-1")
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)["jobs"][0]
    assert job["name"] == "--name"
    assert {operator["uid"] for operator in job["operators"]} == {"source", "sink-1/to-string", "sink-1"}
    assert "printed --name sink-1" in done.stderr


def test_a_wrong_program_ends_the_command_with_2(tmp_path: Path, write: Write) -> None:
    """One paragraph, no traceback, and nothing left behind."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = jobkit(tmp_path, "check", "--program", str(write(START + "    1 / 0\n")), TMPDIR=str(temporary))
    assert list(temporary.glob("jobkit-*")) == []  # from_collection leaves a folder of PyFlink's
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: The program raised an exception")
    assert done.stderr.count("\n") == 1
