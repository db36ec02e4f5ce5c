"""Contenders that run on Flink: the same cluster for all, and a job each."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from jobkit.cluster.flink import FlinkCluster
from jobkit.cluster.rest import Checkpoint
from jobkit.cluster.watch import Watch
from jobkit.errors import ClusterError, JobFailed

from .. import template
from ..place import ROOT, Place
from .contender import Contract, Task

PARALLELISM = 2
_SECONDS_BETWEEN_LOOKS = 1.0

_CONFIGURATION = {
    # As the job's authors would have it who follow PyFlink's documentation; a job whose operators all have uids turns it off.
    "pipeline.auto-generate-uids": "true",
    "restart-strategy.type": "disable",
    "execution.checkpointing.min-pause": "500 ms",
    "jobmanager.memory.process.size": "1024m",
    "web.checkpoints.history": "1000",
}
_MEMORY_PER_SLOT = 2048
"""In megabytes: conf/base.yaml has TaskManagers of 4096m with two slots."""


@dataclass(frozen=True)
class FlinkContender:
    """A job on a Flink session cluster of its own: one JobManager, and two slots; see `Contender`.

    Attributes:
        build: `module:function` of the function that builds the job, called with the environment and a `programs.settings.Settings`.
        place: What Flink runs with.
        configuration: Flink's keys, over those that all Flink contenders have.
        slots: How many slots a TaskManager has: 1 makes two of them, 2 makes one.
        variables: For the program's environment, beside those of the task.
        is_template: Whether the job is the one of a project that the template makes.
    """

    name: str
    build: str
    place: Place
    contract: Contract = Contract.EACH
    guarantee: str = "exactly once: transactions that end with each checkpoint; RocksDB, incremental checkpoints"
    configuration: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    slots: int = 1
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_template: bool = False

    @property
    def workers(self) -> str:
        """How it uses two cores."""
        return f"parallelism {PARALLELISM}, {'two TaskManagers' if self.slots == 1 else 'one TaskManager'}"

    def prepare(self) -> Mapping[str, str]:
        """Fetch the jars; return Flink's version and the connector's."""
        self.place.machine()
        if self.is_template:
            template.render()
        connector = next(jar for jar in self.place.project.jars if "kafka" in jar)
        return {"apache-flink": importlib.metadata.version("apache-flink"), "connector": connector.partition(":")[2]}

    def start(self, task: Task) -> RunningJob:
        """Start a cluster, and submit the job."""
        cluster = FlinkCluster(task.folder, place=self.place.machine(), configuration=self._configuration(task))
        try:
            cluster.start(PARALLELISM // self.slots)
            program = str(ROOT / "bench" / "programs" / "submit.py")
            client = cluster.submit(
                ["-p", str(PARALLELISM), "-py", program], {**task.variables, **self.variables, "BENCH_BUILD": self.build}
            )
        except BaseException:
            cluster.stop()
            raise
        return RunningJob(cluster, Watch(cluster, client, cluster.members), task.folder)

    def _configuration(self, task: Task) -> dict[str, str]:
        return {
            **self.place.configuration,
            **_CONFIGURATION,
            "execution.checkpointing.interval": f"{round(task.commit_seconds * 1000)} ms",
            "execution.checkpointing.dir": (task.folder / "checkpoints").as_uri(),
            "execution.checkpointing.savepoint-dir": (task.folder / "savepoints").as_uri(),
            "taskmanager.memory.process.size": f"{_MEMORY_PER_SLOT * self.slots}m",
            "taskmanager.numberOfTaskSlots": str(self.slots),
            **self.configuration,
        }


class RunningJob:
    """A job at work; see `Running`."""

    def __init__(self, cluster: FlinkCluster, watch: Watch, folder: Path) -> None:
        """Take the cluster, the watch of the submission, and the folder of the run."""
        self._cluster, self._watch, self._folder = cluster, watch, folder
        self._looked = 0.0

    def processes(self) -> Sequence[int]:
        """Return the processes of the cluster and of Flink's client."""
        return [member.pid for member in self._cluster.members if member.pid is not None]

    def check(self) -> None:
        """Ask, now and then, whether the job is well."""
        if time.monotonic() - self._looked > _SECONDS_BETWEEN_LOOKS:
            self._looked = time.monotonic()
            self._watch.check()

    def checkpoints(self) -> Sequence[Checkpoint]:
        """Return what the JobManager knows of its checkpoints."""
        return [] if self._watch.job is None else self._cluster.rest.history(self._watch.job)

    def stop(self) -> None:
        """Stop the job with a savepoint, and end the cluster.

        A job that was cancelled may leave a transaction open, behind which readers do not see what other transactions have
        committed: a run that was not complete would seem to have gaps.
        """
        job = self._watch.job
        try:
            with suppress(ClusterError, JobFailed):
                if job is not None:
                    self._cluster.rest.stop(job, self._folder / "savepoints", drain=False)
        finally:
            self._cluster.stop()
