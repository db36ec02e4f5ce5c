"""The demo, from a fresh clone to its verdict."""

from __future__ import annotations

import subprocess
from pathlib import Path


def test_demo_ends_with_the_right_result(clean_template: Path, environment: dict[str, str]) -> None:
    """`make demo` generates a project, runs its job on a real Flink and Kafka, and finds the result right; so again."""
    for _ in range(2):
        done = subprocess.run(
            ["make", "demo"], cwd=clean_template, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        assert "The result is what an independent computation gives." in done.stdout
