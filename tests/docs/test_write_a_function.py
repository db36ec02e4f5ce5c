"""The Python in the page about functions runs, from top to bottom, as a reader would write it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from jobkit import batches
from jobkit.errors import ConfigurationError
from jobkit.testing.keyed import KeyedOperator

from tests.conftest import ROOT

from .blocks import Block, blocks

PAGE = ROOT / "docs" / "how-to" / "write-a-function.md"
MODULE = "written_from_the_page"


def pythons() -> list[Block]:
    """Return the blocks of Python that are whole: no line of them is part of a pipeline."""
    return [block for block in blocks(PAGE, "python") if not any(mark in block.text for mark in ("sink_to(…)", ".map(lambda"))]


def run(block: Block, names: dict[str, Any]) -> None:
    """Execute a block."""
    exec(compile(block.text, str(PAGE), "exec"), names)  # noqa: S102  (the page's own)


@pytest.fixture
def names() -> Iterator[dict[str, Any]]:
    """The names of a module, into which the blocks are written one after the other."""
    module = sys.modules[MODULE] = ModuleType(MODULE)
    yield vars(module)
    del sys.modules[MODULE]


def test_each_block_runs(names: dict[str, Any]) -> None:
    """The function, its tests, and the next version of its state."""
    later = next(block for block in pythons() if "migrate" in block.text)
    for block in [*(block for block in pythons() if block != later), later]:
        run(block, names)
    assert {"Totals", "Running", "restored", "FunctionFailed"} <= set(names)
    assert names["Totals"].version == 2


def test_the_next_version_takes_the_state_of_the_first(names: dict[str, Any]) -> None:
    """What the page's `migrate` is for; a version that it does not know is refused."""
    function, *_ = pythons()
    run(function, names)
    before = KeyedOperator(names["Totals"](), names["Order"])
    before.process("ann", names["Order"]("ann", 0, 500))
    run(next(block for block in pythons() if "migrate" in block.text), names)
    after = KeyedOperator(names["Totals"](), names["Order"], snapshot=before.snapshot())
    assert after.state("ann") == names["Account"](1, 500, 24 * 3_600_000, 0)
    names["Totals"].version = 0
    with pytest.raises(ConfigurationError, match="was written by a newer version of the job"):
        KeyedOperator(names["Totals"](), names["Order"], snapshot=before.snapshot()).state("ann")


def test_what_the_page_calls_is_there() -> None:
    """In the lines of pipelines, too, which need a whole job to run."""
    lines = [block for block in blocks(PAGE, "python") if block not in pythons()]
    assert len(lines) == 2
    for block in lines:
        compile(block.text.replace("…", "..."), str(PAGE), "exec")
    assert set(batches.__all__) >= {"read", "KeyedFunction", "RecordFunction", "BYTES_AS_TEXT"}
