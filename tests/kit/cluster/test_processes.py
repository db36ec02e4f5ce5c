"""A child process does what it is told, and never outlives the one that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jobkit.cluster.processes import Process, has_ended, stop_all
from jobkit.cluster.waiting import until
from jobkit.errors import ClusterError

STUBBORN = "trap '' TERM; sleep 600 & echo ready $!; wait; wait"
"""A shell that ignores SIGTERM, with a child of its own."""

Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return a function that starts a shell script."""

    def run(script: str, name: str = "the script", held: tuple[int, ...] = ()) -> Process:
        return Process(name, ["sh", "-c", script], log=tmp_path / f"{name}.out", environment={"PATH": os.environ["PATH"]}, held=held)

    return run


def wait_for(process: Process, text: str) -> str:
    """Wait until a process has printed a text, and return all that it has printed."""
    return until(lambda: process.output() if text in process.output() else None, what=f"it prints {text}", seconds=30)


def test_output_and_exit_code_are_kept(start: Start) -> None:
    """What a process says is in its log when it is over."""
    process = start("echo out; echo err >&2; exit 7")
    assert until(lambda: process.exit_code, what="it ends", seconds=30) == 7
    assert process.output() == "out\nerr\n"
    with pytest.raises(ClusterError, match="exit code 7") as caught:
        process.require_running()
    assert caught.value.found == "out\nerr"
    process.stop()


def test_stop_ends_the_whole_group(start: Start) -> None:
    """A JVM's Python workers go with it."""
    process = start("sleep 600 & echo ready $!; wait")
    worker = int(wait_for(process, "ready").split()[1])
    assert process.stop() == 128 + signal.SIGTERM
    assert has_ended(worker)


def test_a_process_that_ignores_sigterm_is_killed(start: Start) -> None:
    """Stopping always comes to an end."""
    process = start(STUBBORN)
    worker = int(wait_for(process, "ready").split()[1])
    pid = process.pid
    assert process.stop() == 128 + signal.SIGKILL
    assert has_ended(worker)
    assert pid
    assert has_ended(pid)


def test_what_a_process_leaves_behind_ends_with_it(start: Start) -> None:
    """A crash of the JVM leaves Python workers without a master: they go, too."""
    process = start("sleep 600 & echo ready $!; wait")
    worker = int(wait_for(process, "ready").split()[1])
    process.kill()
    assert until(lambda: process.exit_code, what="it ends", seconds=30) == 128 + signal.SIGKILL
    assert has_ended(worker)
    process.stop()


def test_the_terminal_cannot_signal_it(start: Start) -> None:
    """Ctrl-C goes to the terminal's session: it is not in that one."""
    process = start("echo ready; sleep 600")
    wait_for(process, "ready")
    assert process.pid
    assert os.getsid(process.pid) not in {os.getsid(0), os.getpgrp()}
    process.stop()


def test_all_are_stopped_at_the_same_time(start: Start) -> None:
    """The second gets its signal before the first has ended: the first ends only when the second has."""
    second = start("trap 'exit' TERM; echo ready; while :; do sleep 0.1; done", name="second")
    first = start(
        f"trap 'while kill -0 {second.pid}; do sleep 0.1; done; exit 5' TERM; echo ready; while :; do sleep 0.1; done", name="first"
    )
    wait_for(first, "ready")
    wait_for(second, "ready")
    stop_all([first, second])
    assert first.exit_code == 5


def test_nothing_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    """A parent that gets SIGKILL cannot clean up. Even so nothing is left: not what ignores SIGTERM, nor its children."""
    program = f"""
import os, sys, time
from pathlib import Path
from jobkit.cluster.processes import Process
process = Process("it", ["sh", "-c", {STUBBORN!r}], log=Path({str(tmp_path / "out")!r}), environment=dict(os.environ))
while "ready" not in process.output():
    time.sleep(0.01)
print(process.pid, process.output().split()[1], flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    until(lambda: all(map(has_ended, pids)) or None, what="both have ended", seconds=60)


def test_what_it_holds_is_free_when_the_last_is_gone(start: Start) -> None:
    """A lock that the processes hold outlives a parent that was killed, until they are gone."""
    reading, writing = os.pipe()
    process = start("echo ready; sleep 600", held=(writing,))
    os.close(writing)
    wait_for(process, "ready")
    os.set_blocking(reading, False)
    with pytest.raises(BlockingIOError):
        os.read(reading, 1)
    process.stop()
    assert os.read(reading, 1) == b""
    os.close(reading)
