"""The page about changing a state: its two functions and its test are what they are said to be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jobkit
import pytest

from tests.conftest import ROOT

from .blocks import blocks

PAGE = ROOT / "docs" / "how-to" / "change-a-state.md"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The files of the page, in a folder."""
    for block in (block for block in blocks(PAGE, "python") if block.note):
        (tmp_path / block.note.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
    return tmp_path


def test_the_test_of_the_page_passes(written: Path) -> None:
    """Over the functions of the page."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--quiet", "test_orders.py"]
    environment = {**os.environ, "PYTHONPATH": str(Path(jobkit.__file__).parents[1])}
    run = subprocess.run(command, cwd=written, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert "2 passed" in run.stdout, run.stdout
