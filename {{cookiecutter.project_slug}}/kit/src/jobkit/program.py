"""Runs any PyFlink program up to the points where it would execute a job, and reads each job's graph there."""

from __future__ import annotations

import contextlib
import re
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from pyflink.common import Configuration, JobClient, JobExecutionResult, JobID
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.data_stream import DataStream
from pyflink.java_gateway import get_gateway

from . import graph, statements
from .errors import ConfigurationError, JobkitError
from .origins import Origins, summary

if TYPE_CHECKING:
    from typing_extensions import Self


def graphs(
    file: Path, arguments: Sequence[str] = (), values: Mapping[str, str] | None = None, jars: Sequence[Path] = ()
) -> list[graph.JobGraph]:
    """Run a program and return a graph for each job that it would have executed.

    What the program prints goes to stderr. Nothing is submitted: `execute` returns as if the job had finished.

    Args:
        file: The program.
        arguments: Its command-line arguments.
        values: Flink configuration to run it with; the program's own goes on top.
        jars: Connector jars; each stands in for a jar of that name that the program adds and that is not there.

    Raises:
        ConfigurationError: When there is no such file, a jar is missing, the program fails or executes nothing.
    """
    if not file.is_file():
        raise ConfigurationError("There is no such program.", found=str(file), remedy="Name a Python file that builds a PyFlink job.")
    missing = [jar for jar in jars if not jar.is_file()]
    if missing:
        raise ConfigurationError("There is no such jar.", found=", ".join(map(str, missing)), where="--jar")
    with Origins() as origins:
        interception = _Interception(origins, values or {}, [jar.resolve() for jar in jars])
        with interception.active():
            _run(file.resolve(), arguments)
    if not interception.found:
        raise ConfigurationError("The program ended without executing a DataStream job.", where=str(file))
    return interception.found


def _run(file: Path, arguments: Sequence[str]) -> None:
    argv, path = sys.argv, list(sys.path)
    sys.argv, sys.path[0:0] = [str(file), *arguments], [str(file.parent)]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            runpy.run_path(str(file), run_name="__main__")
    except JobkitError:
        raise
    except SystemExit as end:
        if end.code not in (None, 0):
            raise ConfigurationError(
                "The program ended itself before it executed a job.",
                found=f"exit code {end.code}",
                where=str(file),
                remedy="Give its arguments after --.",
            ) from end
    except Exception as error:
        lines = [entry for entry in traceback.extract_tb(error.__traceback__) if entry.filename == str(file)]
        place = f"{file}:{lines[-1].lineno}" if lines else str(file)
        raise ConfigurationError("The program raised an exception before it executed a job.", found=summary(error), where=place) from error
    finally:
        sys.argv, sys.path[:] = argv, path


class _Collected:
    """Stands for the results of execute_and_collect: there are none."""

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass


class _Submitted(JobClient):  # type: ignore[misc]  # PyFlink brings no types
    """Stands for the client of a job that was not submitted."""

    def __init__(self) -> None:
        super().__init__(None)

    def get_job_id(self) -> JobID:
        return JobID(get_gateway().jvm.org.apache.flink.api.common.JobID())

    def get_job_execution_result(self) -> Any:
        return get_gateway().jvm.java.util.concurrent.CompletableFuture.completedFuture(None)


class _Interception:
    """What takes the place of the calls that would execute a job, while a program runs."""

    def __init__(self, origins: Origins, values: Mapping[str, str], jars: Sequence[Path]) -> None:
        self.found: list[graph.JobGraph] = []
        self._origins, self._values, self._jars = origins, values, jars
        self._create, self._add_jars = StreamExecutionEnvironment.get_execution_environment, StreamExecutionEnvironment.add_jars

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Replace the calls."""
        patches: list[tuple[type, str, Callable[..., Any]]] = [
            (StreamExecutionEnvironment, "get_execution_environment", staticmethod(self._created)),
            (StreamExecutionEnvironment, "execute", lambda env, job_name=None: self._execute(env, job_name)),
            (StreamExecutionEnvironment, "execute_async", lambda env, job_name=None: self._submit(env, job_name)),
            (StreamExecutionEnvironment, "add_jars", lambda env, *urls: self._add(env, urls)),
            (DataStream, "execute_and_collect", lambda stream, name=None, limit=None: self._collect(stream, name, limit)),
        ]
        with contextlib.ExitStack() as stack:
            stack.enter_context(statements.refused(_refuse_sql))
            for owner, name, replacement in patches:
                stack.callback(setattr, owner, name, owner.__dict__[name])
                setattr(owner, name, replacement)
            yield

    def _capture(self, env: StreamExecutionEnvironment, name: str | None) -> None:
        self.found.append(graph.read(env, self._origins, name, clear=True))

    def _created(self, configuration: Configuration | None = None) -> StreamExecutionEnvironment:
        merged = Configuration()
        for key, value in {**self._values, **(configuration.to_dict() if configuration else {})}.items():
            merged.set_string(key, value)
        env = self._create(merged)
        if self._jars:
            self._add_jars(env, *(jar.as_uri() for jar in self._jars))
        return env

    def _execute(self, env: StreamExecutionEnvironment, name: str | None) -> JobExecutionResult:
        self._capture(env, name)
        api = get_gateway().jvm.org.apache.flink.api.common
        return JobExecutionResult(api.JobExecutionResult(api.JobID(), 0, get_gateway().jvm.java.util.HashMap()))

    def _submit(self, env: StreamExecutionEnvironment, name: str | None) -> JobClient:
        self._capture(env, name)
        return _Submitted()

    def _add(self, env: StreamExecutionEnvironment, urls: Sequence[str]) -> None:
        self._add_jars(env, *(_existing(url, self._jars) for url in urls))

    def _collect(self, stream: DataStream, name: str | None, limit: int | None) -> _Collected | list[Any]:
        env = stream.get_execution_environment()
        env._j_stream_execution_environment.addOperator(stream._j_data_stream.getTransformation())  # a source alone is not in it
        self._capture(env, name)
        return _Collected() if limit is None else []


def _refuse_sql(*_: object, **__: object) -> None:
    raise ConfigurationError(
        "The program executes SQL by itself; jobkit reads the graphs of DataStream jobs.",
        remedy="Turn the table into a stream with to_data_stream, or attach the statements with attach_as_datastream.",
    )


def _existing(url: str, jars: Sequence[Path]) -> str:
    """Return the URL of a jar that is there: the program's own, or the one given in its place."""
    path = Path(url2pathname(urlparse(url).path))
    if path.is_file():
        return url
    stem = re.sub(r"-\d[\w.\-]*$", "", path.stem)
    for jar in jars:
        if re.sub(r"-\d[\w.\-]*$", "", jar.stem) == stem:
            return jar.as_uri()
    raise ConfigurationError(
        "The program adds a jar that is not there.",
        found=url,
        remedy=f"Give it with --jar, for example --jar {stem}-<version>.jar; `jobkit doctor` says which versions fit.",
    )
