"""What of the code the state of an operator depends on: whose function it is, which classes it pickles, which windows it has."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from types import FunctionType, MethodType
from typing import Any

from pyflink.datastream.functions import AggregateFunction, ReduceFunction
from pyflink.datastream.window import WindowOperationDescriptor

from ..batches._keyed import Keyed
from ..functions import GETTERS, entries, load, operators_functions, users
from ..graph import JobGraph, Operator
from ..sources import NOT_THE_USERS, Body, as_written, body, is_users, reachable
from . import digests


def function(operator: Operator) -> str | None:
    """Return the classes, or functions, of the user's that an operator with state runs; None when it runs none that is known."""
    root = load(operator.python[0]) if operator.python else None
    names = [_name(user) for user in users(root) if not isinstance(user, GETTERS)] if root is not None else []
    return ", ".join(dict.fromkeys(names)) or None


def _name(user: Any) -> str:
    direct = body(user) if isinstance(user, (FunctionType, MethodType)) else None
    if direct is not None:
        return direct.label
    return type(user).__qualname__.rpartition("<locals>.")[2]


def pickled(graph: JobGraph, operator: Operator) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Return the user's classes that an operator, and those before it, make objects of, with their fields.

    What it pickles into its state may be such.
    A `jobkit.batches.KeyedFunction` pickles no objects of them, nor does a state that has a version.
    """
    if not _pickles(operator):
        return ()
    functions = (user for each in _upstream(graph, operator) for _, found in operators_functions(each) for user in found)
    starts = [entry for user in functions for entry in entries(user)]
    made = {f"{kind.__module__}.{kind.__qualname__}": kind for each in reachable(starts) for kind in _made(each)}
    return tuple((name, tuple(_fields(made[name]))) for name in sorted(made))


def whole(operator: Operator) -> str | None:
    """Return a digest of all code of an operator that pickles: no type tells what the tuples, lists and dicts in its state hold."""
    if not _pickles(operator):
        return None
    functions = [user for _, found in operators_functions(operator) for user in found]
    starts = [entry for user in functions for entry in entries(user)]
    if any(state.kind in {"reducing", "aggregating"} for state in operator.states):
        starts += (entry for user in functions for entry in _given_to_descriptors(user))
    return digests.of_functions(starts)


def _given_to_descriptors(user: Any) -> Iterator[Body]:
    """Yield `open`, in which descriptors get the functions that add up what is in a state, and the functions that it names."""
    method = inspect.getattr_static(type(user), "open", None)
    if not isinstance(method, FunctionType) or not is_users(method):
        return
    here = Body(method, user)
    yield here
    for node in ast.walk(here.node) if here.node else ():
        found = here.resolve(node) if isinstance(node, (ast.Name, ast.Attribute)) else None
        if isinstance(found, FunctionType) and is_users(found):
            yield Body(found)
        kind = found if isinstance(found, type) else type(found)
        if found is not user and issubclass(kind, (AggregateFunction, ReduceFunction)) and _is_users(kind):
            yield from (Body(each) for each in vars(kind).values() if isinstance(each, FunctionType))


def _pickles(operator: Operator) -> bool:
    """Whether it pickles objects as the user's code makes them; not into states of a class with a version."""
    is_batches = bool(operator.python) and isinstance(load(operator.python[0]), Keyed)
    return not is_batches and any("Pickled" in state.type and state.version is None for state in operator.states)


def window(operator: Operator) -> str | None:
    """Return assigner, trigger and kind of window of a window operator; None of another."""
    root = load(operator.python[0]) if operator.python else None
    if not isinstance(root, WindowOperationDescriptor):
        return None
    kind = type(root.window_serializer).__name__.removesuffix("Serializer")
    return f"{type(root.assigner).__name__}, {_trigger(root.trigger)}, {kind}"


def _trigger(trigger: Any) -> str:
    nested = getattr(trigger, "nested_trigger", None)
    name = type(trigger).__name__
    return name if nested is None else f"{name}({_trigger(nested)})"


def plan(operator: Operator) -> str | None:
    """Return a digest of what the SQL planner says that an operator computes; None where it did not make it."""
    return digests.of_texts([operator.plan]) if operator.plan is not None and operator.kind == "table" else None


def _upstream(graph: JobGraph, operator: Operator) -> list[Operator]:
    """Return an operator and all that its records come from."""
    by_node = {entry.node: entry for entry in graph.operators}
    found, queue = {operator.node: operator}, list(operator.inputs)
    while queue:
        node = queue.pop()
        if node in by_node and node not in found:
            found[node] = by_node[node]
            queue.extend(by_node[node].inputs)
    return list(found.values())


def _made(here: Body) -> Iterator[type]:
    """Yield the classes that a function calls, gives another name, or takes a member of."""
    for node in ast.walk(here.node) if here.node else ():
        found: Any = None
        if isinstance(node, ast.Call):
            found = here.resolve(node.func)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            found = here.resolve(node.value)
        elif isinstance(node, (ast.Attribute, ast.Subscript)):
            found = here.resolve(node.value)
            found = found if isinstance(found, type) and issubclass(found, Enum) else None
        if isinstance(found, type) and not issubclass(found, BaseException) and _is_users(found):
            yield found


def _is_users(kind: type) -> bool:
    package = kind.__module__.split(".")[0]
    return package not in sys.stdlib_module_names and package not in NOT_THE_USERS


def _fields(kind: type) -> Iterable[tuple[str, str]]:
    if issubclass(kind, Enum):  # a member is pickled as its value
        return ((name, digests.plain(member.value) or type(member.value).__name__) for name, member in kind.__members__.items())
    if dataclasses.is_dataclass(kind):
        return ((field.name, as_written(field.type)) for field in dataclasses.fields(kind))
    annotations = {name: hint for each in reversed(kind.__mro__) for name, hint in vars(each).get("__annotations__", {}).items()}
    return ((name, as_written(hint)) for name, hint in annotations.items())
