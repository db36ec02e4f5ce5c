"""The job's entry: the function that builds it, the settings that it takes, and the graph that comes out."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.data_stream import DataStream

from . import graph, statements
from .calls import names_remembered
from .errors import ConfigurationError, JobkitError
from .origins import Origins, raised_at, summary
from .project import Project

Build = Callable[[StreamExecutionEnvironment, Any], None]


def find(project: Project) -> Build:
    """Import the function that `[tool.jobkit] pipeline` names.

    Raises:
        ConfigurationError: When it is not set, cannot be imported, or is no function.
    """
    if project.pipeline is None:
        raise ConfigurationError(
            "The project does not say where its job is built.",
            where=f"{project.root / 'pyproject.toml'}, [tool.jobkit]",
            remedy='Write pipeline = "<package>.pipeline:build".',
        )
    sys.path[:0] = [str(path) for path in (project.root / "src", project.root) if str(path) not in sys.path]
    build = attribute(project.pipeline, "pipeline", project)
    if not inspect.isfunction(build):
        where = f"{project.root / 'pyproject.toml'}, [tool.jobkit] pipeline"
        raise ConfigurationError(f"{project.pipeline} is no function.", found=repr(build), where=where)
    return build


def attribute(reference: str, key: str, project: Project) -> Any:
    """Return what a `module:attribute` of `[tool.jobkit]` names.

    Raises:
        ConfigurationError: When it is not of that form, or there is no such module or attribute.
    """
    where = f"{project.root / 'pyproject.toml'}, [tool.jobkit] {key}"
    module, _, name = reference.partition(":")
    if not module or not name:
        raise ConfigurationError(f"{key} must be module:attribute.", found=reference, where=where)
    try:
        found = importlib.import_module(module)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
            raise ConfigurationError(f"There is no module {error.name}.", found=reference, where=where) from error
        raise ConfigurationError(f"{module} cannot be imported.", found=summary(error), where=raised_at(error) or where) from error
    if not hasattr(found, name):
        raise ConfigurationError(f"{module} has no {name}.", found=reference, where=where)
    return getattr(found, name)


def settings(build: Build, environ: Mapping[str, str] = os.environ) -> Any:
    """Read the settings that a build function takes, from the environment.

    Args:
        build: `build(env, settings: Settings)`; the type hint names the class.
        environ: The environment variables.

    Raises:
        ConfigurationError: When build takes no such argument, or a setting is missing or wrong.
    """
    return settings_class(build).from_environment(environ)


def settings_class(build: Build) -> Any:
    """Return the class of the settings that a build function takes."""
    parameters = list(inspect.signature(build).parameters)
    hints = typing.get_type_hints(build)
    kind = hints.get(parameters[1]) if parameters[1:] and not parameters[2:] else None
    if not hasattr(kind, "from_environment"):
        raise ConfigurationError(
            "The build function does not say what settings it takes.",
            found=f"{build.__name__}{inspect.signature(build)}",
            where=_where(build),
            remedy="Write def build(env: StreamExecutionEnvironment, settings: Settings) -> None, with Settings.from_environment.",
        )
    return kind


def _where(build: Build) -> str:
    code = inspect.unwrap(build).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


@names_remembered()
def build_graph(build: Build, settings: Any, values: Mapping[str, str] | None = None) -> tuple[StreamExecutionEnvironment, graph.JobGraph]:
    """Build the job in an environment of its own and read its graph.

    Args:
        build: The build function.
        settings: What it takes; `job_name` becomes the job's name.
        values: Flink configuration to build with, on top of what Flink hands the process.
    """
    configuration = Configuration()
    for key, value in (values or {}).items():
        configuration.set_string(key, value)
    try:
        env = StreamExecutionEnvironment.get_execution_environment(configuration)
    except Py4JJavaError as error:
        found = str(error.java_exception.toString())
        raise ConfigurationError("Flink refuses the configuration.", found=found, remedy="Correct the value in conf/.") from error
    with Origins() as origins, _without_execution(build):
        try:
            build(env, settings)
        except JobkitError:
            raise
        except Exception as error:
            place = raised_at(error) or _where(build)
            raise ConfigurationError("The build function raised an exception.", found=summary(error), where=place) from error
    if env._j_stream_execution_environment.getTransformations().isEmpty():
        raise ConfigurationError("The job has no operators.", where=_where(build), remedy="Let build add a source, operators and a sink.")
    return env, graph.read(env, origins, getattr(settings, "job_name", None))


@contextmanager
def _without_execution(build: Build) -> Iterator[None]:
    """Refuse what would submit the job before it was judged."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise JobkitError(
            "The build function submits the job itself, past the guardrails.",
            where=_where(build),
            remedy="Remove the call of execute from it: launch(build) executes what it built.",
        )

    calls = [(StreamExecutionEnvironment, "execute"), (StreamExecutionEnvironment, "execute_async"), (DataStream, "execute_and_collect")]
    with ExitStack() as stack:
        stack.enter_context(statements.refused(refuse))
        for owner, name in calls:
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, refuse)
        yield
