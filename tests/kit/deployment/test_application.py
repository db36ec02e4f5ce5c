"""The life of a job as an application cluster of its own: its processes come and go with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from jobkit.deployment.rest import Deployed

from tests.kit.cluster.conftest import processes_of

from .kills import kill_when, step
from .stage import FUNCTIONS, OPEN, Deployment, Stage, stage


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A broker; what tests leave running is ended."""
    folder = tmp_path_factory.mktemp("applications")
    with stage(folder, session=False) as prepared:
        yield prepared
        for process in processes_of(folder / "deployment-1"):
            process.kill()


def daemons(job: Deployment) -> list[str]:
    """Return which processes of Flink run for a deployment."""
    kinds = {"StandaloneApplicationClusterEntryPoint": "JobManager", "TaskManagerRunner": "TaskManager"}
    state = str(job.root.parent / "state")
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if any(state in part for part in command):
            found += [kind for name, kind in kinds.items() if any(part.endswith(name) for part in command)]
    return sorted(found)


def test_the_life_of_an_application(theatre: Stage) -> None:
    """Deploy, a version that fails, whose upgrade is killed, the old one again, stop: each has new processes, and none is left."""
    job = theatre.deployment()
    job.send(["a", "b", "a"])
    first = job.ok("deploy", "--without-state", "--application", "--task-managers", "2")
    assert first["specification"]["mode"] == "application"
    assert daemons(job) == ["JobManager", "TaskManager", "TaskManager"]
    job.expect_all()
    rest = Deployed(first["specification"]["url"])
    assert rest.jobs() == {first["uid"]: "RUNNING"}, "the job's id is the instance's uid"
    lines = job.jobkit("instances", "logs", first["uid"]).stdout
    assert f"[{first['uid']}]" in lines

    with job.unchanged():
        job.replace(FUNCTIONS, OPEN, f"        raise LookupError('no')\n{OPEN}")
        kill_when(job, lambda operation, found: step(operation, "STARTING", "begin") and found[0].status == "STARTING", "upgrade")
        code, document = job.upgrade(["a", "d"])
    assert code == 1, job.log.read_text()
    back = document["error"]["instance"]
    assert rest.jobs() == {back: "RUNNING"}
    assert daemons(job) == ["JobManager", "TaskManager", "TaskManager"]
    assert ["d", "1", "one"] in job.expect_all()

    savepoint = job.ok("stop")["savepoint"]
    assert Path(savepoint.removeprefix("file:"), "_metadata").exists()
    assert daemons(job) == []
    left = {path.name for path in (job.root.parent / "state" / "jobkit" / "instances").glob("*/*")}
    assert left == {"lock", "logs", "run"}, "no configuration, which has secrets, and no code"
