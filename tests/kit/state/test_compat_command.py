"""`jobkit compat`, as its users start it, on snapshots that Flink has written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from jobkit.lock import beside
from jobkit.lock import read as read_lock

from tests.kit import projects
from tests.kit.projects import TinyProject

from . import large
from .versions import GOLDEN, PROJECT

SAVEPOINT = GOLDEN / "2.2" / "savepoint"
CHECKPOINT = GOLDEN / "2.2" / "checkpoint"
PIPELINE = "src/rounds/pipeline.py"


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    """The project whose snapshots are kept."""
    return TinyProject(Path(shutil.copytree(PROJECT, tmp_path / "rounds", ignore=shutil.ignore_patterns("__pycache__"))))


def jobkit(folder: Path, *arguments: str, **more: str) -> CompletedProcess[str]:
    """Run the command line; of these projects not all have another environment than the local one."""
    return projects.jobkit(folder, *arguments, **{"JOBKIT_ENV": "local", **more})


def verdicts(stdout: str) -> dict[str, str]:
    """Return the verdict of each operator in a JSON document."""
    document: dict[str, Any] = json.loads(stdout)
    return {operator["uid"]: operator["verdict"] for operator in document["operators"]}


def test_a_job_and_its_own_savepoint(project: TinyProject) -> None:
    """Without a lock, types are unknown; with the job's, everything is restored, and the table shows what there is."""
    done = jobkit(project.root, "compat", str(SAVEPOINT), "--json")
    assert done.returncode == 0, done.stderr
    found = verdicts(done.stdout)
    assert found.pop("rounds") == "unknown"
    assert set(found.values()) == {"restored"}
    assert jobkit(project.root, "lock").returncode == 0
    done = jobkit(project.root, "compat", str(SAVEPOINT), "--lock", "flink.lock", COLUMNS="120")
    assert done.returncode == 0, done.stderr
    assert "✓ restored   rounds " in done.stdout
    assert "operators that hold nothing" in done.stdout
    assert "7 restored (" in done.stdout
    assert "What took the snapshot is in flink.lock." in done.stderr


def test_a_changed_job_would_lose_state(project: TinyProject) -> None:
    """An operator's uid, a state's name, the limit of its parallelism: each with the amount, and exit code 1."""
    project.replace(PIPELINE, '.uid("rounds")', '.uid("turns")')
    done = jobkit(project.root, "compat", str(CHECKPOINT), COLUMNS="120")
    assert done.returncode == 1, done.stderr
    assert "✗ dropped    rounds " in done.stdout
    assert '.uid("rounds")' in done.stdout
    assert "+ new        turns" in done.stdout
    assert "1 dropped (" in done.stdout
    project.replace(PIPELINE, '.uid("turns")', '.uid("rounds")')
    project.replace(PIPELINE, 'ListStateDescriptor("last",', 'ListStateDescriptor("newest",')
    done = jobkit(project.root, "compat", str(CHECKPOINT), "--json")
    assert (done.returncode, verdicts(done.stdout)["rounds"]) == (1, "dropped"), done.stderr
    project.replace("conf/base.yaml", "pipeline.max-parallelism: 128", "pipeline.max-parallelism: 64")
    done = jobkit(project.root, "compat", str(CHECKPOINT), "--json")
    assert (done.returncode, verdicts(done.stdout)["rounds"]) == (1, "incompatible"), done.stderr


def test_what_the_project_gives_up_may_go(project: TinyProject) -> None:
    """`jobkit lock --drop` has written it down."""
    assert jobkit(project.root, "lock").returncode == 0
    project.replace(PIPELINE, 'ListStateDescriptor("last",', 'ListStateDescriptor("newest",')
    assert jobkit(project.root, "lock", "--drop", "rounds/last", "--reason", "wrong since May").returncode == 0
    done = jobkit(project.root, "compat", str(SAVEPOINT), COLUMNS="140")
    assert done.returncode == 0, done.stderr
    assert "~ dropped    rounds" in done.stdout
    assert "Given up in flink.lock: wrong since May" in done.stdout


@pytest.mark.usefixtures("jvm")
def test_the_lock_of_the_start_is_found(project: TinyProject, tmp_path: Path) -> None:
    """Beside the checkpoint; so that another type of a state is seen, in a checkpoint of a job that nobody has at hand."""
    job = tmp_path / "checkpoints" / "0a1b2c"
    shutil.copytree(CHECKPOINT, job / "chk-7")
    assert jobkit(project.root, "lock").returncode == 0
    lock = read_lock(project.root / "flink.lock")
    assert lock is not None
    address = beside.store(lock, f"file:{tmp_path}/checkpoints", "0a1b2c")
    (job / "chk-7" / "_metadata").touch()  # the start was before it
    done = jobkit(project.root, "compat", str(job / "chk-7"), "--json")
    assert (done.returncode, json.loads(done.stdout)["lock"]) == (0, address), done.stderr
    assert set(verdicts(done.stdout).values()) == {"restored"}
    project.replace(PIPELINE, 'ValueStateDescriptor("count", Types.LONG())', 'ValueStateDescriptor("count", Types.STRING())')
    done = jobkit(project.root, "compat", str(job / "chk-7"), COLUMNS="140")
    assert done.returncode == 1, done.stderr
    assert "✗ incompatible   rounds" in done.stdout
    assert "was Long, and is String: what is in it would be read as" in done.stdout


def test_why_the_lock_was_not_looked_for_is_said(project: TinyProject, tmp_path: Path) -> None:
    """The job's checkpoints are where this machine does not reach: types are unknown, and the reason is there."""
    project.write("conf/far.yaml", "execution.checkpointing.dir: s3://nowhere/checkpoints\n")
    savepoint = Path(shutil.copytree(SAVEPOINT, tmp_path / "savepoint-abcdef-0123456789ab"))
    done = jobkit(project.root, "compat", str(savepoint), "--env", "far", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert "cannot be read: UnsupportedFileSystemSchemeException: Could not find a file system" in done.stdout
    assert "Name the lock: --lock FILE." in done.stdout
    assert "? unknown    rounds " in done.stdout
    assert jobkit(project.root, "compat", str(savepoint), "--env", "far", "--strict").returncode == 1


def test_a_first_start_has_no_snapshot(project: TinyProject) -> None:
    """Which is said to be so."""
    done = jobkit(project.root, "compat", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["snapshot"] is None
    assert set(verdicts(done.stdout).values()) == {"new"}
    assert "the job would begin without state" in jobkit(project.root, "compat").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("",), "No snapshot is named: the argument is empty."),
        (("nowhere/chk-7",), "There is no such snapshot"),
        (("nowhere://bucket/chk-7",), "Flink knows no such file system."),
        ((str(SAVEPOINT), "--lock", "nowhere.lock"), "There is no such lock."),
        ((str(SAVEPOINT), "--lock", "conf/base.yaml"), "This is no lock."),
    ],
)
def test_what_is_not_there_is_said(project: TinyProject, arguments: tuple[str, ...], message: str) -> None:
    """In one paragraph, before anything is compared."""
    done = jobkit(project.root, "compat", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("jvm")
def test_a_snapshot_of_many_operators_and_files(tmp_path: Path) -> None:
    """Each head is read: one that is damaged is named. `scripts/measure_compat.py` measures a larger one."""
    project = large.project(tmp_path / "project", functions=20)
    checkpoint = tmp_path / "checkpoints" / "chk-7"
    assert large.make(checkpoint, large.operators(project)) == 1_000
    done = jobkit(project.root, "compat", str(checkpoint), "--json")
    assert done.returncode == 0, done.stderr
    found = verdicts(done.stdout)
    assert [found[f"rounds-{number}"] for number in range(20)] == ["unknown"] * 20  # there is no lock
    (checkpoint / "rounds-13-7" / "head").write_bytes(b"x" * 10)
    done = jobkit(project.root, "compat", str(checkpoint))
    assert (done.returncode, done.stdout) == (2, "")
    assert "The snapshot is damaged" in done.stderr
    assert "rounds-13-7/head" in done.stderr
