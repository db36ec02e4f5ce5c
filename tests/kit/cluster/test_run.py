"""`jobkit run` from one end to the other: what it finds, what stops it, how it is resumed, and that nothing stays behind."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jobkit.cluster.display import Display
from jobkit.cluster.local import Options
from jobkit.cluster.rest import RestClient
from jobkit.cluster.run import LocalRun
from jobkit.cluster.waiting import until
from jobkit.errors import ConfigurationError
from jobkit.project import Project
from rich.console import Console

from .conftest import copy_of_tally, processes_of

SECONDS = 600
Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy of the small project, to run in."""
    return copy_of_tally(tmp_path / "a project")


@pytest.fixture
def run(project: Project, tmp_path: Path) -> Iterator[Run]:
    """A function that starts `jobkit run`; what is still up in the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str, **variables: str) -> subprocess.Popen[str]:
        log = (tmp_path / f"stderr-{len(started)}").open("w")
        command = [str(Path(sys.executable).with_name("jobkit")), "run", *options]
        with log:
            process = subprocess.Popen(
                command,
                cwd=project.root,
                env={**os.environ, **variables},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    assert [entry.name for entry in project.root.parent.iterdir() if "project" in entry.name] == [project.root.name]  # no a%20project
    until(lambda: not processes_of(project.root) or None, what="all processes have ended", seconds=60)


@pytest.fixture
def notes(tmp_path: Path) -> Callable[..., str]:
    """A function that returns what a run has written to stderr; it can wait for a text."""

    def read(number: int = 0, wait_for: str = "") -> str:
        file = tmp_path / f"stderr-{number}"
        return until(lambda: text if wait_for in (text := file.read_text()) else None, what=f"{wait_for} appears", seconds=SECONDS)

    return read


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait until a run is over; return its exit code and stdout."""
    stdout, _ = process.communicate(timeout=SECONDS)
    return process.returncode, stdout


def ports_of(project: Project) -> set[int]:
    """Return the ports that a project's processes listen on."""
    ports = set()
    for process in processes_of(project.root):
        with contextlib.suppress(psutil.NoSuchProcess):
            ports |= {each.laddr.port for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
    return ports


def checkpoint_of(project: Project) -> bool | None:
    """Say whether there is a completed checkpoint, as a probe."""
    return any(project.work.glob("run/checkpoints/*/chk-*/_metadata")) or None


def test_an_interrupted_run_is_resumed_and_the_result_is_exact(project: Project, run: Run, notes: Callable[..., str]) -> None:
    """Ctrl-C prints a checkpoint that exists and leaves nothing running; the run that goes on from there misses and repeats nothing.

    While the first run is up a second one is refused, and disturbs nothing.
    """
    first = run("--json", TALLY_PAUSE="0.2")
    until(lambda: checkpoint_of(project), what="there is a checkpoint", seconds=SECONDS)
    assert ports_of(project)
    second = run()
    assert finish(second) == (2, "")
    assert "A local run of this project is up already." in notes(1)
    first.send_signal(signal.SIGINT)
    code, stdout = finish(first)
    assert code == 130, stdout + notes()
    document: dict[str, Any] = json.loads(stdout)
    assert document["state"] == "interrupted"
    assert (Path(document["checkpoint"]) / "_metadata").is_file()
    assert f"jobkit run --from '{document['checkpoint']}'" in document["message"]
    assert processes_of(project.root) == []
    assert not (project.work / "run" / "tmp").exists()

    code, stdout = finish(run("--json", "--from", document["checkpoint"]))
    assert code == 0
    resumed: dict[str, Any] = json.loads(stdout)
    assert (resumed["state"], resumed["differences"]) == ("as expected", [])
    assert resumed["counts"] == {"fed": 1000, "numbered": 1000}
    log = next((project.work / "run" / "logs").glob("flink-jobmanager-*.log")).read_text()
    assert f"{Path(document['checkpoint']).name}" in log  # it did start from there
    assert Path(resumed["savepoint"], "_metadata").is_file()

    assert finish(run("--from", resumed["savepoint"]))[0] == 2
    assert "was drained" in notes(3)


def test_a_difference_fails_the_run_and_the_web_ui_stays_up(project: Project, run: Run, notes: Callable[..., str]) -> None:
    """Exit code 1 and every difference; with --keep the address that is printed answers, until Ctrl-C."""
    process = run("--keep", TALLY_EXPECTED="999")
    address = notes(wait_for="until Ctrl-C").split("The web UI is up at ")[1].split()[0]
    assert RestClient(address).overview()["jobs-finished"] == 1
    process.send_signal(signal.SIGTERM)
    code, stdout = finish(process)
    assert code == 1
    assert "differs from the expected one, 1 times" in stdout
    assert "1000 words in the input" in stdout
    assert "(drained: not for resuming)" in stdout
    assert processes_of(project.root) == []


def test_a_job_that_fails_shows_its_traceback(project: Project, run: Run, notes: Callable[..., str]) -> None:
    """The root cause and the user's line, not Java's; exit code 1 and nothing left."""
    assert finish(run(TALLY_POISON="500"))[0] == 1
    text = notes()
    assert "ZeroDivisionError: a poisonous word" in text
    assert f'File "{project.root}/src/tally/pipeline.py"' in text
    assert str(project.work / "run" / "logs") in text
    assert "\tat " not in text
    assert processes_of(project.root) == []


def test_a_run_that_was_killed_leaves_nothing_and_blocks_nothing(project: Project, run: Run, notes: Callable[..., str]) -> None:
    """SIGKILL: no process and no port stay; the next run waits until that is so, and starts, though nobody has waited for the first.

    The next one is interrupted at once: there is nothing to resume from, and it says so.
    """
    first = run(TALLY_PAUSE="0.2")
    notes(wait_for="cluster ready")
    assert len(ports_of(project)) > 3
    first.kill()
    second = run()
    notes(1, wait_for="broker ready")
    second.send_signal(signal.SIGINT)
    assert finish(second)[0] == 130
    assert "There is no checkpoint yet" in notes(1)
    assert ports_of(project) == set()
    assert processes_of(project.root) == []


def test_wrong_input_is_one_paragraph(project: Project, run: Run, notes: Callable[..., str]) -> None:
    """Exit code 2, no traceback, and not even a folder for the run."""
    assert finish(run("--from", "nowhere")) == (2, "")
    assert notes().strip().startswith("error: There is no such snapshot. Found: nowhere.")
    assert len(notes().strip().splitlines()) == 1
    assert not (project.work / "run").exists()


def snapshot_of_nobody(folder: Path) -> str:
    """Make a folder that looks like a snapshot."""
    (folder / "chk-7").mkdir(parents=True)
    (folder / "chk-7" / "_metadata").write_bytes(bytes.fromhex("4960672d"))
    return str(folder / "chk-7")


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, Options(snapshot="src"), "This is not a snapshot"),
        ({}, Options(snapshot="chk-7"), "The Kafka data that this snapshot belongs to is gone"),
        ({}, Options(environment="moon"), "There is no environment 'moon'"),
        ({"sample": "sample.words:Verbs"}, Options(), "sample.words has no Verbs"),
        ({"sample": None}, Options(), "The project has no sample"),
        ({"flink": "1.0.0"}, Options(), "The project is made for PyFlink 1.0.0"),
        ({"pipeline": "tally.pipeline:make"}, Options(), "tally.pipeline has no make"),
    ],
)
def test_what_is_wrong_is_found_before_anything_starts(
    project: Project, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], options: Options, message: str
) -> None:
    """Each mistake has its own message."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("JAVA_HOME", os.environ.get("JAVA_HOME", ""))
    monkeypatch.chdir(project.root)
    snapshot_of_nobody(project.root)
    with pytest.raises(ConfigurationError, match=message) as caught:
        LocalRun(dataclasses.replace(project, **change), options, Display(Console(quiet=True)))
    assert caught.value.exit_code == 2
    assert not (project.work / "run").exists()
    for name in [name for name in sys.modules if name.partition(".")[0] in {"tally", "sample"}]:
        del sys.modules[name]
