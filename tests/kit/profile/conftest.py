"""A cluster with a job that burns time, for the tests of `jobkit profile`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from jobkit import configuration
from jobkit.cluster import jars, java
from jobkit.cluster.flink import FlinkCluster
from jobkit.cluster.machine import Machine
from jobkit.cluster.submission import job_id
from jobkit.cluster.waiting import until
from jobkit.project import Project, find_project

SECONDS = 600

Start = Callable[..., str]


@pytest.fixture(scope="session")
def burner(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, in a folder of its own."""
    folder = tmp_path_factory.mktemp("profile") / "burner"
    return find_project(Path(shutil.copytree(Path(__file__).parent / "burner", folder, ignore=shutil.ignore_patterns("__pycache__"))))


@pytest.fixture(scope="module")
def cluster(burner: Project) -> Iterator[FlinkCluster]:
    """A Flink cluster with one TaskManager of one slot."""
    waiting = {"resourcemanager.standalone.start-up-time": "86400000"}  # for a TaskManager that takes the place of another
    values = {**configuration.load(burner.conf, "local").values, **waiting}
    place = Machine(burner.root, library=jars.library(burner), java=java.find())
    cluster = FlinkCluster(burner.work / "run", place=place, configuration=values)
    try:
        cluster.start(task_managers=1)
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def start(cluster: FlinkCluster) -> Iterator[Start]:
    """A function that starts the job in `thread` or `process` mode, or without Python, and returns its id; cancelled in the end."""
    started: list[str] = []

    def submit(mode: str, *, python: bool = True) -> str:
        cluster.replace_task_managers(1)  # one may die when a job in process mode is cancelled: an error of PyFlink's
        options = ["-p", "1", "-D", f"python.execution-mode={mode}", "-pym", "burner"]
        client = cluster.submit(options, {"BURNER_PYTHON": "yes" if python else "no"})
        job = until(partial(job_id, client), what="the job was submitted", seconds=SECONDS, log=cluster.logs)
        started.append(job)
        until(lambda: cluster.rest.is_running(job) or None, what="all tasks run", seconds=SECONDS, log=cluster.logs)
        if python:
            until(lambda: _is_at_work(cluster, job) or None, what="records come out of “light”", seconds=SECONDS, log=cluster.logs)
        return job

    yield submit
    for job in started:
        if cluster.rest.state(job) == "RUNNING":
            cluster.rest.cancel(job)


def _is_at_work(cluster: FlinkCluster, job: str) -> bool:
    return any(values.get("numRecordsOut", 0) > 0 for values in cluster.rest.metrics(job, ["numRecordsOut"]).values())
