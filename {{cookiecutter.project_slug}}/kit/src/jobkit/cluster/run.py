"""A local run: the job on a real cluster and a real broker, over the sample, judged at the end."""

from __future__ import annotations

import contextlib
import math
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from .. import configuration
from ..errors import ClusterError, ConfigurationError, JobkitError
from ..project import ENVIRONMENT_VARIABLE, Project
from . import distribution, interruption, jars, java, progress, snapshots
from . import sample as samples
from .broker import Broker
from .flink import FlinkCluster
from .machine import Machine
from .place import Member
from .processes import stop_all
from .topics import Topics
from .waiting import until
from .watch import Watch
from .workplace import Workplace

SERVERS_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
"""Tells the job where the broker is."""

_TASK_MANAGERS = 2
_SECONDS_TO_SUBMIT = 180
_SECONDS_WITHOUT_PROGRESS = 300
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


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        verdict: The sample's judgement.
        savepoint: The savepoint that the job was stopped with; drained, so not for resuming.
        checkpoints: How many checkpoints were completed.
        logs: The folder of the logs.
        url: The web UI, as long as the cluster is up.
    """

    verdict: samples.Verdict
    savepoint: Path
    checkpoints: int
    logs: Path
    url: str


class Interrupted(JobkitError):
    """The user has stopped the run.

    Attributes:
        checkpoint: The retained checkpoint to resume from, or None.
    """

    exit_code = 130

    def __init__(self, checkpoint: Path | None) -> None:
        """Take the newest checkpoint that is on disk."""
        resume = f"Retained checkpoint: {checkpoint}\nResume with: jobkit run --from {shlex.quote(str(checkpoint))}"
        super().__init__(f"Interrupted.\n{resume if checkpoint else 'There is no checkpoint yet to resume from.'}")
        self.checkpoint = checkpoint


class LocalRun:
    """The parts of one run, in the order in which they come up."""

    def __init__(self, project: Project, options: Options, reporter: Reporter) -> None:
        """Check all that can be checked before anything is started.

        Raises:
            ConfigurationError: When a jar, a setting, a file or the snapshot is wrong.
        """
        distribution.require(project.flink)
        self._project, self._reporter = project, reporter
        self._place = Workplace(project)
        self._values = configuration.load(project.conf, options.environment).values
        self._parallelism = options.parallelism or self._default_parallelism()
        self._snapshot = snapshots.find(options.snapshot, self._place.drained) if options.snapshot else None
        if self._snapshot:
            self._place.require_broker_data()
        self._java = java.provide(minimum=_JAVA_OF_KAFKA)
        self._library = jars.library(project, self._fetching)
        self._broker_classpath = jars.broker_classpath(project, self._fetching)
        self._sample = samples.load(project, {ENVIRONMENT_VARIABLE: "local", SERVERS_VARIABLE: "127.0.0.1:9092"})
        self._broker: Broker | None = None
        self._machine = Machine(project.root, library=self._library, java=self._java)
        self._cluster = FlinkCluster(self._place.root, place=self._machine, configuration=self._configuration())
        self._servers = ""
        self._watch: Watch | None = None
        self._fed = 0

    @contextmanager
    def execute(self) -> Iterator[Outcome]:
        """Run the job over the sample; give the outcome while the cluster is still up, and stop everything after that.

        Raises:
            Interrupted: On KeyboardInterrupt; `interruption.listening` makes one of SIGTERM and SIGHUP, too.
            JobFailed: When the job fails.
            JobRefused: When its own process refuses to submit it.
            ClusterError: When a part does not come up.
        """
        with self._place.locked() as lock:
            self._place.clear(resuming=self._snapshot is not None)
            try:
                yield self._run(lock)
            except KeyboardInterrupt:
                raise Interrupted(self._cancel()) from None
            finally:
                with interruption.ignored():
                    stop_all(self._processes())
                    self._place.clean()

    def _run(self, lock: int) -> Outcome:
        topics = self._start(lock)
        try:
            watch = self._submit(topics)
            self._process(topics, watch)
            if self._sample.held_back:
                self._feed(topics, watch, len(self._sample))
                self._process(topics, watch)
            job = str(watch.job)
            checkpoints = self._cluster.rest.checkpoints(job)
            savepoint = self._cluster.rest.stop(job, self._place.drained, drain=True)
            self._reporter.phase(f"job stopped, {checkpoints} checkpoints")
            sample = self._sample
            verdict = sample.judge(topics.read(sample.input_topic), {name: topics.read(name) for name in sample.output_topics})
        finally:
            topics.close()
        return Outcome(verdict, savepoint, checkpoints, self._place.logs, self._cluster.rest.url)

    def _start(self, lock: int) -> Topics:
        """Bring up the broker and the cluster, side by side."""
        broker = self._broker = Broker(self._place.root, classpath=self._broker_classpath, java=self._java, held=[lock])
        cluster = self._cluster
        self._machine.held = (lock,)
        cluster.start_job_manager()
        self._servers = broker.wait()
        self._reporter.phase(f"broker ready at {self._servers}")
        cluster.wait_for_job_manager()
        for _ in range(_TASK_MANAGERS):
            cluster.start_task_manager()
        topics = Topics(self._servers)
        topics.create([self._sample.input_topic, *self._sample.output_topics], self._sample.partitions)
        cluster.wait_for_task_managers()
        self._reporter.phase(f"cluster ready at {cluster.rest.url}")
        return topics

    def _configuration(self) -> dict[str, str]:
        """Return the environment's configuration with what a run decides itself: directories and slots."""
        return {
            **self._values,
            **self._place.configuration,
            "taskmanager.numberOfTaskSlots": str(math.ceil(self._parallelism / _TASK_MANAGERS)),
        }

    def _default_parallelism(self) -> int:
        text = self._values.get("parallelism.default", str(_TASK_MANAGERS))
        if not text.isdecimal() or int(text) == 0:
            raise ConfigurationError("parallelism.default must be a number, 1 or more.", found=text, where=str(self._project.conf))
        return int(text)

    def _submit(self, topics: Topics) -> Watch:
        """Submit the job, and feed it while Flink's client is at work."""
        package = (self._project.pipeline or "").partition(":")[0].rpartition(".")[0]  # the sample was found through it
        arguments = ["-p", str(self._parallelism), "-pym", package]
        if self._snapshot:
            arguments = ["-s", str(self._snapshot), *arguments]
        variables = {ENVIRONMENT_VARIABLE: "local", SERVERS_VARIABLE: self._servers}
        client = self._cluster.submit(arguments, variables)
        watch = self._watch = Watch(self._cluster, client, self._processes())
        self._feed(topics, watch, len(self._sample) - self._sample.held_back)
        job = until(watch.running_job, what="all tasks of the job run", seconds=_SECONDS_TO_SUBMIT, log=self._place.logs)
        self._reporter.phase(f"job {job} running")
        return watch

    def _feed(self, topics: Topics, watch: Watch, count: int) -> None:
        """Feed the first records of the sample, those that the topic does not hold yet."""
        sample, total = self._sample, len(self._sample)

        def fed(count: int) -> None:
            self._reporter.progress("fed", count, total)
            watch.check()

        self._fed = topics.feed(sample.input_topic, islice(sample.records(), count), sample.partitions, fed)

    def _process(self, topics: Topics, watch: Watch) -> None:
        """Wait until the job has processed, and checkpointed, all that it was fed."""
        done, since = -1, time.monotonic()
        sample, rest, job = self._sample, self._cluster.rest, str(watch.job)

        def probe() -> bool | None:
            nonlocal done, since
            watch.check()
            reached = progress.read(rest, job, topics, sample.group_id, [sample.input_topic])
            before, done = done, self._fed - progress.unread(reached, topics, [sample.input_topic])
            self._reporter.progress("processed", done, self._fed)
            since = time.monotonic() if done > before else since
            return done >= self._fed or (None if time.monotonic() - since < _SECONDS_WITHOUT_PROGRESS else False)

        if not until(probe, what="the job has processed its input", seconds=math.inf, interval=0.3):
            raise ClusterError(
                f"The job has not got on for {_SECONDS_WITHOUT_PROGRESS} s.",
                found=f"{done} of {self._fed} records read",
                where=str(self._place.logs),
                remedy="Look for failed checkpoints and for errors in the TaskManagers' logs.",
            )
        begun = max((checkpoint.id for checkpoint in rest.history(job)), default=0)

        def confirmed() -> bool | None:
            watch.check()
            return any(each.id > begun and each.status == "COMPLETED" for each in rest.history(job)) or None

        until(confirmed, what="a checkpoint has confirmed it", seconds=_SECONDS_WITHOUT_PROGRESS, log=self._place.logs)

    def _cancel(self) -> Path | None:
        """Cancel the job, and return the newest snapshot that is left to resume from."""
        job = self._watch.job if self._watch else None
        with contextlib.suppress(ClusterError):  # the cluster may not be there yet, or no more
            job = job or next(iter(self._cluster.rest.jobs()), None)
            if job is not None:
                self._cluster.rest.cancel(job)
        checkpoint = snapshots.newest(self._place.checkpoints / job) if job else None
        return checkpoint or self._snapshot

    def _processes(self) -> list[Member]:
        return [*self._cluster.members, *([self._broker.process] if self._broker else [])]

    def _fetching(self, name: str, done: int, total: int) -> None:
        self._reporter.progress(f"fetching {name}", done, total)
