"""The lock is part of what a job is judged by: in `jobkit check`, and when it starts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jobkit import launch
from jobkit.graph import JobGraph, Operator, State
from jobkit.launch import _may_set
from jobkit.lock import code, lock_of, write
from jobkit.lock.judgement import judge
from jobkit.options import Setting
from jobkit.project import Project

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


def graph_of(**changes: Any) -> JobGraph:
    """Return a job with a single operator."""
    operator = Operator("count", "c0", "count", "process", 1, 128, None, False, (), None, None, None, 1, ())  # noqa: FBT003
    settings = {"state.backend.type": Setting("state.backend.type", "rocksdb", "hashmap")}
    return JobGraph("job", [replace(operator, **changes)], {}, 128, settings=settings)


def judged(folder: Path, graph: JobGraph, *, at_start: bool) -> list[tuple[str, str]]:
    """Compare a job with the lock of the one above; return status and message of each finding."""
    write(lock_of(graph_of()), folder / "flink.lock")
    return [(found.status, found.message) for found in judge(Project(folder, "a:b"), graph, "prod", at_start=at_start)]


def test_a_start_warns_of_what_is_harmless(tmp_path: Path) -> None:
    """A name may depend on a setting of the environment; the check is exact."""
    graph = graph_of(name="another")
    message = "It does not have this change (harmless): “count” is called another instead of count."
    assert judged(tmp_path, graph, at_start=True) == [("unknown", message)]
    assert judged(tmp_path, graph, at_start=False) == [("fail", message)]


def test_a_start_warns_of_what_is_found_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found depends on how it was installed; the check, on the machine that writes locks, is exact."""
    state = State("count", "value", "Long")
    monkeypatch.setattr(code, "function", lambda _: "Count")
    before = lock_of(graph_of(states=(state,)))
    monkeypatch.setattr(code, "function", lambda _: "Total")
    for at_start, status in ((True, "unknown"), (False, "fail")):
        write(before, tmp_path / "flink.lock")
        (found,) = judge(Project(tmp_path, "a:b"), graph_of(states=(state,)), "prod", at_start=at_start)
        assert (found.status, "ran Count, and runs Total" in found.message) == (status, True)


def test_another_environment_may_keep_state_elsewhere(tmp_path: Path) -> None:
    """There is one lock, made as for production."""
    graph = graph_of()
    elsewhere = replace(graph, settings={"state.backend.type": Setting("state.backend.type", "hashmap", "hashmap")})
    write(lock_of(graph), tmp_path / "flink.lock")
    for environment, status in (("dev", "pass"), ("prod", "fail")):
        (found,) = judge(Project(tmp_path, "a:b"), elsewhere, environment, at_start=True)
        assert found.status == status


def test_flink_or_a_platform_may_refuse_what_a_program_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the job keeps the id that it is given, and no lock is stored."""
    assert _may_set(graph_of())
    assert not _may_set(replace(graph_of(), configuration={"execution.program-config.enabled": "false"}))
    monkeypatch.setattr(launch, "_MANAGED", tmp_path)
    assert not _may_set(graph_of())


@pytest.mark.parametrize("at_start", [True, False])
def test_what_could_not_be_found_is_a_warning(tmp_path: Path, at_start: bool) -> None:  # noqa: FBT001
    """A slow machine, or a service that is not there, must not keep a job from its restart."""
    (found,) = judged(tmp_path, graph_of(states_unknown="open() had not returned after 9 seconds"), at_start=at_start)
    assert found[0] == "unknown"
    assert "open() had not returned after 9 seconds" in found[1]


def test_a_job_outside_of_any_project_is_warned_of(tmp_path: Path) -> None:
    """It starts, as nobody has promised a lock there."""
    (found,) = judge(Project(tmp_path), graph_of(), "prod", at_start=True)
    assert (found.status, found.rule) == ("unknown", "flink-lock")
