"""A local run: the job on a real cluster and a real broker, over the sample, judged at the end."""

from __future__ import annotations

import contextlib
import math
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .. import configuration
from ..errors import ClusterError, JobFailed, JobkitError
from ..project import ENVIRONMENT_VARIABLE, Project
from . import distribution, interruption, jars, java, snapshots, submission
from . import sample as samples
from .broker import Broker
from .failure import Failure
from .flink import FlinkCluster
from .processes import Process, stop_all
from .rest import TERMINAL
from .topics import Topics
from .waiting import until
from .workplace import Workplace

SERVERS_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
"""Tells the job where the broker is."""

_TASK_MANAGERS = 2
_SECONDS_TO_SUBMIT = 180
_SECONDS_TO_PROCESS = 3600
_JAVA_OF_KAFKA = 17
_FAILURES_ALLOWED = 3


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
        self._parallelism = options.parallelism or int(self._values.get("parallelism.default", _TASK_MANAGERS))
        self._snapshot = snapshots.find(options.snapshot, self._place.drained) if options.snapshot else None
        if self._snapshot:
            self._place.require_broker_data()
        self._java = java.provide(minimum=_JAVA_OF_KAFKA)
        self._library = jars.library(project, self._fetching)
        self._broker_classpath = jars.broker_classpath(project, self._fetching)
        self._sample = samples.load(project, {ENVIRONMENT_VARIABLE: "local", SERVERS_VARIABLE: "127.0.0.1:9092"})
        self._processes: list[Process] = []
        self._cluster = FlinkCluster(
            self._place.root, library=self._library, java=self._java, configuration=self._configuration(), started=self._processes
        )
        self._servers = ""
        self._submission: Process | None = None
        self._job: str | None = None
        self._fed = 0

    @contextmanager
    def execute(self) -> Iterator[Outcome]:
        """Run the job over the sample; give the outcome while the cluster is still up, and stop everything after that.

        Raises:
            Interrupted: On Ctrl-C, SIGTERM or SIGHUP.
            JobFailed: When the job fails.
            JobRefused: When its own process refuses to submit it.
            ClusterError: When a part does not come up.
        """
        with self._place.locked() as lock, interruption.listening():
            self._place.clear(resuming=self._snapshot is not None)
            try:
                yield self._run(lock)
            except JobFailed as error:
                raise JobFailed(
                    error.what,
                    root_cause=error.root_cause,
                    python_traceback=error.python_traceback and self._own_paths(error.python_traceback),
                    where=error.where,
                ) from error
            except submission.JobRefused as error:
                raise submission.JobRefused(self._own_paths(str(error)), error.exit_code) from error
            except KeyboardInterrupt:
                raise Interrupted(self._cancel()) from None
            finally:
                with interruption.ignored():
                    stop_all(self._processes)
                    self._place.clean()

    def _run(self, lock: int) -> Outcome:
        topics = self._start(lock)
        try:
            job = self._submit(topics)
            self._process(topics)
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
        place = self._place
        broker = Broker(
            place.broker, classpath=self._broker_classpath, java=self._java, logs=place.logs, temporary=place.temporary, held=[lock]
        )
        self._processes.append(broker.process)
        cluster = self._cluster
        cluster.held = (lock,)
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
            "execution.checkpointing.dir": self._place.checkpoints.as_uri(),
            "execution.checkpointing.savepoint-dir": self._place.savepoints.as_uri(),
            "taskmanager.numberOfTaskSlots": str(math.ceil(self._parallelism / _TASK_MANAGERS)),
        }

    def _submit(self, topics: Topics) -> str:
        """Submit the job, and feed it while Flink's client is at work."""
        package = (self._project.pipeline or "").partition(":")[0].rpartition(".")[0]  # the sample was found through it
        arguments = ["-p", str(self._parallelism), "-pym", package, "-pyfs", str(self._project.root / "src")]
        if self._snapshot:
            arguments = ["-s", str(self._snapshot), *arguments]
        variables = {ENVIRONMENT_VARIABLE: "local", SERVERS_VARIABLE: self._servers}
        self._submission = self._cluster.submit(arguments, variables)
        sample, total = self._sample, len(self._sample)

        def fed(count: int) -> None:
            self._reporter.progress("fed", count, total)
            self._check()

        self._fed = topics.feed(sample.input_topic, sample.records(), sample.partitions, fed)
        job = until(self._running_job, what="all tasks of the job run", seconds=_SECONDS_TO_SUBMIT, log=self._place.logs)
        self._reporter.phase(f"job {job} running")
        return job

    def _process(self, topics: Topics) -> None:
        """Wait until the job has processed, and checkpointed, all that it was fed."""

        def probe() -> bool | None:
            self._check()
            done = topics.committed(self._sample.group_id, self._sample.input_topic)
            self._reporter.progress("processed", done, self._fed)
            return done >= self._fed or None

        until(probe, what="the job has processed its input", seconds=_SECONDS_TO_PROCESS, log=self._place.logs, interval=0.3)

    def _running_job(self) -> str | None:
        self._check()
        return self._job if self._job and self._cluster.rest.is_running(self._job) else None

    def _check(self) -> None:
        """Raise what has gone wrong so far, as soon as it has."""
        client = self._submission
        for process in self._processes:
            if process is not client:
                process.require_running()
        if self._job is None and client is not None and client.exit_code is not None:
            submission.require_success(client)
            self._job = next(iter(self._cluster.rest.jobs()), None)
            if self._job is None:
                raise ClusterError("The program has submitted no job.", where=str(client.log), remedy="End it with launch(build).")
        if self._job is None:
            return
        state, failures = self._cluster.rest.state(self._job), self._cluster.rest.failures(self._job)
        hopeless = any(failure.python_traceback for failure in failures) or len(failures) >= _FAILURES_ALLOWED
        if state in TERMINAL or hopeless:
            reason = failures[0] if failures else Failure(f"its state is {state}")
            raise JobFailed("The job failed.", root_cause=reason.root_cause, python_traceback=reason.python_traceback, where=str(self._place.logs))

    def _cancel(self) -> Path | None:
        """Cancel the job, and return the newest snapshot that is left to resume from."""
        with contextlib.suppress(ClusterError):  # the cluster may not be there yet, or no more
            self._job = self._job or next(iter(self._cluster.rest.jobs()), None)
            if self._job is not None:
                self._cluster.rest.cancel(self._job)
        checkpoint = snapshots.newest(self._place.checkpoints / self._job) if self._job else None
        return checkpoint or self._snapshot

    def _own_paths(self, text: str) -> str:
        """Name the project's files instead of the copies that Flink made of them for its Python processes."""
        copies = re.escape(str(self._place.temporary)) + r"/[^\s\"]*?/src/(?=\w)(?!src/)"
        return re.sub(copies, f"{self._project.root / 'src'}/", text)

    def _fetching(self, name: str, done: int, total: int) -> None:
        self._reporter.progress(f"fetching {name}", done, total)
