"""Reads and judges a job without running it: the project's own, or any PyFlink program."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cluster import classes, distribution, gateway, jars, java
from .cluster.jars import Progress
from .cluster.workplace import Workplace
from .errors import ConfigurationError, NoProject
from .project import LOCAL, Project, find_project

if TYPE_CHECKING:
    from .configuration import Configuration
    from .graph import JobGraph
    from .guardrails import Result

_JVM_OPTIONS = "-XX:+IgnoreUnrecognizedVMOptions -XX:-UsePerfData -XX:TieredStopAtLevel=1 -Xmx1g"
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


def jvm(project: Project | None = None) -> Any:
    """Return the gateway to this process's JVM; start it, with a project's jars, when it is not up.

    Args:
        project: By default the one of the working folder, if there is one.

    Raises:
        ConfigurationError: As `prepare`.
    """
    from pyflink.java_gateway import get_gateway

    if not gateway.is_up():
        with contextlib.suppress(NoProject):
            project = project or find_project(Path.cwd())
        prepare(project, lasting=True)
        gateway.start()
    return get_gateway()


def prepare(project: Project | None, progress: Progress | None = None, plugins: Path | None = None, *, lasting: bool = False) -> None:
    """Point PyFlink's gateway, which is not started yet, at a fit Java and at the project's jars.

    Args:
        project: Whose jars; None for those of PyFlink alone.
        progress: Called as the bytes of jars arrive.
        plugins: A folder of plug-ins for Flink.
        lasting: Whether the process does more than read a job: its JVM loads what no command needs, and keeps none of it.

    Raises:
        ConfigurationError: When there is no Java or PyFlink, or a jar cannot be had.
    """
    found, home = java.find(), distribution.home()
    if project is None:
        library = home / "lib"
    else:
        distribution.require(project.flink)
        library = jars.library(project, progress) if progress else jars.library(project)
    kept = classes.find(found, library, write=not lasting)
    gateway.when_ended(kept.keep)
    options = " ".join([_JVM_OPTIONS, *kept.options])
    environ = {"JAVA_HOME": str(found.home), "FLINK_HOME": str(home), "FLINK_LIB_DIR": str(kept.library), "JVM_ARGS": options}
    if project is None:
        environ["FLINK_LOG_DIR"] = tempfile.mkdtemp(prefix="jobkit-")
        atexit.register(shutil.rmtree, environ["FLINK_LOG_DIR"], ignore_errors=True)
    else:
        environ["FLINK_LOG_DIR"] = str(project.work / "logs")
        Path(environ["FLINK_LOG_DIR"]).mkdir(parents=True, exist_ok=True)
    if plugins is not None:
        environ["FLINK_PLUGINS_DIR"] = str(plugins)
    for name in [name for name in os.environ if name.startswith(("FLINK_", "PYFLINK_"))]:
        del os.environ[name]
    os.environ.update(environ)


def of_project(
    project: Project,
    environment: str,
    configuration: Configuration,
    *,
    judged: bool,
    meanwhile: Callable[[JobGraph], object] | None = None,
) -> Analysis:
    """Read, and if wanted judge, the job of a project as it would start in an environment.

    Settings that the environment variables do not give are the sample ones: they name servers, not operators.

    Args:
        project: Whose job.
        environment: The one in which it would start.
        configuration: Of that environment.
        judged: Whether the rules are asked.
        meanwhile: Called with the job while other processes look for its states.
    """
    from . import entry, states
    from .calls import kept
    from .launch import examine

    build, values = entry.find(project), configuration.values
    if environment == LOCAL:
        values = {**values, **Workplace(project).configuration}
    settings, notes = _settings(build)
    gateway.start()
    with without_workers(), kept():
        graph = entry.build_graph(build, settings, values)[1]
        again = entry.build_graph(build, settings, values)[1] if judged else None
    if again is None:
        return Analysis([states.discover(graph, meanwhile=meanwhile)], notes=notes)
    results = examine(graph, again, environment, project)
    return Analysis([graph], [[*results, *_keys(configuration)]], notes)


@contextlib.contextmanager
def without_workers() -> Iterator[None]:
    """Keep PyFlink from starting what would run the job's functions in this process: that imports Apache Beam, which takes seconds."""
    name = "_python_worker_execution_mode"
    before = os.environ.get(name)
    os.environ[name] = "process"
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


def _keys(configuration: Configuration) -> list[Result]:
    """Return what is wrong with the keys and values of conf/, or that nothing is."""
    from .findings import check
    from .guardrails import Result
    from .known_options import Options

    wrong = [finding for finding in check(configuration, Options.of_flink()) if finding.is_wrong]
    if not wrong:
        title = "Every key in conf/ is one of Flink's, and every value of its type."
        return [Result("configuration-keys", "pass", "configuration", title)]
    results = []
    for finding in wrong:
        file, _, line = finding.origin.rpartition(":")
        place = {"file": file, "line": int(line)} if line.isdigit() else {"file": finding.origin, "line": None}
        why = "Flink ignores a key that it does not know, and fails late on a value that it cannot read."
        results.append(Result("configuration-keys", "fail", "configuration", finding.message, why, finding.remedy, **place))
    return results


def of_program(read: Callable[[], list[JobGraph]], environment: str, *, judged: bool) -> Analysis:
    """Read, and if wanted judge, each job that a PyFlink program would execute.

    Args:
        read: Runs the program up to where it would execute, as `program.graphs` does; called twice when it is judged.
        environment: What the jobs are judged for.
        judged: Whether the rules are asked.
    """
    from . import states
    from .calls import kept
    from .guardrails import Job, judge

    gateway.start()
    with without_workers(), kept():
        graphs = read()
        again = read() if judged else []
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
