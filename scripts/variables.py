"""The environment variables that a settings class reads: found in its source, which is a template and cannot be imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_VARIABLE = re.compile(r"[A-Z_]{3,}")


def variables(file: Path, name: str) -> list[tuple[str, str, str, str]]:
    """Return variable, attribute, default and meaning of each setting of a class, as Markdown."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    node = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    constants = {str(target): _value(entry.value, {}) for entry in tree.body if isinstance(entry, ast.Assign) for target in _names(entry)}
    defaults, meanings = _defaults(node, constants), _meanings(node)
    return [(f"`{variable}`", f"`{field}`", defaults.get(field, ""), meanings[field]) for field, variable in _read(node)]


def _names(entry: ast.Assign) -> list[str]:
    return [target.id for target in entry.targets if isinstance(target, ast.Name)]


def _meanings(node: ast.ClassDef) -> dict[str, str]:
    section = (ast.get_docstring(node) or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)
    return {name: " ".join(about.split()) for name, about in entries}


def _defaults(node: ast.ClassDef, constants: dict[str, str]) -> dict[str, str]:
    fields = [field for field in node.body if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.value]
    values = {ast.unparse(field.target): _value(field.value, constants) for field in fields}
    return {name: f"`{value}`" for name, value in values.items() if value}


def _value(node: ast.expr | None, constants: dict[str, str]) -> str:
    """Return a constant, a product of numbers or a constant's name as text; an empty text for anything else."""
    if isinstance(node, ast.Name):
        return constants.get(node.id, "")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = (_value(side, constants) for side in (node.left, node.right))
        return str(int(left) * int(right)) if left.isdigit() and right.isdigit() else ""
    if isinstance(node, ast.Constant) and node.value is not None:
        return re.sub(r"{{ cookiecutter\.(\w+) }}", r"<\1>", str(node.value))
    return ""


def _read(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield each field and the variable that it is read from, in the call that makes the settings."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "cls":
            for keyword in call.keywords:
                variable = _variable(keyword.value) or _local(node, keyword.arg)
                if keyword.arg and variable:
                    yield keyword.arg, variable


def _local(node: ast.ClassDef, name: str | None) -> str | None:
    """Return the variable that a local of the same name was read from."""
    values = (part.value for part in ast.walk(node) if isinstance(part, ast.Assign) and name in _names(part))
    return next((variable for value in values if (variable := _variable(value))), None)


def _variable(value: ast.expr) -> str | None:
    texts = (part.value for part in ast.walk(value) if isinstance(part, ast.Constant) and isinstance(part.value, str))
    return next((text for text in texts if _VARIABLE.fullmatch(text)), None)
