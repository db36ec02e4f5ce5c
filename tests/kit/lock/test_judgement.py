"""The lock is part of what a job is judged by: in `jobkit check`, and when it starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..projects import TinyProject, jobkit, tiny

PIPELINE = "src/tiny/pipeline.py"


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    """A project with a lock."""
    return tiny(tmp_path)


def findings(project: TinyProject, *arguments: str) -> list[dict[str, Any]]:
    """Return what `jobkit check` says of the lock."""
    results = json.loads(jobkit(project.root, "check", "--json", *arguments).stdout)["results"]
    return [result for result in results if result["rule"] == "flink-lock"]


def test_the_lock_of_the_job_passes(project: TinyProject) -> None:
    """Local runs need none: there one tries things out."""
    assert [found["status"] for found in findings(project)] == ["pass"]
    (project.root / "flink.lock").unlink()
    (found,) = findings(project)
    assert (found["status"], found["message"]) == ("fail", "There is no flink.lock beside pyproject.toml.")
    (found,) = findings(project, "--env", "local")
    assert (found["status"], found["message"]) == ("not-applicable", "flink.lock is that of the job. Local runs need none.")


def test_each_change_of_weight_is_a_finding(project: TinyProject) -> None:
    """With its operator and what to do; those that are harmless are shown when there are no others."""
    project.replace(PIPELINE, 'counts.print().uid("out")', 'counts.print().uid("out")\n    stream.print().uid("all")')
    (found,) = findings(project)
    assert (found["status"], found["operator"], found["file"]) == ("fail", "all", "flink.lock")
    assert "It does not have this change (harmless): “all” is new." in found["message"]
    project.replace(PIPELINE, 'ValueStateDescriptor("count",', 'ValueStateDescriptor("n",')
    (found,) = findings(project)
    assert found["operator"] == "count"
    assert "(loses-state): The state “count” of “count” is gone" in found["message"]
    assert found["remedy"].endswith("Then: jobkit lock")


def test_operators_without_uids_are_not_compared(project: TinyProject) -> None:
    """Another rule says so."""
    project.replace(PIPELINE, '.uid("out")', "")
    assert findings(project) == []


def test_it_can_be_waived(project: TinyProject) -> None:
    """With a reason, as every rule."""
    (project.root / "flink.lock").unlink()
    project.replace("pyproject.toml", "[tool.jobkit]", '[[tool.jobkit.waivers]]\nrule = "flink-lock"\nreason = "A trial"\n\n[tool.jobkit]')
    (found,) = findings(project)
    assert (found["status"], found["reason"]) == ("waived", "A trial")
