"""Launch the project's job with an exception planted in one of its functions: `flink run -pym jobkit.testing`.

The function's own code is not touched: the object that the job hands to Flink gets an attribute that hides its method.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyflink.datastream import DataStream, KeyedStream
from pyflink.datastream.data_stream import BroadcastConnectedStream, ConnectedStreams

from jobkit import batches, entry
from jobkit.batches import KeyedBatches, KeyedFunction, RecordFunction
from jobkit.errors import ConfigurationError
from jobkit.launch import launch
from jobkit.project import find_project

MESSAGE = "thrown by a test"
"""What the planted exception says."""

_METHODS = ("process_element", "process_element1", "process_element2", "process_broadcast_element", "map", "flat_map", "filter", "reduce")
_TAKE_A_FUNCTION = {
    DataStream: ("map", "flat_map", "filter", "process"),
    KeyedStream: ("map", "flat_map", "filter", "process"),
    ConnectedStreams: ("map", "flat_map", "process"),
    BroadcastConnectedStream: ("process",),
    KeyedBatches: ("process",),
}


class Thrown(RuntimeError):
    """The planted exception."""


class Trap:
    """Stands in for a method or function, and throws at one of its calls, until it was done often enough."""

    def __init__(self, method: Callable[..., Any], on_call: int, times: int | None, marks: str) -> None:
        self._method, self._on_call, self._times, self._marks = method, on_call, times, marks
        self._calls = 0

    def __call__(self, *arguments: Any) -> Any:
        """Throw, or do what the method does."""
        before, self._calls = self._calls, self._calls + self._records(*arguments)
        if before < self._on_call <= self._calls and not _is_examination() and self._is_due():
            raise Thrown(f"{MESSAGE}, at call {self._on_call}")
        return self._method(*arguments)

    def _records(self, *arguments: Any) -> int:  # noqa: ARG002  (a call is a record)
        return 1

    def _is_due(self) -> bool:
        """Mark that it throws; the marks count over all subtasks and restarts, because they are files."""
        numbers = itertools.count() if self._times is None else range(self._times)
        return any(_is_new(Path(self._marks) / str(number)) for number in numbers)


def _is_examination() -> bool:
    """Say whether jobkit itself opens the functions, before the job is submitted, to see their states."""
    return getattr(getattr(sys.modules["__main__"], "__spec__", None), "name", "") == "jobkit._opening"


def _is_new(file: Path) -> bool:
    try:
        file.open("x").close()
    except FileExistsError:
        return False
    return True


class TrapForBatches(Trap):
    """The same for `KeyedFunction.process`, which gets many records at once."""

    def _records(self, *arguments: Any) -> int:
        return len(arguments[2])


def plant(function: Any, on_record: int, times: int | None, marks: str) -> Any:
    """Make a function object throw, or return a function that throws in place of a plain one; 0 means in its `open`."""
    if on_record > 0 and isinstance(function, KeyedFunction):
        name, trap = ("process_record", Trap) if isinstance(function, RecordFunction) else ("process", TrapForBatches)
        setattr(function, name, trap(getattr(function, name), on_record, times, marks))
        return function
    names = ("open",) if on_record == 0 else tuple(name for name in _METHODS if hasattr(function, name))
    for name in names:
        setattr(function, name, Trap(getattr(function, name), max(on_record, 1), times, marks))
    return function if names else Trap(function, on_record, times, marks)


def call_with(method: Callable[..., Any], given: tuple[Any, ...], options: dict[str, Any], change: Callable[[Any], Any]) -> Any:
    """Call a method of a stream with another function than it is given, whether that has a place or a name there."""
    call = inspect.signature(method).bind(*given, **options)
    name = list(call.signature.parameters)[1]  # the first is the stream
    call.arguments[name] = change(call.arguments[name])
    return method(*call.args, **call.kwargs)


def main() -> None:
    """Launch the job."""
    project = find_project(Path.cwd())
    wanted, times = os.environ["JOBKIT_THROW_IN"], os.environ["JOBKIT_THROW_TIMES"]
    found = []

    def change(function: Any) -> Any:
        if wanted not in (type(function).__name__, getattr(function, "__name__", None)):
            return function
        found.append(function)
        on_record, marks = int(os.environ["JOBKIT_THROW_ON_RECORD"]), os.environ["JOBKIT_THROW_MARKS"]
        return plant(function, on_record, int(times) if times else None, marks)

    def with_trap(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def take(*given: Any, **options: Any) -> Any:
            return call_with(method, given, options, change)

        return take

    for owner, names in _TAKE_A_FUNCTION.items():
        for name in names:
            if name in vars(owner):
                setattr(owner, name, with_trap(vars(owner)[name]))
    batches.read = with_trap(batches.read)  # what parses is a function, too
    build = entry.find(project)  # not before: it may import `read` by its name

    @functools.wraps(build)
    def build_with_trap(env: Any, settings: Any) -> None:
        build(env, settings)
        if not found:
            raise ConfigurationError(
                f"The job has no function {wanted} that could throw.",
                remedy="Name a class that is given to process, map, flat_map or filter.",
            )

    launch(build_with_trap)
