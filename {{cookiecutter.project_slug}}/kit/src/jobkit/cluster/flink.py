"""A Flink session cluster: a JobManager and its TaskManagers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from ..configuration import write
from ..errors import ClusterError
from . import distribution, snapshots, zookeeper
from .place import Member, Place
from .processes import stop_all
from .rest import RestClient
from .waiting import SECONDS_TO_START, until

_LOGGING = """\
rootLogger.level = ${env:ROOT_LOG_LEVEL:-INFO}
rootLogger.appenderRef.file.ref = File
appender.file.name = File
appender.file.type = File
appender.file.fileName = ${sys:log.file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %notEmpty{[%X{flink-job-id}] }%c - %m%n
# Says which port the REST interface got: always on.
logger.rest.name = org.apache.flink.runtime.dispatcher.DispatcherRestEndpoint
logger.rest.level = INFO
"""

_DEFAULTS = {
    "jobmanager.memory.process.size": "1g",
    "taskmanager.memory.process.size": "1280m",
    # Waiting for slots that will never come is no use on a cluster that does not grow.
    "slot.request.timeout": "60 s",
    # A TaskManager that does not answer for 10 s, Flink's default, is not lost on a busy machine; heartbeats tell of those that are.
    "pekko.ask.timeout": "60 s",
    "taskmanager.numberOfTaskSlots": "1",
    # What REST answers is as new as the question; Flink's defaults are 3 and 10 seconds.
    "web.refresh-interval": "100",
    "metrics.fetcher.update-interval": "500",
}


_REST_PORT = 8081


class FlinkCluster:
    """One JobManager and some TaskManagers; nothing of them is left when it is stopped.

    Attributes:
        place: Where they run.
        job_manager: The JobManager in charge, once it was started.
        task_managers: Those of the TaskManagers that were started, ended ones too.
        members: All that was started: these, a ZooKeeper, and the clients of `submit`.
        rest: The client of its REST interface, once it answers.
        logs: The folder of all logs.
        temporary: The folder of temporary files.
    """

    def __init__(self, folder: Path, *, place: Place, configuration: Mapping[str, str]) -> None:
        """Prepare a cluster; nothing is started.

        Args:
            folder: For its configuration, logs and temporary files.
            place: Where its members run.
            configuration: Flink's configuration. Addresses, ports and Python executables are the place's. With
                `high-availability.type: zookeeper` and no quorum, the cluster brings a ZooKeeper of its own.
        """
        self.place = place
        self._folder = folder
        self._conf = folder / "conf"
        self.temporary = folder / "tmp"
        self.logs = folder / "logs"
        defaults = {**_DEFAULTS, "env.java.default-opts.all": distribution.java_options()}
        self._configuration = {**defaults, **configuration, **place.configuration, "io.tmp.dirs": str(self.temporary)}
        self.job_manager: Member | None = None
        self.task_managers: list[Member] = []
        self.members: list[Member] = []
        self._counts: dict[str, int] = {}
        self.rest = RestClient("")
        self._environment = {
            **place.environment(self.temporary),
            "FLINK_CONF_DIR": str(self._conf),
            "FLINK_LOG_DIR": str(self.logs),
            "FLINK_PID_DIR": str(self.temporary),
        }

    def start(self, task_managers: int = 2) -> None:
        """Start everything, and wait until all TaskManagers have registered."""
        self.start_job_manager()
        self.wait_for_job_manager()
        for _ in range(task_managers):
            self.start_task_manager()
        self.wait_for_task_managers()

    @property
    def is_highly_available(self) -> bool:
        """Whether a JobManager takes up the jobs of the one before it."""
        return self._configuration.get("high-availability.type", "NONE").upper() != "NONE"

    def start_job_manager(self) -> None:
        """Start a JobManager, after the first one has ended, say, and do not wait."""
        self._conf.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        for name in ("log4j-console.properties", "log4j-cli.properties"):
            (self._conf / name).write_text(_LOGGING)
        if self.is_highly_available and "high-availability.zookeeper.quorum" not in self._configuration:
            self._write()  # the script of ZooKeeper reads it, too
            self._configuration |= {
                "high-availability.zookeeper.quorum": zookeeper.start(self.place, self._conf, self._folder / "zookeeper", self._start),
                "high-availability.storageDir": self._configuration.get(
                    "high-availability.storageDir", snapshots.address(self._folder / "ha")
                ),
            }
        self._write()
        self.job_manager = self._start(self._numbered("jobmanager"), ["jobmanager.sh", "start-foreground"], ports=[_REST_PORT])

    def wait_for_job_manager(self) -> None:
        """Wait until the JobManager answers, and learn its ports from it."""
        url = until(self._url, what="the JobManager says where it listens", seconds=SECONDS_TO_START, log=self.logs)
        self.rest = RestClient(url)
        until(self._answer, what="the JobManager answers", seconds=SECONDS_TO_START, log=self.logs)
        if self.place.configuration["rest.port"] == "0":  # the kernel has picked them
            own = self.rest.job_manager_configuration()["jobmanager.rpc.port"]
            port = url.rpartition(":")[2]  # the next JobManager listens there, too
            self._configuration |= {"rest.port": port, "rest.bind-port": port, "jobmanager.rpc.port": own}
            self._write()

    def start_task_manager(self) -> Member:
        """Start one more TaskManager, and do not wait."""
        name = self._numbered("taskmanager")
        member = self._start(name, ["taskmanager.sh", "start-foreground", "-D", f"taskmanager.resource-id={name}"])
        self.task_managers.append(member)
        return member

    @property
    def running_task_managers(self) -> list[Member]:
        """The TaskManagers that have not ended."""
        return [member for member in self.task_managers if member.exit_code is None]

    def replace_job_manager(self) -> None:
        """Start another JobManager in the place of one that has ended, and wait until it answers and has all TaskManagers that run."""
        self.start_job_manager()
        self.wait_for_job_manager()
        self.wait_for_task_managers()

    def replace_task_managers(self, count: int) -> None:
        """Start as many as are missing, and wait for them: those that a fault, or PyFlink itself, has ended."""
        missing = count - len(self.running_task_managers)
        for _ in range(missing):
            self.start_task_manager()
        if missing > 0:
            self.wait_for_task_managers()

    def wait_for_task_managers(self) -> None:
        """Wait until all TaskManagers that run have registered.

        Raises:
            ClusterError: When one of them, or the JobManager, ends instead.
        """
        expected = self.running_task_managers

        def probe() -> bool | None:
            for member in (self.job_manager, *expected):
                if member is not None:
                    member.require_running()
            known = {manager["id"] for manager in self.rest.task_managers() if manager["slotsNumber"]}
            return all(member.name.removeprefix("the ") in known for member in expected) or None

        until(probe, what=f"{len(expected)} TaskManagers have registered", seconds=SECONDS_TO_START, log=self.logs)

    def submit(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Member:
        """Run Flink's own client, `flink run`, detached, and return its process; see `submission` for what it says.

        Args:
            arguments: What follows `flink run -d -t remote`.
            environment: Variables that the job's program reads.
        """
        return self._start(self._numbered("client"), ["flink", "run", "-d", "-t", "remote", *arguments], environment)

    def stop(self) -> None:
        """Stop all members."""
        stop_all(self.members)

    def _numbered(self, name: str) -> str:
        """Return a name that no log has yet: the second JobManager is jobmanager-2."""
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return name if count == 1 and name != "taskmanager" else f"{name}-{count}"

    def _start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] = MappingProxyType({}), ports: Iterable[int] = ()
    ) -> Member:
        variables = {**self._environment, **environment, "FLINK_IDENT_STRING": name}
        script = [f"{self.place.home}/bin/{command[0]}", *command[1:]]
        member = self.place.start(name, script, log=self.logs / f"{name}.out", environment=variables, ports=ports)
        self.members.append(member)
        return member

    def _write(self) -> None:
        write(self._configuration, self._conf / "config.yaml")

    def _url(self) -> str | None:
        if self.job_manager is None:
            raise ClusterError("The JobManager was not started.")
        self.job_manager.require_running()
        name = self.job_manager.name.removeprefix("the ")
        for log in self.logs.glob(f"flink-{name}-standalonesession-*.log"):
            found = re.search(r"Rest endpoint listening at \S+:(\d+)", log.read_text(encoding="utf-8", errors="replace"))
            if found:
                url = self.place.url(self.job_manager, int(found.group(1)))
                return url.replace("http:", "https:") if self._configuration.get("security.ssl.rest.enabled") == "true" else url
        return None

    def _answer(self) -> bool | None:
        try:
            return bool(self.rest.overview())
        except ClusterError:
            return None
