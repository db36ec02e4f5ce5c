"""A cluster and a broker of a project's own on this machine, and the project's job on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from .. import configuration
from ..project import ENVIRONMENT_VARIABLE, Project
from . import distribution, interruption, jars, java, snapshots
from . import sample as samples
from .broker import Broker
from .flink import FlinkCluster
from .machine import Machine
from .place import Member
from .processes import stop_all
from .topics import Topics
from .watch import Watch
from .workplace import Workplace

SERVERS_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
"""Tells the job where the broker is."""

SECONDS_TO_SUBMIT = 300
_TASK_MANAGERS = 2
_JAVA_OF_KAFKA = 17


class Reporter(Protocol):
    """Shows how a run goes on."""

    def phase(self, text: str) -> None:
        """Show that something was reached."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far something is."""


@dataclass(frozen=True)
class Options:
    """What the user asks for.

    Attributes:
        environment: Names the file in conf/ that is laid over base.yaml.
        snapshot: A snapshot to start the job from, or None.
        parallelism: The job's parallelism; by default the configuration's, or 2.
    """

    environment: str = "local"
    snapshot: str | None = None
    parallelism: int | None = None


class Local:
    """The parts of one run, in the order in which they come up.

    Attributes:
        project: Whose job runs.
        place: The folder of the run.
        sample: What the job is fed.
        parallelism: The job's.
        snapshot: The snapshot that the job starts from, or None.
        cluster: The cluster.
        watch: The watch of the job, once it was submitted.
    """

    def __init__(self, project: Project, options: Options, reporter: Reporter, folder: str = "run") -> None:
        """Check all that can be checked before anything is started.

        Args:
            project: Whose job runs.
            options: What the user asks for.
            reporter: Shows how it goes on.
            folder: The name of the folder of such runs.

        Raises:
            ConfigurationError: When a jar, a setting, a file or the snapshot is wrong.
        """
        distribution.require(project.flink)
        self.project, self._reporter = project, reporter
        self.place = Workplace(project, folder)
        self._values = configuration.load(project.conf, options.environment).values
        self.parallelism = options.parallelism or configuration.parallelism(self._values, _TASK_MANAGERS, str(project.conf))
        self.snapshot = snapshots.find(options.snapshot, self.place.drained) if options.snapshot else None
        if self.snapshot:
            self.place.require_broker_data()
        self._java = java.provide(minimum=_JAVA_OF_KAFKA)
        library = jars.library(project, self._fetching)
        self._broker_classpath = jars.broker_classpath(project, self._fetching)
        self.sample = self.load_sample()
        self._broker: Broker | None = None
        self._machine = Machine(project.root, library=library, java=self._java)
        self.cluster = FlinkCluster(self.place.root, place=self._machine, configuration=self.configuration())
        self._servers = ""
        self.watch: Watch | None = None

    def load_sample(self) -> samples.Sample:
        """Return what the job is fed."""
        return samples.load(self.project, {ENVIRONMENT_VARIABLE: "local", SERVERS_VARIABLE: "127.0.0.1:9092"})

    def make_topics(self, topics: Topics) -> None:
        """Make the topics that the job reads and writes."""
        topics.create([self.sample.input_topic, *self.sample.output_topics], self.sample.partitions)

    def configuration(self) -> dict[str, str]:
        """Return the environment's configuration with what a run decides itself: directories and slots."""
        return {
            **self._values,
            **self.place.configuration,
            "taskmanager.numberOfTaskSlots": str(math.ceil(self.parallelism / _TASK_MANAGERS)),
        }

    @contextmanager
    def occupied(self) -> Iterator[int]:
        """Keep the folder for this run, and end all that was started in it; give the lock's file descriptor."""
        with self.place.locked() as lock:
            self.place.clear(resuming=self.snapshot is not None)
            try:
                yield lock
            finally:
                with interruption.ignored():
                    stop_all(self.processes())
                    self.place.clean()

    def start(self, lock: int) -> Topics:
        """Bring up the broker and the cluster, side by side, and make the topics."""
        broker = self._broker = Broker(self.place.root, classpath=self._broker_classpath, java=self._java, held=[lock])
        cluster = self.cluster
        self._machine.held = (lock,)
        cluster.start_job_manager()
        self._servers = broker.wait()
        self._reporter.phase(f"broker ready at {self._servers}")
        cluster.wait_for_job_manager()
        for _ in range(_TASK_MANAGERS):
            cluster.start_task_manager()
        topics = Topics(self._servers)
        self.make_topics(topics)
        cluster.wait_for_task_managers()
        self._reporter.phase(f"cluster ready at {cluster.rest.url}")
        return topics

    def submit(self) -> Watch:
        """Submit the job, and do not wait."""
        start = ["-s", str(self.snapshot)] if self.snapshot else []
        client = self.cluster.submit([*start, "-p", str(self.parallelism), "-pym", self.project.package], self.variables)
        self.watch = Watch(self.cluster, client, self.processes())
        return self.watch

    @property
    def variables(self) -> Mapping[str, str]:
        """What tells the job where it is."""
        return {ENVIRONMENT_VARIABLE: "local", SERVERS_VARIABLE: self._servers}

    def processes(self) -> list[Member]:
        """Return all that was started."""
        return [*self.cluster.members, *([self._broker.process] if self._broker else [])]

    def _fetching(self, name: str, done: int, total: int) -> None:
        self._reporter.progress(f"fetching {name}", done, total)
