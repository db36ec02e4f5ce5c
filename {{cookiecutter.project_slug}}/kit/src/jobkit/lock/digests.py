"""Digests of code: the same for the same code, in each version of Python and on each machine."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..sources import Body, reachable

_DIGITS = 8
_OF_NO_CONSEQUENCE = frozenset({"annotation", "ctx", "decorator_list", "kind", "returns", "type_comment", "type_ignores", "type_params"})
"""Fields of a syntax tree that change nothing of what it computes, or that not every version of Python has."""


def of_texts(texts: Iterable[str]) -> str:
    """Return a digest of some texts, short enough for a line that people compare."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:_DIGITS]


def of_functions(starts: Sequence[Body], more: Iterable[str] = ()) -> str | None:
    """Return a digest of functions and of what they call in their own packages; None when there is none, or one cannot be read.

    Layout, comments, annotations and docstrings are not in it. Constants of modules are, and plain values that a function was made with.

    Args:
        starts: The functions.
        more: What else it is of.
    """
    bodies = _of_package(starts)
    if not bodies or any(each.node is None for each in bodies):
        return None
    return of_texts([*(text for each in bodies for text in _shapes(each)), *more])


def _of_package(starts: Sequence[Body]) -> list[Body]:
    """Return functions and what they call in their own packages: whether others can be followed depends on how they were installed."""
    packages = {(start.function.__module__ or "").split(".")[0] for start in starts}
    return [each for each in reachable(starts) if (each.function.__module__ or "").split(".")[0] in packages]


def plain(value: Any) -> str | None:
    """Return a number, a text, a pattern, or a collection of such as a text that is the same in each process; None for anything else."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value) if type(value).__module__ == "builtins" else None
    if isinstance(value, re.Pattern):
        return f"{value.pattern!r} {value.flags}"
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if not isinstance(value, (list, tuple, set, frozenset)):
        return None
    parts = [plain(entry) for entry in value]
    if None in parts:
        return None
    return f"[{', '.join(sorted(map(str, parts)) if isinstance(value, (set, frozenset)) else map(str, parts))}]"


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
            continue
        table = plain(here.table(name))
        if table not in (None, "None"):
            yield f"{name} is {table}"
    for name, value in sorted(here.held().items()):
        text = plain(value)
        if text is not None:
            yield f"{name} is {text}"


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
