"""Where each operator was written: which PyFlink call, in which Python file and line."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from traceback import walk_tb
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from pyflink.datastream.data_stream import BroadcastConnectedStream, DataStream, DataStreamSink

if TYPE_CHECKING:
    from typing_extensions import Self

_NOT_THE_USERS = ("pyflink", "py4j", "jobkit", "contextlib")
_INSTALLED = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))


@dataclass(frozen=True)
class Origin:
    """The call that made a transformation.

    Attributes:
        api: The PyFlink method that the user called, such as `key_by`.
        file: The Python file of that call.
        line: Its line.
        tip: Whether the call returned the transformation, so that the user's `.uid()` reaches it.
        broadcasts: Names and types, as PyFlink writes them, of the broadcast states that it was connected with.
    """

    api: str
    file: str
    line: int
    tip: bool = True
    broadcasts: tuple[tuple[str, str], ...] = ()


def shown(file: str) -> str:
    """Return a file as people know it: relative to the working folder where it is below it."""
    relative = os.path.relpath(file)
    return file if relative.startswith("..") else relative


class Origins(AbstractContextManager["Origins"]):
    """Records, while it is entered, which call makes which transformation.

    PyFlink wraps what each call returns in a DataStream or a DataStreamSink, hidden steps included. The
    last wrapper of a call is what the user gets; the earlier ones are out of reach of `.uid()`.
    """

    def __init__(self) -> None:
        self._origins: dict[int, Origin] = {}
        self._patched: list[tuple[type, Callable[..., None]]] = []
        self._call: FrameType | None = None
        self._last = -1

    def of(self, transformation: int) -> Origin | None:
        """Return where a transformation was made, or None if no call of the user's returned or passed it."""
        return self._origins.get(transformation)

    def __enter__(self) -> Self:
        """Start to record."""
        for wrapper in (DataStream, DataStreamSink):
            self._patch(wrapper)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop to record."""
        for wrapper, original in self._patched:
            wrapper.__init__ = original  # type: ignore[misc]
        self._patched.clear()
        self._call = None

    def _patch(self, wrapper: type) -> None:
        original = wrapper.__init__  # type: ignore[misc]

        def recorded(instance: Any, *args: Any, **kwargs: Any) -> None:
            original(instance, *args, **kwargs)
            j_stream = instance._j_data_stream_sink if isinstance(instance, DataStreamSink) else instance._j_data_stream
            self._record(j_stream, sys._getframe(1))

        self._patched.append((wrapper, original))
        wrapper.__init__ = recorded  # type: ignore[misc]

    def _record(self, j_stream: Any, frame: FrameType) -> None:
        call, user = _boundary(frame)
        if call is None or user is None:
            return
        transformation = j_stream.getTransformation().getId()
        if call is self._call and self._last != transformation:
            self._origins[self._last] = replace(self._origins[self._last], tip=False)
        self._call, self._last = call, transformation
        name = call.f_code.co_name
        self._origins[transformation] = Origin(name, user.f_code.co_filename, user.f_lineno, broadcasts=_broadcasts(frame))


def summary(error: Exception) -> str:
    """Return an exception of the user's code, or of Flink's under it, in one line."""
    java = getattr(error, "java_exception", None)
    text = str(error if java is None else java.toString()).strip().splitlines()
    if not text:
        return type(error).__name__
    return text[0] if java is not None else f"{type(error).__name__}: {text[0]}"


def raised_at(error: Exception) -> str | None:
    """Return file and line of the user's code, the innermost that an exception came through; None when there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__) if not _is_library(frame)]
    own = [(file, line) for file, line in places if not file.startswith((*_INSTALLED, "<frozen"))]
    return f"{own[-1][0]}:{own[-1][1]}" if own else None


def _broadcasts(frame: FrameType) -> tuple[tuple[str, str], ...]:
    """Return names and types of the broadcast states whose descriptors PyFlink's `process` was given; Flink gets the names alone."""
    stream = frame.f_locals.get("self")
    if not isinstance(stream, BroadcastConnectedStream):
        return ()
    return tuple((entry.get_name(), repr(entry.type_info)) for entry in stream.broadcast_state_descriptors)


def _boundary(frame: FrameType | None) -> tuple[FrameType | None, FrameType | None]:
    """Return PyFlink's outermost frame and the user's frame that called it."""
    call = None
    while frame is not None and _is_library(frame):
        call, frame = frame, frame.f_back
    return call, frame


def _is_library(frame: FrameType) -> bool:
    module = frame.f_globals.get("__name__", "")
    if module.startswith("pyflink.examples"):
        return False
    return module.split(".", 1)[0] in _NOT_THE_USERS
