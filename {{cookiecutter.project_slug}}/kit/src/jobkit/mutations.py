"""What functions change outside themselves while they process: attributes of their object, variables of a module."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections import deque
from collections.abc import Iterator, MutableMapping, MutableSequence, MutableSet
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from .sources import Body, reachable

_MUTATORS = {
    *("append", "appendleft", "extend", "extendleft", "insert", "add", "update", "setdefault", "remove", "discard", "clear", "sort"),
    *("reverse", "rotate", "pop", "popitem", "popleft", "difference_update", "intersection_update", "symmetric_difference_update"),
    *("subtract", "move_to_end", "__setitem__", "__delitem__"),
}
_READING = {"setdefault", "pop", "popitem", "popleft"}
_CONTAINERS = (MutableMapping, MutableSequence, MutableSet, deque, bytearray)
_CONSTRUCTORS = {"list", "dict", "set", "defaultdict", "Counter", "deque", "OrderedDict", "bytearray"}
_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_HANDLES = {
    *("get_state", "get_list_state", "get_map_state", "get_reducing_state", "get_aggregating_state", "get_broadcast_state"),
    *("get_metrics_group", "add_group", "counter", "meter", "distribution", "gauge"),
}
"""The calls that return what Flink itself keeps: states and metrics."""
_VERSIONED = {"value_state", "list_state", "map_state"}
"""And those of `jobkit.evolution`, which may be imported by their names."""
_VALUE = 2
"""The place of the value in `setattr(object, name, value)`."""


@dataclass(frozen=True)
class Mutation:
    """A change that outlives the call.

    Attributes:
        name: What is changed, as it is written: `self.seen`, `SEEN`.
        kind: `attribute`, `module` (a variable of a module) or `closure` (one of an enclosing function).
        function: The function that changes it, with its class.
        file: The file of the change.
        line: Its line.
        code: The line of code.
    """

    name: str
    kind: str
    function: str
    file: str
    line: int
    code: str


@dataclass(frozen=True)
class _Place:
    kind: str
    owner: int
    name: str


@dataclass(frozen=True)
class _Change:
    place: _Place
    node: ast.expr
    base: ast.expr
    whole: bool
    reads: bool = False


def mutations(starts: Iterator[Body] | list[Body]) -> list[Mutation]:
    """Return what functions, and those of the user's that they call, change and read again, once for each variable.

    What is changed and never read while records are processed cannot change a result; a gauge's value is such a thing.
    States and metrics are Flink's and not counted, nor is what is made once and kept (`if self.client is None: …`).
    """
    scopes = [_Scope(body) for body in reachable(starts) if body.node is not None]
    read = {place for scope in scopes for place in scope.reads()}
    found: dict[_Place, Mutation] = {}
    for scope in scopes:
        for change in scope.changes:
            if change.place in read or change.reads:
                found.setdefault(change.place, scope.mutation(change))
    return list(found.values())


class _Scope:
    """One function's names, and what it changes."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._nodes = list(ast.walk(body.node)) if body.node else []
        self._globals = {name for node in self._nodes if isinstance(node, ast.Global) for name in node.names}
        self._outer = set(body.function.__code__.co_freevars) - {"__class__"}
        self._locals = _bound(self._nodes) - self._globals - self._outer
        self._aliases: dict[str, _Place] = {}
        self._aliases = self._find_aliases()
        self.changes = [change for node in self._nodes for change in self._changes(node) if self._counts(change)]

    def reads(self) -> Iterator[_Place]:
        """Yield what the function reads, other than to change it."""
        bases = {id(change.base) for change in self.changes}
        for node in self._nodes:
            if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load) and id(node) not in bases:
                place = self._place(node)
                if place is not None:
                    yield place

    def mutation(self, change: _Change) -> Mutation:
        """Return a change as its reader sees it."""
        body, place = self._body, change.place
        name = f"self.{place.name}" if place.kind == "attribute" else place.name
        code = linecache.getline(body.file, change.node.lineno).strip()
        return Mutation(name, place.kind, body.label, body.file, change.node.lineno, code)

    def _changes(self, node: ast.AST) -> Iterator[_Change]:
        if isinstance(node, (ast.Assign, ast.Delete)):
            for target in node.targets:
                yield from self._target(target)
        elif isinstance(node, (ast.AugAssign, ast.For, ast.NamedExpr)) or (isinstance(node, ast.AnnAssign) and node.value):
            yield from self._target(node.target)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
            base, place = self._root(node.func.value)
            if place is not None:
                yield _Change(place, node, base, whole=False, reads=node.func.attr in _READING)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr" and len(node.args) > _VALUE:
            yield from self._setattr(node)

    def _setattr(self, node: ast.Call) -> Iterator[_Change]:
        owner, name = node.args[:2]
        if isinstance(owner, ast.Name) and owner.id == self._body.self_name:
            text = name.value if isinstance(name, ast.Constant) else "…"
            yield _Change(_Place("attribute", id(self._body.instance), str(text)), node, owner, whole=True, reads=text == "…")

    def _target(self, target: ast.expr) -> Iterator[_Change]:
        if isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                yield from self._target(element)
        elif isinstance(target, ast.Starred):
            yield from self._target(target.value)
        elif not isinstance(target, ast.Name) or target.id in self._globals | self._outer:
            base, place = self._root(target)
            if place is not None:
                yield _Change(place, target, base, whole=base is target)

    def _counts(self, change: _Change) -> bool:
        """Return whether a change is one of data: not of a state or metric, and not one that only keeps what it made."""
        place = change.place
        if place.kind == "attribute":
            assigned = list(_assigned(self._body.instance, place.name))
            if any(_gets_handle(value) for value in assigned):
                return False
        if change.whole:
            return not self._is_made_once(change)
        if isinstance(change.node, ast.Call):
            return self._is_container(change)
        return True

    def _is_container(self, change: _Change) -> bool:
        if change.place.kind == "attribute":
            held = getattr(self._body.instance, "__dict__", {}).get(change.place.name)
            held = inspect.getattr_static(type(self._body.instance), change.place.name, None) if held is None else held
            return isinstance(held, _CONTAINERS) or any(_is_display(value) for value in _assigned(self._body.instance, change.place.name))
        return isinstance(self._body.resolve(change.base), _CONTAINERS)

    def _is_made_once(self, change: _Change) -> bool:
        for node in self._nodes:
            if isinstance(node, ast.If) and any(self._mentions(part, change.place) for part in ast.walk(node.test)):
                for statement in ast.walk(node):
                    if isinstance(statement, ast.Assign) and change.node in statement.targets:
                        names = {part.id for part in ast.walk(statement.value) if isinstance(part, ast.Name)}
                        return not names & (self._locals - {self._body.self_name})
        return False

    def _mentions(self, node: ast.AST, place: _Place) -> bool:
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._place(node) == place
        return isinstance(node, ast.Constant) and node.value == place.name  # hasattr(self, "client")

    def _find_aliases(self) -> dict[str, _Place]:
        """Return the local names for what outlives the call: `seen = self.seen`."""
        found: dict[str, _Place] = {}
        for node in self._nodes:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                _, place = self._root(node.value) if isinstance(node.value, (ast.Attribute, ast.Name)) else (None, None)
                if place is not None and node.targets[0].id in self._locals:
                    found[node.targets[0].id] = place
        return found

    def _root(self, node: ast.expr) -> tuple[ast.expr, _Place | None]:
        """Return the variable in `variable[0].name[1]`, as it is written and as what it is."""
        place = self._place(node)
        while place is None and isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
            place = self._place(node)
        return node, place

    def _place(self, node: ast.AST) -> _Place | None:  # noqa: PLR0911 - a case for each scope
        """Return the variable that an expression is, when it outlives the call."""
        body = self._body
        if isinstance(node, ast.Name):
            if node.id in self._aliases:
                return self._aliases[node.id]
            if node.id in self._locals or node.id == body.self_name:
                return None
            if node.id in self._outer:
                return _Place("closure", id(body.function.__code__), node.id)
            known = body.function.__globals__.get(node.id, self)
            if node.id in self._globals or not isinstance(known, (ModuleType, FunctionType, type, _Scope)):
                return _Place("module", id(body.function.__globals__), node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == body.self_name:
                return _Place("attribute", id(body.instance), node.attr)
            owner = body.resolve(node.value)
            if isinstance(owner, (ModuleType, type)) and node.value.id not in self._locals:
                return _Place("module", id(owner), f"{node.value.id}.{node.attr}")
        return None


def _bound(nodes: list[ast.AST]) -> set[str]:
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del))}
    names |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return names | {node.name for node in nodes[1:] if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def _assigned(instance: Any, name: str) -> Iterator[ast.expr]:
    """Yield what the methods of an object's class assign to one of its attributes, or to an item of it."""
    for kind in type(instance).__mro__:
        for method in vars(kind).values():
            if not isinstance(method, FunctionType) or kind.__module__.startswith("pyflink.datastream"):
                continue
            body = Body(method, instance)
            for node in ast.walk(body.node) if body.node else ():
                if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                        if _is_attribute(target.value if isinstance(target, ast.Subscript) else target, body.self_name, name):
                            yield node.value


def _is_attribute(node: ast.expr, owner: str | None, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.value, ast.Name) and node.value.id == owner


def _gets_handle(value: ast.expr) -> bool:
    functions = [node.func for node in ast.walk(value) if isinstance(node, ast.Call)]
    attributes = {function.attr for function in functions if isinstance(function, ast.Attribute)}
    names = {function.id for function in functions if isinstance(function, ast.Name)}
    return bool(attributes & _HANDLES or (attributes | names) & _VERSIONED)


def _is_display(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", None)
        return name in _CONSTRUCTORS
    return isinstance(value, _DISPLAYS)
