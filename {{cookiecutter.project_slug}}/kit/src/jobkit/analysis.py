"""Reads and judges a job without running it: the project's own, or any PyFlink program."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cluster import distribution, jars, java
from .cluster.repository import Progress
from .errors import ConfigurationError
from .project import Project

if TYPE_CHECKING:
    from .graph import JobGraph
    from .guardrails import Result

_JVM_OPTIONS = "-XX:+IgnoreUnrecognizedVMOptions -XX:-UsePerfData -XX:TieredStopAtLevel=1 -Xshare:auto -Xmx1g"
"""A JVM that lives for seconds: quick to start, and no files in the system's temporary folder."""


@dataclass(frozen=True)
class Analysis:
    """What was found out about the jobs of a project or a program.

    Attributes:
        jobs: A graph for each time that it executes.
        results: For each of them what the rules found; empty when they were not asked.
        notes: What the reader should know about how it was read.
    """

    jobs: list[JobGraph]
    results: list[list[Result]] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def prepare(project: Project | None, progress: Progress | None = None) -> None:
    """Point PyFlink's gateway, which is not started yet, at a fit Java and at the project's jars.

    Raises:
        ConfigurationError: When there is no Java or PyFlink, or a jar cannot be had.
    """
    environ = {"JAVA_HOME": str(java.find().home), "FLINK_HOME": str(distribution.home()), "JVM_ARGS": _JVM_OPTIONS}
    if project is None:
        environ["FLINK_LOG_DIR"] = tempfile.mkdtemp(prefix="jobkit-")
    else:
        distribution.require(project.flink)
        environ["FLINK_LIB_DIR"] = str(jars.library(project, progress) if progress else jars.library(project))
        environ["FLINK_LOG_DIR"] = str(project.work / "logs")
        Path(environ["FLINK_LOG_DIR"]).mkdir(parents=True, exist_ok=True)
    for name in [name for name in os.environ if name.startswith(("FLINK_", "PYFLINK_"))]:
        del os.environ[name]
    os.environ.update(environ)


def of_project(project: Project, environment: str, values: dict[str, str], *, judged: bool) -> Analysis:
    """Read, and if wanted judge, the job of a project as it would start in an environment.

    Settings that the environment variables do not give are the sample ones: they name servers, not operators.
    """
    from . import entry, states
    from .launch import examine

    build = entry.find(project)
    settings, notes = _settings(build)
    graph = entry.build_graph(build, settings, values)[1]
    if not judged:
        return Analysis([states.discover(graph)], notes=notes)
    return Analysis([graph], [examine(build, settings, graph, environment, project.waivers, values)], notes)


def of_program(file: Path, arguments: Sequence[str], paths: Sequence[Path], values: dict[str, str], environment: str, *, judged: bool) -> Analysis:
    """Read, and if wanted judge, each job that a PyFlink program would execute; nothing is submitted."""
    from . import program, states
    from .guardrails import Job, judge

    graphs = program.graphs(file, arguments, values, paths)
    again = program.graphs(file, arguments, values, paths) if judged else []
    for number, graph in enumerate(graphs):
        states.discover(graph, again[number] if number < len(again) else None)
    if not judged:
        return Analysis(graphs)
    pairs = zip(graphs, [*again, *([None] * len(graphs))], strict=False)
    return Analysis(graphs, [judge(Job(graph, environment, twin)) for graph, twin in pairs])


def _settings(build: Any) -> tuple[Any, tuple[str, ...]]:
    from . import entry

    try:
        return entry.settings(build), ()
    except ConfigurationError as error:
        kind = entry.settings_class(build)
        try:
            return kind(), (f"Read with sample settings: {error.what}",)
        except TypeError:
            raise error from None


