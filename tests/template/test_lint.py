"""The template's own code passes its linters and the type checker, in place."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_template_is_linted_and_typed_in_place() -> None:
    """`make lint` covers hooks, scripts, tests, kit and the Python between the braces."""
    done = subprocess.run(["make", "lint"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
