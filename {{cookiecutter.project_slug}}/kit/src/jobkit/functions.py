"""The user's functions inside a Python operator."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator
from functools import lru_cache
from operator import attrgetter, itemgetter, methodcaller
from types import FunctionType, MethodType, ModuleType
from typing import Any

from .graph import Operator
from .sources import Body, body, is_users

ADD_KEY = "AddKey"
"""PyFlink's class around a key selector: `DataStream.key_by.<locals>.AddKey`."""

GETTERS = (attrgetter, itemgetter, methodcaller)
"""Callables without code, of which `repr` says all."""

_SETUP = frozenset({"__init__", "open", "close", "__reduce__", "__getstate__", "__setstate__"})


@lru_cache(maxsize=512)
def load(pickled: bytes) -> Any:
    """Unpickle a function of an operator; return None when that fails.

    The job was just built here, so that its modules are there already.
    """
    try:
        return pickle.loads(pickled)  # noqa: S301 - the job that was just built
    except Exception:  # noqa: BLE001 - the user's classes may raise anything
        return None


def adapter(root: Any) -> str | None:
    """Return the name of the class of PyFlink's that wraps the user's function, such as `AddKey`; None when none does."""
    kind = type(root)
    return kind.__name__ if _is_flinks(kind) else None


def users(root: Any) -> list[Any]:
    """Return the user's callables and objects that PyFlink wrapped into an operator's function."""
    found: list[Any] = []
    _collect(root, found, set())
    return found


def _collect(value: Any, found: list[Any], seen: set[int]) -> None:
    if id(value) in seen or value is None or isinstance(value, (str, bytes, int, float, type, ModuleType)):
        return
    seen.add(id(value))
    if isinstance(value, (FunctionType, MethodType)):
        if body(value) is not None:
            found.append(value)
        elif isinstance(value, MethodType):
            _collect(value.__self__, found, seen)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            _collect(entry, found, seen)
    elif _is_flinks(type(value)):
        for entry in list(getattr(value, "__dict__", {}).values()):
            _collect(entry, found, seen)
    elif isinstance(value, GETTERS) or hasattr(value, "__dict__"):
        found.append(value)


def entries(user: Any) -> Iterator[Body]:
    """Yield the functions of a callable or an object of the user's that run for each record or timer."""
    direct = body(user) if isinstance(user, (FunctionType, MethodType)) else None
    if direct is not None:
        if direct.function.__name__ not in _SETUP:
            yield direct
        return
    api = {name for kind in type(user).__mro__ if _is_flinks(kind) for name in vars(kind)} | {"__call__"}
    for name in sorted(api - _SETUP):
        method = inspect.getattr_static(type(user), name, None)
        if isinstance(method, FunctionType) and is_users(method):
            yield Body(method, user)


def _is_flinks(kind: type) -> bool:
    """Say whether a class is PyFlink's, or this kit's on top of it."""
    return kind.__module__.startswith(("pyflink.", "jobkit.")) and not kind.__module__.startswith("pyflink.examples")


def operators_functions(operator: Operator) -> Iterator[tuple[Any, Any]]:
    """Yield each function in an operator, head first, with the user's callables and objects in it."""
    for pickled in operator.python:
        root = load(pickled)
        if root is not None:
            yield root, users(root)
