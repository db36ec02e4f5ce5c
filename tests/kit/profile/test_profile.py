"""`jobkit profile` on a real job: it finds the function that burns the time, under its operator, and says what keeps it from that."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from jobkit.cluster.flink import FlinkCluster
from jobkit.cluster.waiting import until
from jobkit.project import Project

from ..projects import environment, jobkit
from .conftest import SECONDS, Start

PROFILE = [sys.executable, "-W", "ignore", "-c", "from jobkit.cli import main; main()", "profile"]


def operator(document: Any, name: str) -> Any:
    """Return the one operator of that name."""
    (found,) = [entry for entry in document["operators"] if entry["operator"] == name]
    return found


@pytest.mark.parametrize("mode", ["thread", "process"])
def test_the_busy_function_is_found_under_its_operator(
    mode: str, start: Start, cluster: FlinkCluster, burner: Project, tmp_path: Path
) -> None:
    """In both modes: `heavy` does ten times what `light` does, and all in `blaze`."""
    job, page = start(mode), tmp_path / "profile.html"
    done = jobkit(burner.root, "profile", "--url", cluster.rest.url, "--job", job, "--seconds", "5", "--out", str(page), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["job"]["id"] == job
    assert {process["mode"] for process in document["processes"] if process["gil"] > 0} == {mode}
    assert document["operators"][0]["operator"] == "heavy"
    heavy, light = operator(document, "heavy"), operator(document, "light")
    assert heavy["functions"][0]["function"].rpartition(".")[2] == "blaze"
    assert heavy["functions"][0]["file"].endswith("src/burner/pipeline.py")
    assert heavy["functions"][0]["share"] > 0.5
    assert "flicker" in {entry["function"] for entry in light["functions"]}
    assert "blaze" not in {entry["function"] for entry in light["functions"]}
    assert heavy["share"] > light["share"]
    text = page.read_text(encoding="utf-8")
    assert all(name in text for name in ("<canvas", "heavy", "light", "blaze (src/burner/pipeline.py:"))


def test_outside_of_a_project_operators_are_called_as_their_functions(start: Start, cluster: FlinkCluster, tmp_path: Path) -> None:
    """The stacks as text, whose outermost frame is the operator; the table is on stdout."""
    start("thread")
    done = jobkit(tmp_path, "profile", "--url", cluster.rest.url, "--seconds", "3", "--out", "stacks.folded", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert "blaze" in done.stdout
    assert "GIL held" in done.stdout
    assert "called as their functions" in done.stderr
    lines = (tmp_path / "stacks.folded").read_text(encoding="utf-8").splitlines()
    burning = [line for line in lines if "blaze (" in line]
    assert burning
    counts = {True: 0, False: 0}
    for line in lines:
        counts["blaze (" in line and "process_element" in line.split(";")[0]] += int(line.rpartition(" ")[2])
    assert counts[True] > counts[False]


def test_a_job_without_python_is_refused(start: Start, cluster: FlinkCluster, tmp_path: Path) -> None:
    """Whether or not the TaskManager has run Python before."""
    start("thread", python=False)
    done = jobkit(tmp_path, "profile", "--url", cluster.rest.url, "--seconds", "1", "--out", "x.folded")
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: No Python runs in this job." in done.stderr
    assert not (tmp_path / "x.folded").exists()


def test_a_job_that_ends_meanwhile_is_shown_until_then(start: Start, cluster: FlinkCluster, tmp_path: Path) -> None:
    """Its samples are worth something all the same."""
    job = start("thread")
    command = [*PROFILE, "--url", cluster.rest.url, "--seconds", "8", "--out", "x.folded", "--json"]
    profile = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    own = partial(_spies, profile.pid)
    until(lambda: own() or None, what="py-spy runs", seconds=SECONDS)
    until(lambda: _seconds_of(own()) > 3 or None, what="py-spy has run for a while", seconds=SECONDS)
    cluster.rest.cancel(job)
    stdout, stderr = profile.communicate(timeout=SECONDS)
    assert profile.returncode == 0, stderr
    document = json.loads(stdout)
    assert document["samples"] > 0
    assert any("The job has ended meanwhile (CANCELED)" in note for note in document["notes"])


@pytest.mark.parametrize("interruption", ["SIGINT", "SIGTERM"])
def test_an_interruption_leaves_no_py_spy_behind(interruption: str, start: Start, cluster: FlinkCluster, tmp_path: Path) -> None:
    """The job runs on, unwatched."""
    job = start("thread")
    command = [*PROFILE, "--url", cluster.rest.url, "--seconds", "60", "--out", "x.folded"]
    profile = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    spies = until(lambda: _spies(profile.pid) or None, what="py-spy runs", seconds=SECONDS)
    profile.send_signal(signal.Signals[interruption])
    output, _ = profile.communicate(timeout=SECONDS)
    assert (profile.returncode, "Traceback" in output) == (130, False), output
    until(lambda: not any(spy.is_running() for spy in spies) or None, what="py-spy is gone", seconds=5)
    assert not (tmp_path / "x.folded").exists()
    assert cluster.rest.state(job) == "RUNNING"


def test_nothing_runs(cluster: FlinkCluster, tmp_path: Path) -> None:
    """Said before anything is sampled."""
    done = jobkit(tmp_path, "profile", "--url", cluster.rest.url, "--out", "x.folded")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: No job runs there.")


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="takes root and setpriv to give up a right")
def test_without_the_right_to_look_into_a_process(start: Start, cluster: FlinkCluster, tmp_path: Path) -> None:
    """The error says how to get it, on a machine, in a container and in a pod."""
    start("thread")
    command = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", *PROFILE]
    command += ["--url", cluster.rest.url, "--seconds", "1", "--out", "x.folded"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: The kernel does not allow to look into the process." in done.stderr
    assert all(word in done.stderr for word in ("sudo", "ptrace_scope", "SYS_PTRACE"))


def test_no_job_manager(tmp_path: Path) -> None:
    """Neither at an address where nobody listens, nor where something else answers."""
    done = jobkit(tmp_path, "profile", "--url", "http://127.0.0.1:9", "--out", "x.folded")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "The JobManager does not answer." in done.stderr


def test_something_else_answers(page: str, tmp_path: Path) -> None:
    """A server that says yes to everything."""
    done = jobkit(tmp_path, "profile", "--url", page, "--out", "x.folded")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "What answers there is no JobManager." in done.stderr


def test_py_spy_is_missing(tmp_path: Path) -> None:
    """The error names what to install."""
    hidden = "import shutil, pathlib, sys; sys.executable = '/nowhere/python'; from jobkit.cli import main; main()"
    command = [sys.executable, "-W", "ignore", "-c", hidden, "profile", "--out", "x.folded"]
    done = subprocess.run(command, cwd=tmp_path, env={**environment(), "PATH": "/nowhere"}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "py-spy, which reads the stacks, is not installed." in done.stderr
    assert "pip install" in done.stderr


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    """Said before anything else is done."""
    done = jobkit(tmp_path, "profile", "--out", "profile.png")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert ".html or .folded" in done.stderr


@pytest.fixture
def page() -> Iterator[str]:
    """A web server that is no JobManager."""

    class Greeting(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Greeting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _spies(pid: int) -> list[psutil.Process]:
    try:
        children = psutil.Process(pid).children(recursive=True)
        return [child for child in children if "record" in child.cmdline()]
    except psutil.Error:
        return []


def _seconds_of(processes: list[psutil.Process]) -> float:
    return max((time.time() - process.create_time() for process in processes), default=0)
