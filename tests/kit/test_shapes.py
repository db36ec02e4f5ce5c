"""Every PyFlink shape ends with the expected uids and starts under Flink's strict switch, or is refused at its line."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from jobkit import graph, guardrails
from jobkit.origins import Origins
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment

from . import shapes

pytestmark = [
    pytest.mark.usefixtures("jvm"),
    # Beam's worker threads are in this process here, and are hung up on when a job ends.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]

ACCEPTED = [pytest.param(shape, id=shape.name) for shape in shapes.SHAPES if not shape.refused]
REFUSED = [pytest.param(shape, id=shape.name) for shape in shapes.SHAPES if shape.refused]
_UID_RULES = [rule for rule in guardrails.RULES if rule.id in {"missing-uids", "duplicate-uids", "random-uids", "max-parallelism"}]


def build(shape: shapes.Shape) -> tuple[StreamExecutionEnvironment, graph.JobGraph]:
    """Build a shape as a job would be built, with Flink's strict switch on."""
    configuration = Configuration()
    for key, value in {"parallelism.default": "1", "pipeline.auto-generate-uids": "false", **dict(shape.settings)}.items():
        configuration.set_string(key, value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_max_parallelism(128)
    with Origins() as origins:
        shape.build(env)
    return env, graph.read(env, origins, shape.name)


def marked_line(function: Callable[..., None]) -> int:
    """Return the line of the file that carries the mark, found in the source itself."""
    lines, first = inspect.getsourcelines(function)
    return next(first + offset for offset, line in enumerate(lines) if "# refused" in line)


def test_there_are_enough_shapes() -> None:
    """The table covers what PyFlink users write."""
    assert len(shapes.SHAPES) >= 25


@pytest.mark.parametrize("shape", ACCEPTED)
def test_an_accepted_shape_has_its_uids_and_starts_in_strict_mode(shape: shapes.Shape) -> None:
    """Flink itself is the judge: with generated uids forbidden it must take the graph, and run it to its end."""
    env, job = build(shape)
    assert {operator.uid for operator in job.operators} == shape.uids
    assert len(job.operators) == len(shape.uids)
    assert all(operator.id and len(operator.id) == 32 for operator in job.operators)
    assert all(operator.file and operator.file.endswith("shapes.py") for operator in job.operators)
    if shape.starts:
        env.execute(shape.name)
    else:
        graph_of_flink = env._generate_stream_graph(clear_transformations=True, job_name=shape.name)
        assert graph_of_flink.getJobGraph().getNumberOfVertices() > 0


@pytest.mark.parametrize("shape", REFUSED)
def test_a_refused_shape_names_the_rule_and_the_line(shape: shapes.Shape) -> None:
    """The refusal points at the very call that has to change, and nothing else is refused."""
    job, again = build(shape)[1], build(shape)[1]
    results = guardrails.judge(guardrails.Job(job, "local", again), rules=_UID_RULES)
    failed = [result for result in results if result.status == "fail"]
    assert {result.rule for result in failed} == shape.refused
    assert [result.line for result in failed] == [marked_line(shape.build)]
    assert all(result.file and result.file.endswith("shapes.py") and result.remedy for result in failed)
