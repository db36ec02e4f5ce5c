"""Reading a job imports no Beam; PyFlink still finds out whether its compiled parts are there when it asks."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEAM = "print(sorted(name for name in sys.modules if name in {'apache_beam', 'pandas'}))"


def output(program: str) -> str:
    """Run a program in a Python of its own, and return what it prints."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", f"import sys\n{program}"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["jobkit.graph", "jobkit.launch"])
def test_beam_is_not_imported(module: str) -> None:
    """Nor by the call that packs a function, which PyFlink makes while a job is built."""
    packing = "from pyflink.fn_execution import flink_fn_execution_pb2 as messages; messages.UserDefinedDataStreamFunction()"
    assert output(f"import {module}\n{packing}\n{BEAM}") == "[]"


def test_pyflink_gets_its_answer_when_it_asks() -> None:
    """The same one as without jobkit, and the package's own code has run for it."""
    asked = f"from pyflink.fn_execution import PYFLINK_CYTHON_ENABLED as answer; print(answer)\n{BEAM}"
    assert output(f"import jobkit.graph\n{asked}") == output(asked)
    assert "apache_beam" in output(f"import jobkit.graph\n{asked}")


def test_what_is_not_there_is_an_error_as_usual() -> None:
    """A misspelt name is not taken for the question."""
    program = "import jobkit.graph, pyflink.fn_execution as package\ntry: package.nothing\nexcept AttributeError as error: print(error)"
    assert output(program) == "module 'pyflink.fn_execution' has no attribute 'nothing'"
