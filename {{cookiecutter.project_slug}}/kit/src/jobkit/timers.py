"""Where the user's functions register timers, read from their source."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from pyflink.datastream.window import CountWindowSerializer, GlobalWindowSerializer, TimeWindowSerializer, WindowOperationDescriptor

from .functions import entries, load, users
from .graph import Operator
from .sources import Body, is_users, reachable

_METHODS = frozenset({"register_event_time_timer", "register_processing_time_timer"})
_ENDLESS = (CountWindowSerializer, GlobalWindowSerializer)
"""Windows that have no end, and no timer for it; what their trigger does is another matter."""


@dataclass(frozen=True)
class Registration:
    """What an operator does with timers.

    Attributes:
        what: What it does, to end a sentence that begins with the operator.
        file: Where the timer is registered; None when that is not the user's code.
        line: The line there.
        code: The code in that line.
        proved: False when it is only likely.
    """

    what: str
    file: str | None = None
    line: int | None = None
    code: str | None = None
    proved: bool = True


def registrations(operator: Operator) -> Registration | None:
    """Return what a keyed operator registers timers with, or None when it does not; only the head of a fused operator has timers."""
    root = load(operator.python[0])
    if root is None:
        return Registration("whether it registers timers is unknown: its function cannot be unpickled here", proved=False)
    functions = users(root)
    written = next(_written(entry for user in functions for entry in entries(user)), None)
    if written is not None:
        return written
    if isinstance(root, WindowOperationDescriptor):
        return _windows(root)
    heeding = next((type(user).__name__ for user in functions if _heeds_timers(user)), None)
    if heeding is not None:
        return Registration(f"{heeding} has an on_timer, but the call that registers its timers was not found", proved=False)
    return None


def _written(starts: Iterable[Body]) -> Iterator[Registration]:
    """Yield each place in the user's functions, and those that they call, that names a method of Flink's that registers a timer."""
    for body in reachable(starts):
        if body.node is None:
            # Without its source, its names still tell; the line is that of the whole function.
            if _METHODS & _names(body.function.__code__):
                yield Registration(f"{body.label} registers timers", body.file, body.function.__code__.co_firstlineno)
            continue
        for node in ast.walk(body.node):
            if isinstance(node, ast.Attribute) and node.attr in _METHODS:
                yield Registration(f"{body.label} registers timers", body.file, node.end_lineno, ast.unparse(node))


def _windows(window: WindowOperationDescriptor) -> Registration | None:
    """Return what PyFlink registers for a window: its end, and what a trigger of PyFlink's adds."""
    serializer = window.window_serializer
    if isinstance(serializer, TimeWindowSerializer):
        return Registration("each of its windows has a timer for its end")
    if any(_METHODS & _names(method.__code__) for method in _methods(window.trigger)):
        return Registration(f"its trigger, {type(window.trigger).__name__}, registers timers")
    if isinstance(serializer, _ENDLESS):
        return None
    return Registration(f"whether the windows of {type(window.assigner).__name__} have timers is unknown", proved=False)


def _methods(trigger: Any) -> Iterator[FunctionType]:
    """Yield the methods of a trigger, and of the one inside it."""
    for kind in type(trigger).__mro__:
        yield from (value for value in vars(kind).values() if isinstance(value, FunctionType))
    inner = getattr(trigger, "nested_trigger", None)
    if inner is not None:
        yield from _methods(inner)


def _heeds_timers(user: Any) -> bool:
    method = inspect.getattr_static(type(user), "on_timer", None)
    return isinstance(method, FunctionType) and is_users(method)


def _names(code: CodeType) -> set[str]:
    """Return the names that a function and those written in it use."""
    return set(code.co_names).union(*(_names(entry) for entry in code.co_consts if isinstance(entry, CodeType)))
