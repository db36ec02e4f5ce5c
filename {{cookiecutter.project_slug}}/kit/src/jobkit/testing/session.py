"""What all tests of a session share: one broker and one cluster, started when the first test needs them."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from .. import configuration
from ..cluster import exclusion, snapshots
from ..cluster.flink import FlinkCluster
from ..errors import ConfigurationError
from ..project import Project
from .backends import Backend, KafkaBroker
from .faults import unmount

__tracebackhide__ = True  # pytest shows the test's own lines; --full-trace shows these, too
TASK_MANAGERS = 2

_CONFIGURATION = {
    # Results and recoveries show at checkpoints.
    "execution.checkpointing.interval": "1 s",
    "execution.checkpointing.min-pause": "200 ms",
    # A job survives what a test does to it: one killed TaskManager makes several restarts, until it is known to be gone.
    "restart-strategy.type": "failure-rate",
    "restart-strategy.failure-rate.max-failures-per-interval": "20",
    "restart-strategy.failure-rate.failure-rate-interval": "1 min",
    "restart-strategy.failure-rate.delay": "500 ms",
    # A job waits for the TaskManager that takes the place of a killed one, instead of failing until it is there.
    "resourcemanager.standalone.start-up-time": "86400000",
    # A TaskManager that is gone is noticed within seconds instead of a minute.
    "heartbeat.interval": "1000",
    "heartbeat.timeout": "20000",
    # All that a test may want to ask is remembered.
    "web.checkpoints.history": "1000",
    "web.exception-history-size": "100",
}


class Session:
    """The broker and the clusters of one test session, in a folder of their own.

    Attributes:
        project: Whose job is tested.
        folder: Everything of this session; removed at its end.
    """

    def __init__(self, project: Project, backend: Callable[[Path, int], Backend]) -> None:
        """Make the folder, and remove what sessions that were killed have left.

        Args:
            project: Whose job is tested.
            backend: Makes the backend, out of the folder and a file descriptor for child processes to hold.
        """
        self.project = project
        everyone = project.work / "test"
        everyone.mkdir(parents=True, exist_ok=True)
        with everyone.with_suffix(".lock").open("w") as one_at_a_time:
            fcntl.flock(one_at_a_time.fileno(), fcntl.LOCK_EX)
            sweep(everyone)
            self.folder = everyone / f"{os.getpid()}-{uuid.uuid4().hex[:6]}"
            self.folder.mkdir()
            self._lock = (self.folder / "lock").open("w")
            fcntl.flock(self._lock.fileno(), fcntl.LOCK_EX)
        self._backend = backend(self.folder, self._lock.fileno())
        self._clusters: list[FlinkCluster] = []
        self._shared: FlinkCluster | None = None
        self._broker: KafkaBroker | None = None
        self._count = 0

    @property
    def broker(self) -> KafkaBroker:
        """The broker, which runs."""
        if self._broker is None:
            self._broker = self._backend.broker(self.folder / "broker")
            self._broker.wait()
        return self._broker

    @property
    def cluster(self) -> FlinkCluster:
        """The shared cluster, with all of its TaskManagers."""
        if self._shared is None:
            if self._broker is None:  # they come up side by side
                self._broker = self._backend.broker(self.folder / "broker")
            self._shared = self._prepare({})
            self._shared.start_job_manager()
            self._broker.wait()
            self._shared.wait_for_job_manager()
        self._shared.replace_task_managers(TASK_MANAGERS)
        return self._shared

    def new_cluster(
        self,
        *,
        task_managers: int = TASK_MANAGERS,
        high_availability: bool = False,
        configuration: Mapping[str, str] = MappingProxyType({}),
    ) -> FlinkCluster:
        """Start a cluster for one test.

        Args:
            task_managers: How many.
            high_availability: Bring a ZooKeeper, so that a JobManager takes up the jobs of the one before it.
            configuration: Flink's keys, over those of conf/local.yaml and of the harness.
        """
        own = {"high-availability.type": "zookeeper", "high-availability.cluster-id": "/test"} if high_availability else {}
        cluster = self._prepare({**own, **configuration})
        cluster.start(task_managers)
        return cluster

    def end(self, cluster: FlinkCluster) -> None:
        """Stop a cluster of `new_cluster`."""
        cluster.stop()

    def own_folder(self, name: str) -> Path:
        """Make a folder with a name that was not there yet."""
        self._count += 1
        folder = self.folder / f"{name}-{self._count}"
        folder.mkdir()
        return folder

    @property
    def logs(self) -> Mapping[str, Path]:
        """The folders of all logs of this session, by what they are the logs of: the broker, and each cluster."""
        of_broker = {"broker": self._broker.member.log.parent} if self._broker else {}
        return of_broker | {cluster.logs.parent.name: cluster.logs for cluster in self._clusters}

    def close(self) -> None:
        """Stop everything, and remove the folder."""
        for cluster in self._clusters:
            cluster.stop()
        if self._broker is not None:
            self._broker.stop()
        self._backend.close()
        self._lock.close()
        shutil.rmtree(self.folder)

    def _prepare(self, values: Mapping[str, str]) -> FlinkCluster:
        folder = self.own_folder("cluster")
        everything = {
            **configuration.load(self.project.conf, "local").values,
            **_CONFIGURATION,
            "execution.checkpointing.dir": snapshots.address(folder / "checkpoints"),
            "execution.checkpointing.savepoint-dir": snapshots.address(folder / "savepoints"),
            **values,
        }
        cluster = FlinkCluster(folder, place=self._backend.place(folder), configuration=everything)
        self._clusters.append(cluster)
        return cluster

    def add_spare(self) -> None:
        """Start a TaskManager more than jobs need, so that one that is killed is replaced at once; do not wait for it."""
        if len(self.cluster.running_task_managers) == TASK_MANAGERS:
            self.cluster.start_task_manager()


def sweep(sessions: Path) -> None:
    """Remove the folders of sessions whose processes are all gone.

    Raises:
        ConfigurationError: When a folder cannot be removed.
    """
    for folder in sessions.iterdir():
        with (folder / "lock").open("w") as lock:
            if exclusion.take(lock.fileno()):
                _remove(folder)


def _remove(folder: Path) -> None:
    try:
        for disk in _mounted_below(folder):
            unmount(disk)
        shutil.rmtree(folder)
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(
            "What an earlier test session has left cannot be removed.", found=str(error), where=str(folder), remedy="Remove it by hand."
        ) from error


def _mounted_below(folder: Path) -> list[Path]:
    mounts = Path("/proc/self/mounts")
    lines = mounts.read_text(encoding="utf-8").splitlines() if mounts.is_file() else []
    places = [Path(line.split()[1].encode().decode("unicode_escape")) for line in lines]
    return [place for place in places if folder in place.parents]
