"""An application cluster of the job's own, on this machine: a JobManager that runs the job's program, and TaskManagers, as daemons."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from ..cluster import distribution, jars, java, jvm
from ..cluster.failure import read as read_failure
from ..cluster.http import NoAnswer
from ..cluster.waiting import SECONDS_TO_START, until
from ..configuration import write
from ..errors import ClusterError
from ..project import find_project
from .examiner import python_path
from .rest import Deployed
from .target import Start, folder_of, is_over, occupied

_SECONDS_TO_END = 120
_DRIVER = "org.apache.flink.client.python.PythonDriver"
_HOSTS = ("jobmanager.rpc.address", "jobmanager.bind-host", "taskmanager.host", "taskmanager.bind-host", "rest.bind-address")
_DEFAULTS = dict.fromkeys(_HOSTS, "localhost")
"""An application cluster of one machine is reached from that machine only, unless conf/ says otherwise."""

_JOB_MANAGER, _TASK_MANAGER = "standalonejob", "taskexecutor"


class ApplicationCluster:
    """Starts and stops with Flink's own scripts, `standalone-job.sh` and `taskmanager.sh`; a `Target`."""

    def __init__(self, url: str) -> None:
        """Take the address that the JobManager's REST interface will have."""
        self.rest = Deployed(url)

    def start(self, start: Start) -> None:
        """Start the processes, and wait until the JobManager knows the job; see `Target`."""
        with occupied(start.folder):
            if not _running(start.folder, _JOB_MANAGER):
                self._start_job_manager(start)
            for _ in range(start.task_managers - len(_running(start.folder, _TASK_MANAGER))):
                _script(start, "taskmanager.sh", "start")
            logs = start.folder / "logs"
            until(lambda: self._known(start.uid), what="the JobManager knows the job", seconds=SECONDS_TO_START, log=logs)
            until(lambda: self._has_registered(start), what="all TaskManagers have registered", seconds=SECONDS_TO_START, log=logs)

    def state(self, uid: str) -> str | None:
        """Return the state of the job; see `Target`."""
        if not _running(folder_of(uid), _JOB_MANAGER):
            return None
        try:
            return self.rest.known_state(uid)
        except NoAnswer:
            if not _running(folder_of(uid), _JOB_MANAGER):
                return None
            raise

    def runs_from_folder(self, uid: str) -> bool:
        """Say whether any of its processes is there; see `Target`."""
        return any(_running(folder_of(uid), kind) for kind in (_JOB_MANAGER, _TASK_MANAGER))

    def end(self, uid: str) -> None:
        """Cancel the job, and end its processes; see `Target`."""
        folder = folder_of(uid)
        with occupied(folder):
            if _running(folder, _JOB_MANAGER):
                self._cancel(uid)
            leftovers = [*_running(folder, _JOB_MANAGER), *_running(folder, _TASK_MANAGER)]
            for process in leftovers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.terminate()
            for process in psutil.wait_procs(leftovers, timeout=_SECONDS_TO_END)[1]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    def _cancel(self, uid: str) -> None:
        """Cancel the job, so that it leaves its transactions and the high availability in order, if its JobManager is fit to."""

        def probe() -> bool | None:
            try:
                state = self.rest.known_state(uid)
            except NoAnswer:
                return True if not _running(folder_of(uid), _JOB_MANAGER) else None
            if not is_over(state):
                self.rest.begin_cancel(uid)
                return None
            return True

        try:
            until(probe, what=f"the job {uid} has ended", seconds=_SECONDS_TO_END, interval=0.5)
        except ClusterError:
            return

    def _start_job_manager(self, start: Start) -> None:
        conf, logs = start.folder / "conf", start.folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        url = urlsplit(self.rest.url)
        port = str(url.port)
        write(
            {
                **_DEFAULTS,
                "env.java.default-opts.all": distribution.java_options(),
                **start.configuration,
                **_own_high_availability(start),
                "rest.address": str(url.hostname),
                "rest.port": port,
                "rest.bind-port": port,
                "parallelism.default": str(start.parallelism),
                "python.executable": sys.executable,
                "python.client.executable": sys.executable,
                "io.tmp.dirs": str(start.folder / "tmp"),
            },
            conf / "config.yaml",
        )
        logging = start.unpacked / "conf" / "log4j-console.properties"
        for name in ("log4j.properties", "log4j-console.properties", "log4j-cli.properties"):
            (conf / name).write_bytes(logging.read_bytes() if logging.is_file() else (distribution.home() / "conf" / name).read_bytes())
        order = ["start", "--job-classname", _DRIVER, "--job-id", start.uid]
        if start.snapshot is not None:
            order += ["--fromSavepoint", start.snapshot, *(["--allowNonRestoredState"] if start.leaves_state_behind else [])]
        _script(start, "standalone-job.sh", *order, "-pyclientexec", sys.executable, "-pyexec", sys.executable, "-pym", start.package)

    def _known(self, uid: str) -> bool | None:
        folder = folder_of(uid)
        if not _running(folder, _JOB_MANAGER):
            text = "".join(file.read_text(encoding="utf-8", errors="replace") for file in sorted((folder / "logs").glob("*standalonejob*")))
            raise read_failure(text).error("The JobManager has ended before it knew the job.", where=str(folder / "logs"))
        try:
            return True if self.rest.known_state(uid) is not None else None
        except NoAnswer:
            return None

    def _has_registered(self, start: Start) -> bool | None:
        """Look once whether all TaskManagers are there; raise when one has ended."""
        if len(_running(start.folder, _TASK_MANAGER)) < start.task_managers:
            logs = start.folder / "logs"
            text = "".join(file.read_text(encoding="utf-8", errors="replace") for file in sorted(logs.glob("*taskexecutor*.log")))
            raise ClusterError("A TaskManager has ended.", found=read_failure(text).root_cause, where=str(logs))
        try:
            return len(self.rest.task_managers()) >= start.task_managers or None
        except NoAnswer:
            if _running(start.folder, _JOB_MANAGER):
                return None
            return True  # the job has failed meanwhile, and its cluster has ended with it


def _own_high_availability(start: Start) -> dict[str, str]:
    """Return a cluster id of the instance's own: another version's JobManager would take up this one's job, too."""
    cluster = start.configuration.get("high-availability.cluster-id")
    return {"high-availability.cluster-id": f"{cluster}-{start.uid[:12]}"} if cluster else {}


def _script(start: Start, name: str, *arguments: str) -> None:
    """Run one of Flink's scripts, which starts a daemon and ends."""
    unpacked, temporary = start.unpacked, start.folder / "tmp"
    environment = {
        **jvm.clean(start.variables),
        "JAVA_HOME": str(java.find().home),
        "TMPDIR": str(temporary),
        "FLINK_CONF_DIR": str(start.folder / "conf"),
        "FLINK_LOG_DIR": str(start.folder / "logs"),
        "FLINK_PID_DIR": str(_pids(start.folder)),
        "FLINK_IDENT_STRING": start.uid[:12],
        "FLINK_LIB_DIR": os.path.relpath(jars.library(find_project(unpacked)), unpacked),
        "PYTHONPATH": python_path(unpacked),
    }
    for folder in (temporary, _pids(start.folder)):
        folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(  # noqa: S603
        [f"{distribution.home()}/bin/{name}", *arguments],
        cwd=unpacked,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        check=False,
    )
    if done.returncode != 0:
        raise ClusterError(f"{name} fails.", found=done.stdout.strip()[-500:], where=str(start.folder / "logs"))


def _pids(folder: Path) -> Path:
    return folder / "run"


def _running(folder: Path, kind: str) -> list[psutil.Process]:
    """Return the processes of a kind that Flink's scripts have started for an instance, and that run."""
    return [process for process in _processes(_numbers(folder, kind)) if _is_of(process, folder)]


def _numbers(folder: Path, kind: str) -> Iterator[int]:
    for file in _pids(folder).glob(f"flink-*-{kind}.pid"):
        yield from (int(line) for line in file.read_text(encoding="utf-8").split() if line.isdigit())


def _processes(numbers: Iterable[int]) -> Iterator[psutil.Process]:
    for number in numbers:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield psutil.Process(number)


def _is_of(process: psutil.Process, folder: Path) -> bool:
    """Whether a process is the instance's: its number may have gone to another one, after a restart of the machine."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and any(str(folder / "logs") in part for part in process.cmdline())
    except psutil.Error:
        return False
