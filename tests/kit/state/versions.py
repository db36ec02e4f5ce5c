"""The job `rounds` with each supported Flink version: a Python environment for it, and a run in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jobkit
from jobkit.cluster import java, jvm
from jobkit.cluster.waiting import until
from jobkit.errors import ClusterError

from tests.conftest import interpreters
from tests.kit.projects import VERSIONS

GOLDEN = Path(__file__).parent / "golden"
"""The snapshots that are kept, as <Flink version>/checkpoint and <Flink version>/savepoint."""

KINDS = ("checkpoint", "savepoint")
PROJECT = Path(__file__).parent / "rounds"
_KIT = Path(jobkit.__file__).parents[1]
_SECONDS = 600


def python_of(version: str, folder: Path) -> Path:
    """Return a Python that has the PyFlink of a Flink version: this one, or that of an environment made for it.

    Args:
        version: A version of the table in cookiecutter.json.
        folder: For the environment.
    """
    wanted = VERSIONS[version]
    if wanted is next(iter(VERSIONS.values())):
        return Path(sys.executable)
    uv = Path(sys.executable).with_name("uv")
    fit = {name: path for name, path in interpreters().items() if name in wanted["pythons"]}
    own = "{}.{}".format(*sys.version_info)
    interpreter = sys.executable if own in wanted["pythons"] else next(iter(fit.values()))
    python = folder / "bin" / "python"
    arguments = ["--quiet", "--no-config", "--python"]
    subprocess.run([uv, "venv", *arguments, str(interpreter), str(folder)], check=True)
    # Apache Beam, which comes with PyFlink, imports pkg_resources.
    install = [str(uv), "pip", "install", *arguments, str(python), f"apache-flink=={wanted['pyflink']}", "setuptools<81"]
    # PyFlink's jars come as a source distribution, and an index that forbids caching makes uv build it anew: half a minute.
    if subprocess.run([*install, "--offline"], capture_output=True, check=False).returncode != 0:
        subprocess.run(install, check=True)
    return python


def environment(python: Path, temporary: Path) -> dict[str, str]:
    """Return the variables for a process of a Python: Java, the kit's source and the job's."""
    variables = jvm.environment(java.find(), temporary)
    path = os.pathsep.join([str(python.parent), variables["PATH"]])
    return {**variables, "PATH": path, "PYTHONPATH": os.pathsep.join([str(_KIT), str(PROJECT / "src")])}


@dataclass(frozen=True)
class Run:
    """A run of the job.

    Attributes:
        log: What it has printed.
    """

    log: Path
    _process: subprocess.Popen[str]

    def lines(self) -> list[dict[str, Any]]:
        """Return the job's output so far: for numbers `number`, `count`, `last` and `thirds`, for timers `time` and `rounds`."""
        return [line for line in self._documents() if "operators" not in line]

    def operators(self) -> set[str]:
        """Return the ids of the job's operators, once it has printed anything."""
        return {operator for line in self._documents() for operator in line.get("operators", ())}

    def _documents(self) -> list[dict[str, Any]]:
        text = self.log.read_text(encoding="utf-8")
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith('{"')]

    def wait_for(self, name: str, least: int) -> list[dict[str, Any]]:
        """Wait until a value of the output is at least so much; return the output."""

        def probe() -> list[dict[str, Any]] | None:
            self._require_running()
            lines = self.lines()
            return lines if any(line.get(name, -1) >= least for line in lines) else None

        return until(probe, what=f"the job has printed a {name} of {least}", seconds=_SECONDS, log=self.log)

    def take_savepoint(self) -> None:
        """Take a savepoint into the folder `savepoints`."""
        assert self._process.stdin is not None
        self._process.stdin.write("savepoint\n")
        self._process.stdin.flush()

        def probe() -> bool | None:
            self._require_running()
            return "savepoint taken" in self.log.read_text(encoding="utf-8") or None

        until(probe, what="the savepoint is taken", seconds=_SECONDS, log=self.log)

    def _require_running(self) -> None:
        if self._process.poll() is not None:
            raise ClusterError("The job's process has ended.", found=self.log.read_text(encoding="utf-8")[-2000:])


@contextmanager
def run(python: Path, folder: Path, snapshot: Path | None = None, job: str = "pipeline") -> Iterator[Run]:
    """Run the job until the end of the block; its last checkpoints are left in the folder `checkpoints`.

    It is killed, not cancelled: PyFlink's process mode may go on asking for state while the task that is being cancelled closes
    RocksDB, which crashes the JVM now and then.

    Args:
        python: A Python with PyFlink.
        folder: For all that the run writes.
        snapshot: What to start from.
        job: The module of its pipeline.
    """
    log = folder / "output.txt"
    (folder / "logs").mkdir(parents=True)
    variables = {**environment(python, folder / "tmp"), "FLINK_LOG_DIR": str(folder / "logs")}
    command = [str(python), "-W", "ignore", "-m", "rounds.local", job, str(folder), *([str(snapshot)] if snapshot else [])]
    with log.open("wb") as output:
        # The end of its input ends it, should this process be killed.
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=variables,
            cwd=folder,
            text=True,
            start_new_session=True,
        )
    with process:
        try:
            yield Run(log, process)
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(process.pid, signal.SIGKILL)
