"""A Flink session cluster: a JobManager and its TaskManagers, as processes of the distribution that PyFlink brings."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from ..configuration import write
from ..errors import ClusterError
from . import distribution, jvm
from .java import Java
from .processes import Process, stop_all
from .rest import RestClient
from .waiting import until

_SECONDS_TO_START = 90

_LOGGING = """\
rootLogger.level = ${env:ROOT_LOG_LEVEL:-INFO}
rootLogger.appenderRef.file.ref = File
appender.file.name = File
appender.file.type = File
appender.file.fileName = ${sys:log.file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %c - %m%n
# Says which port the REST interface got: always on.
logger.rest.name = org.apache.flink.runtime.dispatcher.DispatcherRestEndpoint
logger.rest.level = INFO
"""

_LOCAL = {
    "jobmanager.rpc.address": "127.0.0.1",
    "jobmanager.bind-host": "127.0.0.1",
    "taskmanager.host": "127.0.0.1",
    "taskmanager.bind-host": "127.0.0.1",
    "rest.address": "127.0.0.1",
    "rest.bind-address": "127.0.0.1",
    # Port 0: the kernel picks one that is free, so that two clusters on one machine never clash.
    "rest.port": "0",
    "rest.bind-port": "0",
    "jobmanager.rpc.port": "0",
    "python.executable": sys.executable,
    "python.client.executable": sys.executable,
}

_DEFAULTS = {
    "jobmanager.memory.process.size": "1g",
    "taskmanager.memory.process.size": "1280m",
    # Waiting for slots that will never come is no use on a cluster that does not grow.
    "slot.request.timeout": "60 s",
    "taskmanager.numberOfTaskSlots": "1",
}


class FlinkCluster:
    """One JobManager and some TaskManagers; nothing of them is left when it is stopped.

    Attributes:
        job_manager: The JobManager's process, once it was started.
        task_managers: Those of the TaskManagers.
        processes: These, and those of `submit`.
        rest: The client of its REST interface, once it answers.
        logs: The folder of all logs.
        temporary: The folder of temporary files.
        held: File descriptors for the processes to hold that are started from then on; see `Process`.
    """

    def __init__(self, folder: Path, *, root: Path, library: Path, java: Java, configuration: Mapping[str, str]) -> None:
        """Prepare a cluster; nothing is started.

        Args:
            folder: For its configuration, logs and temporary files.
            root: The working folder of all processes.
            library: What FLINK_LIB_DIR must be; see `jars.library`.
            java: The Java to run it.
            configuration: Flink's configuration. Addresses, ports and Python executables are the cluster's own.
        """
        self._home = distribution.home()
        self._root = root
        self._conf = folder / "conf"
        self.temporary = folder / "tmp"
        self.logs = folder / "logs"
        self.held: tuple[int, ...] = ()
        defaults = {**_DEFAULTS, "env.java.default-opts.all": distribution.java_options()}
        self._configuration = {**defaults, **configuration, **_LOCAL, "io.tmp.dirs": str(self.temporary)}
        self.job_manager: Process | None = None
        self.task_managers: list[Process] = []
        self.processes: list[Process] = []
        self.rest = RestClient("")
        self._environment = {
            **jvm.environment(java, self.temporary),
            "FLINK_LIB_DIR": os.path.relpath(library, root),  # Flink's scripts break at a space in this one
            "FLINK_CONF_DIR": str(self._conf),
            "FLINK_LOG_DIR": str(self.logs),
            "FLINK_PID_DIR": str(self.temporary),
            # The job is imported from where it was written, so that messages name the user's files; thread mode looks for
            # pemja in the other folder.
            "PYTHONPATH": os.pathsep.join([str(root / "src"), sysconfig.get_path("purelib")]),
        }

    def start(self, task_managers: int = 2) -> None:
        """Start everything, and wait until all TaskManagers have registered."""
        self.start_job_manager()
        self.wait_for_job_manager()
        for _ in range(task_managers):
            self.start_task_manager()
        self.wait_for_task_managers()

    def start_job_manager(self) -> None:
        """Start the JobManager, and do not wait."""
        self._conf.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        for name in ("log4j-console.properties", "log4j-cli.properties"):
            (self._conf / name).write_text(_LOGGING)
        for log in self._job_manager_logs():  # of a cluster before this one, which had another port
            log.unlink()
        self._write()
        self.job_manager = self._process("jobmanager", ["jobmanager.sh", "start-foreground"])

    def wait_for_job_manager(self) -> None:
        """Wait until the JobManager answers, and learn its ports from it."""
        port = until(self._rest_port, what="the JobManager answers", seconds=_SECONDS_TO_START, log=self.logs)
        self.rest = RestClient(f"http://127.0.0.1:{port}")
        until(self._answer, what="the JobManager answers", seconds=_SECONDS_TO_START, log=self.logs)
        own = self.rest.job_manager_configuration()["jobmanager.rpc.port"]
        self._configuration |= {"rest.port": port, "jobmanager.rpc.port": own}
        self._write()

    def start_task_manager(self) -> Process:
        """Start one more TaskManager, and do not wait."""
        name = f"taskmanager-{len(self.task_managers) + 1}"
        process = self._process(name, ["taskmanager.sh", "start-foreground", "-D", f"taskmanager.resource-id={name}"])
        self.task_managers.append(process)
        return process

    def wait_for_task_managers(self) -> None:
        """Wait until all TaskManagers that run have registered."""

        def probe() -> bool | None:
            for process in self.processes:
                process.require_running()
            return self.rest.overview()["slots-total"] >= slots or None

        slots = len(self.task_managers) * int(self._configuration["taskmanager.numberOfTaskSlots"])
        until(probe, what=f"{len(self.task_managers)} TaskManagers have registered", seconds=_SECONDS_TO_START, log=self.logs)

    def submit(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Process:
        """Run Flink's own client, `flink run`, detached, and return its process; see `submission` for what it says.

        Args:
            arguments: What follows `flink run -d -t remote`.
            environment: Variables that the job's program reads.
        """
        return self._process("client", ["flink", "run", "-d", "-t", "remote", *arguments], environment)

    def stop(self) -> None:
        """Stop all processes."""
        stop_all(self.processes)

    def _process(self, name: str, command: Sequence[str], environment: Mapping[str, str] = MappingProxyType({})) -> Process:
        variables = {**self._environment, **environment, "FLINK_IDENT_STRING": name}
        script = [str(self._home / "bin" / command[0]), *command[1:]]
        log = self.logs / f"{name}.out"
        process = Process(f"the {name}", script, log=log, environment=variables, folder=self._root, held=self.held)
        self.processes.append(process)
        return process

    def _write(self) -> None:
        write(self._configuration, self._conf / "config.yaml")

    def _rest_port(self) -> str | None:
        if self.job_manager is None:
            raise ClusterError("The JobManager was not started.")
        self.job_manager.require_running()
        for log in self._job_manager_logs():
            found = re.search(r"Rest endpoint listening at \S+:(\d+)", log.read_text(encoding="utf-8", errors="replace"))
            if found:
                return found.group(1)
        return None

    def _job_manager_logs(self) -> list[Path]:
        return list(self.logs.glob("flink-jobmanager-standalonesession-*.log"))

    def _answer(self) -> bool | None:
        try:
            return bool(self.rest.overview())
        except ClusterError:
            return None
