"""The job passes jobkit's guardrails: its state will survive the next deployment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_check_passes() -> None:
    """`jobkit check` judges the job by every rule, and refuses nothing."""
    jobkit = Path(sys.executable).with_name("jobkit")
    command = [str(jobkit), "check", "--json"]
    check = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    assert check.returncode == 0, check.stdout + check.stderr
    results = json.loads(check.stdout)["results"]
    assert "pass" in {result["status"] for result in results}
    assert [result for result in results if result["status"] == "fail"] == []
