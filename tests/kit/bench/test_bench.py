"""`jobkit bench` on a real Flink and a real Kafka."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest
from jobkit.cluster.processes import has_ended
from jobkit.cluster.waiting import until
from jobkit.project import Project

from tests.kit.cluster.conftest import copy_of_tally, processes_of

SECONDS = 600


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy of the small project, whose sample cannot go on by itself."""
    return copy_of_tally(tmp_path / "a project")


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(project: Project) -> Iterator[Start]:
    """Start `jobkit bench`; when the test ends, so does it, whatever the test found."""
    with ExitStack() as started:

        def begin(*options: str) -> subprocess.Popen[str]:
            command = [str(Path(sys.executable).with_name("jobkit")), "bench", *options]
            process = subprocess.Popen(
                command, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
            )
            started.callback(end, process)
            return process

        yield begin


def end(process: subprocess.Popen[str]) -> None:
    """Interrupt a process that is still running, and take what it printed, so that its pipes are closed."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)


def senders_of(process: subprocess.Popen[str]) -> list[int]:
    """Return the processes that feed the job: not those that end while they are looked at."""
    senders = []
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                senders.append(child.pid)
    return senders


def test_a_job_is_measured(project: Project, start: Start) -> None:
    """With figures that fit together; nothing is left running, and the folder of local runs is not touched."""
    process = start("--records", "60000", "--warm-up", "0", "--limit", "120", "--json")
    stdout, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, stderr
    figures = json.loads(stdout)
    assert (figures["records"], figures["complete"], figures["repeated"]) == (60_000, True, True)
    assert figures["measured_seconds"] >= 3
    assert 0.5 < figures["records_per_second"] * figures["measured_seconds"] / 60_000 <= 1
    assert sum(figures["by_second"]) <= 60_000
    assert 0 < figures["cpu_seconds_per_million"] * 60_000 / 1e6 < SECONDS * 8
    assert 200 < figures["peak_mib"] < 8_000
    assert (figures["parallelism"], figures["task_managers"]) == (2, 2)
    assert figures["checkpoints"]["count"] > 0
    assert all(0 <= vertex["busy"] <= 1.1 and 0 <= vertex["held_up"] <= 1.1 for vertex in figures["vertices"])
    assert any(vertex["busy"] > 0.1 for vertex in figures["vertices"])
    assert processes_of(project.root) == []
    assert not (project.work / "run").exists()


def test_a_run_that_is_too_short_says_what_to_ask_for(project: Project, start: Start) -> None:
    """One sentence, and no traceback."""
    process = start("--records", "2000", "--warm-up", "500")
    stdout, stderr = process.communicate(timeout=SECONDS)
    assert (process.returncode, stdout) == (2, "")
    assert "The run is too short to be measured." in stderr
    assert "Traceback" not in stderr
    assert processes_of(project.root) == []


def test_an_interrupted_benchmark_leaves_nothing_running(project: Project, start: Start) -> None:
    """Not those that feed the job either."""
    process = start("--records", "5000000")
    senders = until(lambda: senders_of(process) or None, what="it feeds", seconds=120)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert "Interrupted. Nothing was measured." in stderr
    until(lambda: all(map(has_ended, senders)) or None, what="those that feed have ended", seconds=60)
    assert processes_of(project.root) == []
