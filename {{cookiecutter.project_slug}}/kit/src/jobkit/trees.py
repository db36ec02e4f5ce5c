"""The syntax trees of source files: where a function is written, and the constants of a module."""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@lru_cache(maxsize=256)
def _tree(file: str) -> ast.Module | None:
    linecache.checkcache(file)
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return None


def written_in(file: str, name: str, depth: int = 8) -> ast.expr | None:
    """Return the constant that a module has by a name, or has imported from another that has."""
    found: ast.expr | None = None
    for statement in getattr(_tree(file), "body", ()):
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found = getattr(statement, "value", None)
        if isinstance(statement, ast.ImportFrom) and depth:
            for alias in statement.names:
                if (alias.asname or alias.name) == name:
                    found = written_in(_imported_from(file, statement), alias.name, depth - 1)
    entries = found.elts if isinstance(found, ast.Tuple) else [found]
    return found if all(isinstance(entry, ast.Constant) for entry in entries) else None


def _imported_from(file: str, statement: ast.ImportFrom) -> str:
    """Return the file of the module that an import names; it is empty when that was not imported."""
    name = statement.module or ""
    if statement.level:
        package = next((str(module.__package__) for module in list(sys.modules.values()) if getattr(module, "__file__", None) == file), "")
        parts = package.split(".")
        name = ".".join(filter(None, [*parts[: len(parts) - statement.level + 1], name]))
    return str(getattr(sys.modules.get(name), "__file__", None) or "")


def locate(code: CodeType) -> Function | None:
    """Return where a function is written; None when its source cannot be read."""
    found = _functions(code.co_filename).get((code.co_name, code.co_firstlineno), [])
    # Several lambdas may start on one line: they are told apart by what Python makes of each.
    alike = [node for node in found if _used(node) == _names(code)] or found[:1]
    if len(alike) > 1:
        alike = [node for node in alike if isinstance(node, ast.Lambda) and _is_compiled_to(node, code)] or alike
    return alike[0] if alike else None


def _is_compiled_to(node: ast.Lambda, code: CodeType) -> bool:
    around = ", ".join(code.co_freevars)  # what it takes from a function around it is compiled in another way than a global
    try:
        outer = compile(f"def around({around}): return ({ast.unparse(node)})", code.co_filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    made = next(_lambdas(outer), None)
    return made is not None and _compiled(made) == _compiled(code)


def _lambdas(code: CodeType) -> Iterator[CodeType]:
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from [value] if value.co_name == "<lambda>" else _lambdas(value)


def _compiled(code: CodeType) -> tuple[object, ...]:
    """Return what a function computes, and nothing of where it is written."""
    constants = [_compiled(value) if isinstance(value, CodeType) else repr(value) for value in code.co_consts]
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars


@lru_cache(maxsize=256)
def _functions(file: str) -> dict[tuple[str, int], list[Function]]:
    """Return the functions of a file, by what a code object knows of where it was written: its name and its first line."""
    found: dict[tuple[str, int], list[Function]] = {}
    for node in ast.walk(_tree(file) or ast.Module([], [])):
        if isinstance(node, _FUNCTIONS):
            name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
            first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
            found.setdefault((name, first), []).append(node)
    return found


def _used(node: ast.AST) -> set[str]:
    used = {entry.id for entry in ast.walk(node) if isinstance(entry, ast.Name)}
    used |= {entry.attr for entry in ast.walk(node) if isinstance(entry, ast.Attribute)}
    return used | {entry.arg for entry in ast.walk(node) if isinstance(entry, ast.arg)}


def _names(code: CodeType) -> set[str]:
    own = {*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars}
    nested = [entry for entry in code.co_consts if isinstance(entry, CodeType)]
    return {name for name in own if not name.startswith(".")}.union(*(_names(entry) for entry in nested))
