"""Lint and type-check the template's Python where it stands, braces and all.

A folder named `{{...}}` is no package to mypy, and `from {{ ... }}.records import` is no Python. So the check runs over
a tree of links to the files themselves; only those with braces in them are copied, with the default answers put in.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from cookiecutter.generate import generate_context
from cookiecutter.prompt import prompt_for_config
from jinja2 import Environment, StrictUndefined

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
CONFIG = ROOT / "pyproject.toml"


def main() -> int:
    """Return 0 when all is well."""
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary).resolve()
        kit = TEMPLATE / "kit"
        for file in [TEMPLATE / "pyproject.toml", *sorted(TEMPLATE.rglob("*.py"))]:
            if kit not in file.parents:
                _place(file, tree / _filled(str(file.relative_to(TEMPLATE))))
        commands = (
            (tree, ["ruff", "check", "."]),
            (tree, ["ruff", "format", "--check", "."]),
            (tree, ["mypy"]),
            (kit, ["mypy", "--config-file", str(CONFIG), "src"]),
            (ROOT, ["mypy", "hooks/pre_gen_project.py"]),
            (ROOT, ["mypy", "hooks/post_gen_project.py"]),
            (ROOT, ["mypy", "bench", "scripts", "tests"]),
        )
        codes = [_run(folder, *command) for folder, command in commands]
    return max(codes)


def _run(folder: Path, tool: str, *arguments: str) -> int:
    return subprocess.run([Path(sys.executable).with_name(tool), *arguments], cwd=folder, check=False).returncode


def _place(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    text = file.read_text(encoding="utf-8")
    if "{{" in text:
        target.write_text(_filled(text), encoding="utf-8")
    else:
        target.symlink_to(file)


def _filled(text: str) -> str:
    return (
        Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False).from_string(text).render(cookiecutter=ANSWERS)
    )


ANSWERS = prompt_for_config(generate_context(str(ROOT / "cookiecutter.json")), no_input=True)
"""The answers of somebody who presses return."""

if __name__ == "__main__":
    sys.exit(main())
