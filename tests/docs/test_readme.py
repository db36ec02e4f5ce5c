"""The README's code is that of the examples, and its messages are jobkit's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import ROOT, BakedProject

from .blocks import blocks, lines

README = ROOT / "README.md"
EXAMPLES = ROOT / "docs" / "examples"
FOUR_WAYS = ("no_uid.py", "rolling_sum.py", "cancelled.py", "attribute.py")


@pytest.fixture(scope="module")
def said() -> dict[str, list[str]]:
    """Return what `jobkit check --program` prints for each of the four ways."""
    jobkit = Path(sys.executable).with_name("jobkit")

    def check(name: str) -> list[str]:
        command = [str(jobkit), "check", "--program", name]
        environment = {**os.environ, "COLUMNS": "200"}
        return lines(subprocess.run(command, cwd=EXAMPLES, env=environment, capture_output=True, text=True, check=False).stdout)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(FOUR_WAYS, pool.map(check, FOUR_WAYS), strict=True))


@pytest.mark.parametrize(("number", "name"), list(enumerate(FOUR_WAYS)))
def test_code_is_that_of_the_example(number: int, name: str) -> None:
    """What the reader sees can be run."""
    code = blocks(README, "python")[number].text
    assert code in (EXAMPLES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("number", "name"), list(enumerate(FOUR_WAYS)))
def test_messages_are_those_of_jobkit(number: int, name: str, said: dict[str, list[str]]) -> None:
    """Each line that is shown is a line that jobkit prints."""
    shown = [block for block in blocks(README, "text") if block.text.startswith(("✗", "?"))][number]
    assert [line for line in lines(shown.text) if line not in said[name]] == []


def test_make_targets_exist() -> None:
    """Every target that the README names is one of the Makefile's."""
    named = set(re.findall(r"\bmake (demo|test|lint|docs|bench|clean)\b", README.read_text(encoding="utf-8")))
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    assert {"demo", "test", "docs"} <= named <= set(phony[1].split())


def test_tree_is_that_of_a_project(bake: Callable[..., BakedProject]) -> None:
    """Every file and folder of the tree is in a generated project."""
    tree = next(block.text for block in blocks(README, "text") if block.text.startswith("flight-delays/"))
    project, folder = bake(), ""
    for line in tree.splitlines()[1:]:
        match = re.match(r"(│   )?[├└]── (.*?)(?:\s{3,}|$)", line)
        assert match is not None, line
        names = match[2].split("  ")
        folder = folder if match[1] else names[0].rstrip("/")
        for name in names:
            assert (project.path / (folder if match[1] else "") / name).exists(), name
