"""Where a function's result takes in something that is another thing in another process: hashes, random numbers, the time."""

from __future__ import annotations

import ast
import builtins
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .sources import Body

HASH = "depends on PYTHONHASHSEED, which is another one in each process"
ADDRESS = "is a memory address"
RANDOM = "is random"
TIME = "is the time of processing"
PROCESS = "names the process or the machine"
ORDER = "is a set, whose order depends on PYTHONHASHSEED"

_CALLS = {
    **{("os", name): RANDOM for name in ("urandom", "getrandom")},
    **{("os", name): PROCESS for name in ("getpid", "getppid")},
    **{("uuid", name): RANDOM for name in ("uuid1", "uuid4")},
    ("uuid", "getnode"): PROCESS,
    ("socket", "gethostname"): PROCESS,
    ("threading", "get_ident"): PROCESS,
    **{("time", name): TIME for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")},
    **{("time", name): TIME for name in ("process_time", "process_time_ns", "thread_time", "thread_time_ns")},
    **{("datetime", name): TIME for name in ("now", "utcnow", "today")},
}
_ONLY_WITHOUT_ARGUMENT = {("time", name): TIME for name in ("localtime", "gmtime", "ctime", "asctime")}
_RANDOM_MODULES = ("random", "_random", "secrets", "numpy.random", "numpy.random.mtrand", "numpy.random._generator")
_ORDERLESS = {"sorted", "len", "min", "max", "sum", "any", "all", "bool"}
"""What makes a set's order not matter."""


@dataclass(frozen=True)
class Cause:
    """One thing that makes a result unstable.

    Attributes:
        code: The expression, as it is written.
        reason: What it is or depends on.
        file: The file that it is in.
        line: Its line.
    """

    code: str
    reason: str
    file: str
    line: int


def causes(body: Body) -> list[Cause]:
    """Return what makes a function's result unstable, followed through its variables and the user's own helpers."""
    return list(dict.fromkeys(_Flow(body, frozenset()).results()))


class _Flow:
    """Follows values through the variables of one function to what it returns."""

    def __init__(self, body: Body, callers: frozenset[Any]) -> None:
        self._body = body
        self._callers = callers | {body.key}
        self._variables: dict[str, list[Cause]] = {}
        self._nodes = list(ast.walk(body.node)) if body.node else []
        while self._spread():
            pass

    def results(self) -> Iterator[Cause]:
        """Yield the causes in what the function returns, and in the conditions that choose it."""
        if isinstance(self._body.node, ast.Lambda):
            yield from self._causes(self._body.node.body)
        for node in self._nodes:
            if isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom)) and node.value is not None:
                yield from self._causes(node.value)
            elif isinstance(node, (ast.If, ast.While)) and any(isinstance(part, (ast.Return, ast.Assign)) for part in ast.walk(node)):
                yield from (cause for cause in self._causes(node.test) if cause.reason != ORDER)

    def _spread(self) -> bool:
        """Carry causes from values to the variables that they are assigned to; return whether there was a new one."""
        before = sum(map(len, self._variables.values()))
        for node in self._nodes:
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.NamedExpr, ast.AnnAssign)) and node.value is not None:
                targets: list[ast.expr] = node.targets if isinstance(node, ast.Assign) else [node.target]
                self._taint(targets, node.value)
            elif isinstance(node, (ast.For, ast.comprehension)):
                self._taint([node.target], node.iter)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                for argument in node.args:  # parts.append(hash(value))
                    self._taint([node.func.value], argument)
        return sum(map(len, self._variables.values())) > before

    def _taint(self, targets: list[ast.expr], value: ast.expr) -> None:
        found = list(self._causes(value))
        for target in targets if found else ():
            for name in ast.walk(target):
                if isinstance(name, ast.Name):
                    known = self._variables.setdefault(name.id, [])
                    known.extend(cause for cause in found if cause not in known)

    def _causes(self, value: ast.AST) -> Iterator[Cause]:
        """Yield the causes in an expression."""
        if isinstance(value, ast.Name):
            yield from self._variables.get(value.id, ())
        elif isinstance(value, (ast.Set, ast.SetComp)):
            yield self._cause(value, ORDER)
        elif isinstance(value, ast.Call):
            yield from self._call(value)
            return
        orderless = isinstance(value, ast.Compare)
        for part in ast.iter_child_nodes(value):
            yield from (cause for cause in self._causes(part) if not (orderless and cause.reason == ORDER))

    def _call(self, call: ast.Call) -> Iterator[Cause]:
        callee = self._body.resolve(call.func)
        reason = _reason(callee, call)
        if reason is not None:
            yield self._cause(call, reason)
            return
        called = self._body.called(call)
        if called is not None and called.key not in self._callers:
            yield from _Flow(called, self._callers).results()
        orderless = getattr(callee, "__name__", None) in _ORDERLESS and getattr(builtins, callee.__name__, None) is callee
        for part in ast.iter_child_nodes(call):
            yield from (cause for cause in self._causes(part) if not (orderless and cause.reason == ORDER))

    def _cause(self, node: ast.expr, reason: str) -> Cause:
        file = self._body.file
        code = ast.get_source_segment("".join(linecache.getlines(file)), node) or ast.unparse(node)
        return Cause(" ".join(code.split()), reason, file, node.lineno)


def _reason(callee: Any, call: ast.Call) -> str | None:
    """Return why what a call returns is unstable, or None when nothing says so."""
    if callee is hash or (isinstance(call.func, ast.Attribute) and call.func.attr == "__hash__"):
        return HASH
    if callee is id:
        return ADDRESS
    if callee in (set, frozenset):
        return ORDER
    owner = getattr(callee, "__self__", None)
    name = getattr(callee, "__name__", "")
    module = getattr(callee, "__module__", None) or ""
    if isinstance(owner, ModuleType):
        module = owner.__name__
    elif owner is not None:
        module = (owner if isinstance(owner, type) else type(owner)).__module__
    if module in _RANDOM_MODULES and not isinstance(callee, type) and name not in ("seed", "compare_digest"):
        return RANDOM
    key = ("os" if module in ("posix", "nt") else "datetime" if module == "datetime" else module.removeprefix("_"), name)
    if key in _CALLS:
        return _CALLS[key]
    return _ONLY_WITHOUT_ARGUMENT.get(key) if not call.args else None
