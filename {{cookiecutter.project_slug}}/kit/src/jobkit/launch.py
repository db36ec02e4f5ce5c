"""The one call of a job's `__main__.py`: build it, judge it, and submit exactly what was judged."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from pyflink.datastream import StreamExecutionEnvironment

from . import entry, states
from .errors import JobkitError, NoProject
from .graph import JobGraph
from .guardrails import Job, Result, judge
from .guardrails.report import refusal, waived
from .lock import judgement
from .project import Project, environment_name, find_project

_log = logging.getLogger("jobkit")


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
        env, name = prepare(build)
    except JobkitError as error:
        sys.stderr.write(f"{error}\n" if isinstance(error, GuardrailsBroken) else f"error: {error}\n")
        sys.exit(error.exit_code)
    env.execute(name)


def prepare(build: entry.Build) -> tuple[StreamExecutionEnvironment, str]:
    """Build and judge a job; return its environment, ready to execute, and its name.

    Raises:
        GuardrailsBroken: When a guardrail is broken.
        ConfigurationError: When a setting is wrong.
    """
    project = _project(build)
    settings = entry.settings(build)
    env, graph = entry.build_graph(build, settings)
    again = entry.build_graph(build, settings)[1]
    results = examine(graph, again, environment_name(), project, at_start=True)
    for line in waived(results):
        sys.stderr.write(f"{line}\n")
    if any(result.status == "fail" for result in results):
        raise GuardrailsBroken(results)
    for result in results:
        if result.status == "unknown":
            _log.warning("%s: %s %s", result.rule, result.message, result.remedy)
    return env, graph.name


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
