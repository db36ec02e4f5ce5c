"""The source of the user's functions: where it is, what its names stand for, and which functions call which."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from . import trees

_STDLIB = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
_INSTALLED = ("site-packages", "dist-packages")
NOT_THE_USERS = ("pyflink", "jobkit", "py4j", "apache_beam")
_UNKNOWN = object()
_MAKERS = ("pyflink.common.typeinfo", "pyflink.datastream.state")
"""Where the classes are that only describe."""


@dataclass(frozen=True, eq=False)
class Body:
    """A Python function of the user's and what `self` is in it.

    Attributes:
        function: The function.
        instance: The object whose method it is, or None.
    """

    function: FunctionType
    instance: Any = None

    @property
    def file(self) -> str:
        """The file that it is written in."""
        return self.function.__code__.co_filename

    @property
    def key(self) -> tuple[CodeType, int]:
        """What tells it from others: its code and its object."""
        return self.function.__code__, id(self.instance)

    @property
    def label(self) -> str:
        """Its name, with the class when it is a method."""
        return self.function.__qualname__.rpartition("<locals>.")[2]

    @cached_property
    def node(self) -> trees.Function | None:
        """Its syntax tree, or None when its source cannot be read."""
        return trees.locate(self.function.__code__)

    @property
    def self_name(self) -> str | None:
        """What it calls the object whose method it is."""
        code = self.function.__code__
        return code.co_varnames[0] if self.instance is not None and code.co_argcount else None

    def resolve(self, expression: ast.expr) -> Any:
        """Return the object that a name or a dotted name stands for, or None when that shows only when it runs."""
        found = self._resolve(expression)
        return None if found is _UNKNOWN else found

    def _resolve(self, expression: ast.expr) -> Any:
        if isinstance(expression, ast.Name):
            return self._name(expression.id)
        if isinstance(expression, ast.Attribute):
            return _attribute(self._resolve(expression.value), expression.attr)
        if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and expression.func.id == "super":
            return _Super(self.instance, self.function) if self.instance is not None else _UNKNOWN
        return _UNKNOWN

    def _name(self, name: str) -> Any:
        code = self.function.__code__
        if name == self.self_name:
            return self.instance
        if name in code.co_varnames or name in code.co_cellvars:
            return self._imports.get(name, _UNKNOWN)
        if name in code.co_freevars:
            cell = (self.function.__closure__ or ())[code.co_freevars.index(name)]
            return _content(cell)
        scope = self.function.__globals__
        return scope[name] if name in scope else getattr(builtins, name, _UNKNOWN)

    @cached_property
    def _imports(self) -> dict[str, Any]:
        """Return what the function imports itself."""
        found: dict[str, Any] = {}
        for statement in ast.walk(self.node) if self.node else ():
            if isinstance(statement, ast.Import):
                for alias in statement.names:
                    found[alias.asname or alias.name.split(".")[0]] = _module(alias.name if alias.asname else alias.name.split(".")[0])
            elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                for alias in statement.names:
                    found[alias.asname or alias.name] = _attribute(_module(statement.module), alias.name)
        return found

    def made(self, expression: ast.expr) -> Any:
        """Return the object that an expression stands for, also when that calls PyFlink to make it, as `Types.LONG()` does; else None."""
        try:
            return self._made(expression)
        except Exception:  # noqa: BLE001 - an argument is only known when it runs, or PyFlink does not take it
            return None

    def _made(self, expression: ast.expr) -> Any:
        if isinstance(expression, ast.Constant):
            return expression.value
        if isinstance(expression, (ast.List, ast.Tuple)):
            return list(map(self._made, expression.elts))
        called = self._resolve(expression.func if isinstance(expression, ast.Call) else expression)
        if called is _UNKNOWN:
            raise LookupError(ast.unparse(expression))
        if not isinstance(expression, ast.Call):
            return called
        if not str(getattr(called, "__module__", "")).startswith(_MAKERS):
            raise LookupError(ast.unparse(expression))
        named = {keyword.arg: self._made(keyword.value) for keyword in expression.keywords if keyword.arg}
        return called(*map(self._made, expression.args), **named)

    def constant(self, name: str) -> ast.expr | None:
        """Return what a name stands for, when that is written as a number or text, or a tuple of such, in its module or another.

        Args:
            name: One of its module's, or `module.NAME`, of a module that it knows.
        """
        first, _, rest = name.partition(".")
        if first in self.function.__code__.co_varnames or first not in self.function.__globals__:
            return None
        if not rest:
            return trees.written_in(self.file, name)
        module = self.function.__globals__[first]
        return trees.written_in(str(getattr(module, "__file__", "")), rest) if isinstance(module, ModuleType) else None

    def table(self, name: str) -> Any:
        """Return the collection or pattern that its module, or another of its package, has by a name; None for anything else.

        Args:
            name: One of its module's, or `module.NAME`, or `Class.NAME`.
        """
        first = name.partition(".")[0]
        code = self.function.__code__
        if first in (*code.co_varnames, *code.co_freevars) or first not in self.function.__globals__ or first.startswith("__"):
            return None
        scope = self.function.__globals__[first]
        own = (self.function.__module__ or "").split(".")[0]
        if (
            isinstance(scope, (ModuleType, type))
            and (scope.__name__ if isinstance(scope, ModuleType) else scope.__module__).split(".")[0] != own
        ):
            return None
        found = self.resolve(ast.parse(name, mode="eval").body)
        return found if isinstance(found, (dict, list, tuple, set, frozenset, re.Pattern)) else None

    def held(self) -> dict[str, Any]:
        """Return the values that it has from outside of its code: of the function around it, and attributes, its own and of those."""
        code = self.function.__code__
        around = {name: _content(cell) for name, cell in zip(code.co_freevars, self.function.__closure__ or (), strict=True)}
        objects = {**around, **({self.self_name: self.instance} if self.self_name else {})}
        found = dict(around)
        for node in ast.walk(self.node) if self.node else ():
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in objects:
                found[f"{node.value.id}.{node.attr}"] = _attribute(objects[node.value.id], node.attr)
        return {name: value for name, value in found.items() if value is not _UNKNOWN}

    def calls(self) -> Iterator[ast.Call]:
        """Yield each call in the function."""
        return (node for node in ast.walk(self.node) if isinstance(node, ast.Call)) if self.node else iter(())

    def called(self, call: ast.Call) -> Body | None:
        """Return the user's function that is called; None for a library's, other than the one that this is in."""
        found = body(self.resolve(call.func))
        if found is None or not _is_installed(found.function):
            return found
        same = (found.function.__module__ or "").split(".")[0] == (self.function.__module__ or "").split(".")[0]
        return found if same else None


@dataclass(frozen=True)
class _Super:
    instance: Any
    function: FunctionType

    def find(self, name: str) -> Any:
        classes = type(self.instance).__mro__
        own = next((place for place, kind in enumerate(classes) if self.function in vars(kind).values()), 0)
        for kind in classes[own + 1 :]:
            if isinstance(vars(kind).get(name), FunctionType):
                return MethodType(vars(kind)[name], self.instance)
        return _UNKNOWN


def body(callee: Any) -> Body | None:
    """Return the user's Python function behind something callable, or None when it is a library's or no Python."""
    callee = _uncached(callee)
    if isinstance(callee, MethodType) and isinstance(callee.__func__, FunctionType):
        found = Body(callee.__func__, callee.__self__)
    elif isinstance(callee, FunctionType):
        found = Body(callee)
    else:
        method = None if isinstance(callee, (BuiltinFunctionType, type)) else inspect.getattr_static(type(callee), "__call__", None)
        if not isinstance(method, FunctionType):
            return None
        found = Body(method, callee)
    inner = inspect.unwrap(found.function)
    if isinstance(inner, FunctionType) and inner is not found.function:
        found = Body(inner, found.instance)
    return found if is_users(found.function) else None


def _uncached(callee: Any) -> Any:
    """Return the function, or method, that `functools.lru_cache` or its like has wrapped into an object without code."""
    if isinstance(callee, MethodType) and not isinstance(callee.__func__, FunctionType):
        inner = _uncached(callee.__func__)
        return MethodType(inner, callee.__self__) if isinstance(inner, FunctionType) else callee
    inner = None if isinstance(callee, (FunctionType, type)) else inspect.getattr_static(callee, "__wrapped__", None)
    return inner if isinstance(inner, FunctionType) else callee


def is_users(function: FunctionType) -> bool:
    """Return whether a function is the user's rather than a library's.

    A job may be installed like a library (`pip install .`), so that what is installed may be the user's as well: all
    but PyFlink, this kit and Python itself is. PyFlink's examples are the user's.
    """
    return is_users_code(function.__module__ or "", function.__code__.co_filename)


def is_users_code(module: str, file: str) -> bool:
    """Return whether what a module, in a file, holds is the user's; as for `is_users`."""
    if module.split(".", maxsplit=1)[0] in NOT_THE_USERS:
        return module.startswith("pyflink.examples")
    return _is_in_packages(file) or not file.startswith((*_STDLIB, "<frozen"))


def _is_installed(function: FunctionType) -> bool:
    return _is_in_packages(function.__code__.co_filename)


def _is_in_packages(file: str) -> bool:
    return any(f"/{folder}/" in file.replace("\\", "/") for folder in _INSTALLED)


def reachable(starts: Iterable[Body]) -> list[Body]:
    """Return functions and those of the user's that they call, and so on."""
    queue, found, seen = list(starts), [], set()
    while queue:
        here = queue.pop(0)
        if here.key not in seen:
            seen.add(here.key)
            found.append(here)
            queue.extend(called for call in here.calls() if (called := here.called(call)) is not None)
    return found


def as_written(hint: Any) -> str:
    """Return a type as it stands in the source; a NamedTuple wraps what was not evaluated."""
    hint = getattr(hint, "__forward_arg__", hint)
    return hint if isinstance(hint, str) else inspect.formatannotation(hint)


def _attribute(base: Any, name: str) -> Any:  # noqa: PLR0911 - a case for each kind of object
    if base is _UNKNOWN or base is None:
        return _UNKNOWN
    if isinstance(base, _Super):
        return base.find(name)
    if isinstance(base, (ModuleType, type)):
        return getattr(base, name, _UNKNOWN)
    held = getattr(base, "__dict__", {})
    if name in held:
        return held[name]
    method = inspect.getattr_static(type(base), name, _UNKNOWN)
    if isinstance(method, staticmethod):
        return method.__func__
    if isinstance(method, classmethod):
        return MethodType(method.__func__, type(base))
    if isinstance(method, FunctionType):
        return MethodType(method, base)
    # Methods written in C, such as random.Random().random, have no source, but they say where they come from.
    return getattr(base, name, _UNKNOWN) if inspect.ismethoddescriptor(method) else _UNKNOWN


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return _UNKNOWN


def _module(name: str) -> Any:
    return sys.modules.get(name, _UNKNOWN)
