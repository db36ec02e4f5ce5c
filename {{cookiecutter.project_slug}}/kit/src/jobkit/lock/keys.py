"""What makes the keys of an operator: the state of a record whose key is another one is not found."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, ModuleType
from typing import Any

from ..batches.reading import Parsing
from ..functions import ADD_KEY, GETTERS, adapter, entries, operators_functions, users
from ..graph import JobGraph, Operator
from . import digests

UNKNOWN = "unknown"
"""Stands for what makes a key, where nothing is known of it."""


def key(graph: JobGraph, operator: Operator) -> str:
    """Return what makes the key of a keyed operator: for each input a name, and a digest of its code and of what that calls.

    Of what has no code, such as `attrgetter("origin")` or `str.lower`, it is the whole.
    """
    by_node = {entry.node: entry for entry in graph.operators}
    makers = [_made_by(by_node, node) for node in operator.inputs if node in by_node]
    found = [_described(*selector) or UNKNOWN for maker in makers for selector in _selector(maker)]
    return ", ".join(found) or UNKNOWN


def _made_by(by_node: dict[int, Operator], node: int) -> Operator:
    """Return the operator of Python's that a stream comes from; between the two may be some of Java's that pass records on."""
    operator = by_node[node]
    while operator.kind == "java" and len(operator.inputs) == 1:
        operator = by_node[operator.inputs[0]]
    return operator


def _selector(operator: Operator) -> Iterator[tuple[Any, list[Any]]]:
    """Yield what makes the keys of an operator's output, and the user's callables in it; nothing when it makes none."""
    for root, found in operators_functions(operator):
        if isinstance(root, Parsing):
            yield root.key, users(root.key)
            return
        if adapter(root) == ADD_KEY:
            yield vars(root).get("_get_key_func"), list(found)
            return


def _described(function: Any, found: list[Any]) -> str | None:
    selector = found or [function]
    if isinstance(selector[0], GETTERS):
        return repr(selector[0]).removeprefix("operator.")
    given = [digests.plain([list(user.args), user.keywords]) for user in _partials(selector)]
    if None in given:
        return None
    starts = [entry for user in selector for entry in entries(_whole(user))]
    label = starts[0].label if starts else _name(_whole(selector[0]))
    if not starts:
        return f"{label} {digests.of_texts(map(str, given))}" if label and given else label
    digest = digests.of_functions(starts, map(str, given))
    return f"{label} {digest}" if digest else None


def _partials(selector: list[Any]) -> Iterator[functools.partial[Any]]:
    """Yield each `functools.partial`, and what is in such."""
    for user in selector:
        while isinstance(user, functools.partial):
            yield user
            user = user.func  # noqa: PLW2901


def _whole(user: Any) -> Any:
    """Return the function of a `functools.partial`, or of a `functools.lru_cache`."""
    if isinstance(user, functools.partial):
        return _whole(user.func)
    return _whole(user.__wrapped__) if inspect.getattr_static(user, "__wrapped__", None) is not None else user


def _name(user: Any) -> str | None:
    """Return the name of a callable of Python's or a library's, with that of its module; None for what may be made in many ways."""
    owner = user
    if isinstance(user, MethodDescriptorType):
        owner = user.__objclass__
    elif isinstance(user, BuiltinFunctionType):
        if not isinstance(user.__self__, (ModuleType, type)):
            return None  # what it does depends on that object
    elif not isinstance(user, (FunctionType, type)):
        return None
    module = owner.__module__ or "builtins"
    if isinstance(user, type) and module.split(".")[0] not in sys.stdlib_module_names:
        return None  # what it makes of its argument is code that is not looked at
    return user.__qualname__ if module == "builtins" else f"{module}.{user.__qualname__}"
