"""A job that is told to start from a snapshot is held to what the job before it has left there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from jobkit.graph import JobGraph, State
from jobkit.lock import Dropped, Lock, lock_of, write
from jobkit.lock.beside import store
from jobkit.lock.restoring import PATH, judge
from jobkit.options import Setting
from jobkit.project import Project

from .test_beside import JOB, snapshot
from .test_judgement import graph_of

pytestmark = pytest.mark.usefixtures("jvm")

COUNT = State("count", "value", "Long")
EARLIER = datetime(2026, 5, 1, 11, tzinfo=timezone.utc)


def graph_from(address: str | None, checkpoints: Path, *states: State) -> JobGraph:
    """Return a job that keeps some states and starts from a snapshot."""
    graph = graph_of(states=states)
    folder = Setting("execution.checkpointing.dir", f"file://{checkpoints}", None)
    return replace(graph, settings={**graph.settings, PATH: Setting(PATH, address, None), folder.key: folder})


@pytest.fixture
def left(tmp_path: Path) -> str:
    """Return the address of a checkpoint of a job that kept a count, with its lock."""
    store(lock_of(graph_of(states=(COUNT,))), f"file://{tmp_path}/checkpoints", JOB, EARLIER)
    return snapshot(tmp_path / "checkpoints" / JOB / "chk-7")


def judged(folder: Path, graph: JobGraph, *, project: Lock | None = None, environment: str = "prod") -> list[tuple[str, str]]:
    """Judge a job in a project with a lock, by default its own; return status and message of each finding."""
    write(project or lock_of(graph), folder / "flink.lock")
    return [(found.status, found.message) for found in judge(Project(folder, "a:b"), graph, environment)]


def test_the_job_that_took_it_may_start(tmp_path: Path, left: str) -> None:
    """And one that keeps more."""
    more = State("total", "value", "Long")
    assert judged(tmp_path, graph_from(left, tmp_path / "checkpoints", COUNT)) == []
    assert judged(tmp_path, graph_from(left, tmp_path / "checkpoints", COUNT, more)) == []
    assert judged(tmp_path, graph_from(None, tmp_path / "checkpoints")) == []


def test_a_job_that_would_misread_it_does_not_start(tmp_path: Path, left: str) -> None:
    """Although the project's lock is the job's own: somebody has begun anew, and then named a snapshot all the same."""
    graph = graph_from(left, tmp_path / "checkpoints", replace(COUNT, type="Double"))
    everything = replace(lock_of(graph), dropped=(Dropped("count", "count", "begins anew"),))
    for project in (None, everything):
        ((status, message),) = judged(tmp_path, graph, project=project)
        assert status == "fail"
        assert message.startswith(f"It would start from {left}, and lose state: The state “count” of “count” was Long, and is Double")
    assert judged(tmp_path, graph, environment="local") == []


def test_what_was_given_up_may_be_left_behind(tmp_path: Path, left: str) -> None:
    """By name, in the project's lock; otherwise not."""
    graph = graph_from(left, tmp_path / "checkpoints")
    ((status, message),) = judged(tmp_path, graph)
    assert (status, "The state “count” of “count” is gone" in message) == ("fail", True)
    assert judged(tmp_path, graph, project=replace(lock_of(graph), dropped=(Dropped("count", "count", "counted elsewhere"),))) == []


def test_a_snapshot_without_a_lock_is_a_warning(tmp_path: Path) -> None:
    """The first deploy with jobkit starts from such a one. A snapshot that is gone is Flink's to complain of."""
    address = snapshot(tmp_path / "elsewhere" / JOB / "chk-7")
    ((status, message),) = judged(tmp_path, graph_from(address, tmp_path / "checkpoints"))
    assert (status, message) == ("unknown", f"No lock was found for {address}: whether the job can read its state is not known.")
    ((status, message),) = judged(tmp_path, graph_from(f"{address}9", tmp_path / "checkpoints"))
    assert (status, "cannot be read: FileNotFoundException" in message) == ("unknown", True)


def test_a_damaged_lock_is_a_warning(tmp_path: Path, left: str) -> None:
    """It is no reason to stay down at night."""
    (file,) = (tmp_path / "checkpoints" / JOB).glob("flink-*.lock")
    file.write_text("<<<<<<<", encoding="utf-8")
    ((status, message),) = judged(tmp_path, graph_from(left, tmp_path / "checkpoints", COUNT))
    assert (status, "cannot be read: This is no lock." in message) == ("unknown", True)
