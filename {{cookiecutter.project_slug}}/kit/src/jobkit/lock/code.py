"""What of the code the state of an operator depends on: whose function it is, how its key is made, which classes it pickles."""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import sys
from collections.abc import Iterable, Iterator
from types import FunctionType, MethodType
from typing import Any

from ..batches._keyed import Keyed
from ..batches.reading import Parsing
from ..functions import ADD_KEY, GETTERS, adapter, entries, load, operators_functions, users
from ..graph import JobGraph, Operator
from ..sources import NOT_THE_USERS, Body, as_written, body, reachable

_DIGITS = 8
_OF_NO_CONSEQUENCE = frozenset({"annotation", "ctx", "decorator_list", "kind", "returns", "type_comment", "type_ignores", "type_params"})
"""Fields of a syntax tree that change nothing of what it computes, or that not every version of Python has."""


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


def key(graph: JobGraph, operator: Operator) -> str | None:
    """Return what makes the key of a keyed operator: for each input a name, and a digest of its code and of what that calls.

    It is None when it is not known. Of what has no code, such as `attrgetter("origin")`, it is the whole.

    Layout, comments, annotations and docstrings are not in the digest.
    """
    by_node = {entry.node: entry for entry in graph.operators}
    sources = [_made_by(by_node, node) for node in operator.inputs if node in by_node]
    found = [_described(selector) for selector in (_selector(source) for source in sources) if selector]
    return ", ".join(filter(None, found)) or None


def _made_by(by_node: dict[int, Operator], node: int) -> Operator:
    """Return the operator of Python's that a stream comes from; between the two may be some of Java's that pass records on."""
    operator = by_node[node]
    while operator.kind == "java" and len(operator.inputs) == 1:
        operator = by_node[operator.inputs[0]]
    return operator


def _selector(operator: Operator) -> list[Any]:
    """Return the user's callables that make the keys of an operator's output."""
    for root, found in operators_functions(operator):
        if isinstance(root, Parsing):
            return users(root.key)
        if adapter(root) == ADD_KEY:
            return list(found)
    return []


def _described(selector: list[Any]) -> str | None:
    if isinstance(selector[0], GETTERS):
        return repr(selector[0]).removeprefix("operator.")
    given = [_plain([list(user.args), user.keywords]) for user in _partials(selector)]
    starts = [entry for user in selector for entry in entries(_whole(user))]
    bodies = _of_package(starts)
    if not starts or None in given or any(each.node is None for each in bodies):
        return None
    texts = [*(text for each in bodies for text in _shapes(each)), *map(str, given)]
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return f"{starts[0].label} {digest[:_DIGITS]}"


def _partials(selector: list[Any]) -> Iterator[functools.partial[Any]]:
    """Yield each `functools.partial`, and what is in such."""
    for user in selector:
        while isinstance(user, functools.partial):
            yield user
            user = user.func  # noqa: PLW2901


def _whole(user: Any) -> Any:
    """Return the function of a `functools.partial`."""
    return _whole(user.func) if isinstance(user, functools.partial) else user


def _plain(value: Any) -> str | None:
    """Return a number, a text, or a collection of such as a text that is the same in each process; None for anything else."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value) if type(value).__module__ == "builtins" else None
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if not isinstance(value, (list, tuple, set, frozenset)):
        return None
    parts = [_plain(entry) for entry in value]
    if None in parts:
        return None
    return f"[{', '.join(sorted(map(str, parts)) if isinstance(value, (set, frozenset)) else map(str, parts))}]"


def _of_package(starts: list[Body]) -> list[Body]:
    """Return functions and what they call in their own packages: whether others can be followed depends on how they were installed."""
    packages = {(start.function.__module__ or "").split(".")[0] for start in starts}
    return [each for each in reachable(starts) if (each.function.__module__ or "").split(".")[0] in packages]


def _shapes(here: Body) -> Iterator[str]:
    """Yield what a function computes, and what it takes in: constants of modules, and the plain values that it was made with."""
    node = here.node
    if node is None:
        return
    has_docstring = not isinstance(node, ast.Lambda) and ast.get_docstring(node) is not None
    yield _shape(node.args) + _shape(node.body[1:] if has_docstring and isinstance(node.body, list) else node.body)
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    dotted = {ast.unparse(each) for each in ast.walk(node) if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name)}
    for name in sorted(names | dotted):
        constant = here.constant(name)
        if constant is not None:
            yield f"{name}={_shape(constant)}"
    for name, value in sorted(here.held().items()):
        plain = _plain(value)
        if plain is not None:
            yield f"{name} is {plain}"


def _shape(node: Any) -> str:
    """Return a syntax tree as a text that is the same in each version of Python."""
    if isinstance(node, ast.JoinedStr):  # Python 3.12 puts empty texts into some of them
        return f"JoinedStr({_shape([each for each in node.values if not (isinstance(each, ast.Constant) and each.value == '')])})"
    if isinstance(node, list):
        return f"[{' '.join(map(_shape, node))}]"
    if isinstance(node, ast.AST):
        parts = ((name, getattr(node, name, None)) for name in node._fields if name not in _OF_NO_CONSEQUENCE)
        return f"{type(node).__name__}({' '.join(f'{name}={_shape(value)}' for name, value in parts if value not in (None, []))})"
    return repr(node)


def pickled(graph: JobGraph, operator: Operator) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Return the user's classes that an operator, and those before it, make objects of, with their fields.

    What it pickles into its state may be such.
    A `jobkit.batches.KeyedFunction` pickles no objects of them, nor does a state that has a version.
    """
    is_batches = bool(operator.python) and isinstance(load(operator.python[0]), Keyed)
    if is_batches or not any("Pickled" in state.type and state.version is None for state in operator.states):
        return ()
    functions = (user for each in _upstream(graph, operator) for _, found in operators_functions(each) for user in found)
    starts = [entry for user in functions for entry in entries(user)]
    made = {f"{kind.__module__}.{kind.__qualname__}": kind for each in reachable(starts) for kind in _made(each)}
    return tuple((name, tuple(_fields(made[name]))) for name in sorted(made))


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
    for call in here.calls():
        found = here.resolve(call.func)
        if isinstance(found, type) and not issubclass(found, BaseException) and _is_users(found):
            yield found


def _is_users(kind: type) -> bool:
    package = kind.__module__.split(".")[0]
    return package not in sys.stdlib_module_names and package not in NOT_THE_USERS


def _fields(kind: type) -> Iterable[tuple[str, str]]:
    if dataclasses.is_dataclass(kind):
        return ((field.name, as_written(field.type)) for field in dataclasses.fields(kind))
    annotations = {name: hint for each in reversed(kind.__mro__) for name, hint in vars(each).get("__annotations__", {}).items()}
    return ((name, as_written(hint)) for name, hint in annotations.items())
