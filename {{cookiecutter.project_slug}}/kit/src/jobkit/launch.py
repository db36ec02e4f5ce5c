"""The one call of a job's `__main__.py`: build it, judge it, and submit exactly what was judged."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from . import entry, shipping, states
from .errors import JobkitError, NoProject
from .filesystem import FileSystemError
from .graph import JobGraph
from .guardrails import Job, Result, judge
from .guardrails.report import refusal, waived
from .lock import beside, judgement, lock_of, restoring
from .project import Project, environment_name, find_project

_log = logging.getLogger("jobkit")
_MANAGED = Path("/etc/flink/application_properties.json")
"""Where AWS Managed Service for Apache Flink puts an application's runtime properties: it gives a job its id itself."""
_JOB_ID = "$internal.pipeline.job-id"
"""`PipelineOptionsInternal.PIPELINE_FIXED_JOB_ID`: what Flink's own application mode, and the Kubernetes operator, set for their jobs."""


class GuardrailsBroken(JobkitError):
    """The job broke at least one guardrail, and was not submitted.

    Attributes:
        results: What every rule came to.
    """

    exit_code = 1

    def __init__(self, results: Sequence[Result]) -> None:
        super().__init__(refusal(results))
        self.results = list(results)


def launch(build: entry.Build) -> None:
    """Build the job, hold it to the guardrails, and submit it to the cluster that runs this program.

    Ends the process with a message and exit code 1 when a guardrail is broken, 2 when a setting is wrong. The
    environment is named by the variable JOBKIT_ENV (unset: `prod`); the waivers come from `[tool.jobkit]` in the
    pyproject.toml above the job's file.

    Args:
        build: `build(env, settings)`, which adds the job's operators and does not execute it.
    """
    try:
        env, graph = prepare(build)
    except JobkitError as error:
        sys.stderr.write(f"{error}\n" if isinstance(error, GuardrailsBroken) else f"error: {error}\n")
        sys.exit(error.exit_code)
    _store_lock(env, graph)
    env.execute(graph.name)


def prepare(build: entry.Build) -> tuple[StreamExecutionEnvironment, JobGraph]:
    """Build and judge a job; return its environment, ready to execute, and its graph.

    Raises:
        GuardrailsBroken: When a guardrail is broken.
        ConfigurationError: When a setting is wrong.
    """
    project = _project(build)
    settings = entry.settings(build)
    with shipping.shipped(build):
        env, graph = entry.build_graph(build, settings)
    again = entry.build_graph(build, settings)[1]
    results = examine(graph, again, environment_name(), project, at_start=True)
    results += restoring.judge(project, graph, environment_name())
    for line in waived(results):
        sys.stderr.write(f"{line}\n")
    if any(result.status == "fail" for result in results):
        raise GuardrailsBroken(results)
    for result in results:
        if result.status == "unknown":
            _log.warning("%s: %s %s", result.rule, result.message, result.remedy)
    return env, graph


def _store_lock(env: StreamExecutionEnvironment, graph: JobGraph) -> None:
    """Write the job's lock beside the checkpoints that it will make, so that `jobkit compat` finds it from any of them.

    The job gets its id here for that, unless the platform has given it one. A lock that cannot be written keeps no job from starting.
    """
    checkpoints = graph.settings["execution.checkpointing.dir"].effective
    is_named = all(operator.id is not None and operator.uid is not None for operator in graph.operators)
    job_id = graph.configuration.get(_JOB_ID)
    if graph.batch or checkpoints is None or not is_named or (job_id is None and not _may_set(graph)):
        return
    if job_id is None:
        job_id = get_gateway().jvm.org.apache.flink.api.common.JobID.generate().toHexString()
        env._j_stream_execution_environment.getConfiguration().setString(_JOB_ID, job_id)
    try:
        beside.store(lock_of(graph), str(checkpoints), job_id)
    except (FileSystemError, JobkitError) as error:
        _log.warning(
            "The job's lock was not stored beside its checkpoints in %s, where jobkit compat would find it: %s", checkpoints, error
        )


def _may_set(graph: JobGraph) -> bool:
    """Whether a program may set a key: Flink can be told to refuse it, and AWS Managed Service for Apache Flink does."""
    return graph.configuration.get("execution.program-config.enabled") != "false" and not _MANAGED.exists()


def examine(graph: JobGraph, again: JobGraph, environment: str, project: Project, *, at_start: bool = False) -> list[Result]:
    """Look for the states of a job that was built twice, to find what is random; judge it, and compare it with the project's lock."""
    results = judge(Job(states.discover(graph, again), environment, again), project.waivers)
    return [*results, *judgement.judge(project, graph, environment, at_start=at_start)]


def _project(build: entry.Build) -> Project:
    file = Path(inspect.getfile(inspect.unwrap(build)))
    try:
        return find_project(file)
    except NoProject:
        return Project(root=file.parent)
