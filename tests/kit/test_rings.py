"""The inner ring runs inside the cluster: it needs nothing but PyFlink, and the outer ring leans on it, never the reverse."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jobkit
import pytest

KIT = Path(jobkit.__file__).parent
OUTER = (
    "analysis",
    "bench",
    "cli",
    "cluster",
    "deployment",
    "doctor",
    "display",
    "manifest",
    "pictures",
    "profile",
    "rehearsal",
    "reports",
    "state",
    "tables",
    "terminal",
    "testing",
)
"""The modules and packages that may use libraries. Every other one is of the inner ring: a new module is, until it says so here."""
MODULES = {".".join(file.relative_to(KIT).with_suffix("").parts): file for file in sorted(KIT.rglob("*.py"))}
INNER = [name for name in MODULES if name.split(".")[0] not in OUTER]


def imports(file: Path) -> Iterator[str]:
    """Yield the full name of each module that a file imports, at any depth, the kit's as `jobkit.…`."""
    package = ("jobkit", *file.relative_to(KIT).parent.parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *filter(None, [node.module])] if node.level else [str(node.module)]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def needed_by_pyflink() -> set[str]:
    """Return the distributions that come with PyFlink, transitively, as their metadata names them."""
    found: set[str] = set()
    queue = ["apache-flink"]
    while queue:
        name = re.sub(r"[-_.]+", "-", queue.pop()).lower()
        if name in found:
            continue
        try:
            requirements = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(name)
        queue += [re.split(r"[^\w.-]", entry, maxsplit=1)[0] for entry in requirements if "extra ==" not in entry]
    return found


def test_the_rings_are_where_they_are_looked_for() -> None:
    """A misspelt name would make every test below pass."""
    assert {"launch", "configuration", "graph", "uids", "errors", "guardrails.rule"} <= set(INNER)
    assert {name for name in OUTER if name in MODULES or f"{name}.__init__" in MODULES} >= {"cli", "cluster", "doctor", "pictures"}


@pytest.mark.parametrize("module", INNER)
def test_the_inner_ring_imports_nothing_of_the_outer_one(module: str) -> None:
    """Not even inside a function, or for type hints."""
    outer = [name for name in imports(MODULES[module]) if name.startswith("jobkit.") and name.split(".")[1] in OUTER]
    assert outer == []


@pytest.mark.parametrize("module", INNER)
def test_the_inner_ring_imports_what_pyflink_brings_only(module: str) -> None:
    """The standard library, PyFlink, and what PyFlink itself requires; tomli is the standard library's before Python 3.11."""
    distributions = importlib.metadata.packages_distributions()
    allowed = needed_by_pyflink()
    for name in imports(MODULES[module]):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names or top in ("jobkit", "pyflink", "tomllib", "tomli", "__future__"):
            continue
        owners = {re.sub(r"[-_.]+", "-", owner).lower() for owner in distributions.get(top, [])}
        assert owners & allowed, f"{module} imports {name} of {owners or 'nothing installed'}"


def test_the_inner_ring_imports_with_nothing_but_pyflink(tmp_path: Path) -> None:
    """A new environment, PyFlink of the same version in it, and the kit's source beside."""
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert uv, "uv comes with make test"
    python = tmp_path / "bin" / "python"
    pyflink = f"apache-flink=={importlib.metadata.version('apache-flink')}"
    # Apache Beam, which comes with PyFlink, imports pkg_resources.
    for command in (
        ["venv", "--python", sys.executable, str(tmp_path)],
        ["pip", "install", "--python", str(python), pyflink, "setuptools<81"],
    ):
        subprocess.run([uv, *command, "--quiet", "--no-config"], check=True, cwd=tmp_path)
    lines = [f"import jobkit.{name}".removesuffix(".__init__") for name in INNER]
    command = [str(python), "-W", "ignore", "-c", "\n".join(lines)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(KIT.parent)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
