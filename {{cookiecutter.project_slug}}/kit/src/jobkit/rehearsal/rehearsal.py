"""The course of a rehearsal: copy, start, restore, feed, stop."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path

from ..cluster import sample as samples
from ..cluster.local import SECONDS_TO_SUBMIT, SERVERS_VARIABLE, Local, Options, Reporter
from ..cluster.rest import Checkpoint
from ..cluster.topics import Topics
from ..cluster.waiting import until
from ..cluster.watch import Watch
from ..errors import ConfigurationError, JobFailed, JobkitError
from ..lock import lock_of
from ..project import ENVIRONMENT_VARIABLE, Project
from ..state import snapshots
from . import copying, counting, ends, positions
from . import input as inputs
from .accounts import Accounts
from .outcome import Evidence, Outcome, Taken
from .place import NAME, Place
from .redirection import VARIABLE, Plan
from .wishes import Premise, Wishes

_KEPT_BY_STATE = (
    "state.backend.type",
    "state.backend.rocksdb.timer-service.factory",
    "python.execution-mode",
    "pipeline.max-parallelism",
    "pipeline.generic-types",
    "pipeline.force-avro",
    "pipeline.force-kryo",
    "pipeline.serialization-config",
)
"""What decides how state is read: that of the environment of the snapshot."""
_PRODUCTIONS = ("high-availability", "metrics.reporter", "jobmanager.archive", "historyserver", "security.")
"""The beginnings of Flink's keys by which a cluster would reach what production uses."""
_CAUSE = re.compile(r"^Caused by: (?:[\w$]+\.)*([\w$]+): (?!Python process exits)(.+?)\.?$", re.MULTILINE)
_LONG_NAME = "rocksdb".ljust(200, "_")
"""RocksDB names the log of a database after the whole path of that, and Flink keeps it beside the other logs as long as the name is short
enough. It forgets that databases which are read to change the parallelism have longer paths: their restore fails with “File name
too long”. With this folder in between Flink knows that it is too long, and leaves the logs where the data is."""


class Stopped(JobkitError):
    """The user has stopped the rehearsal."""

    exit_code = 130


class Rehearsal(Local):
    """A start of a project's job from a copy of a snapshot."""

    def __init__(self, project: Project, wishes: Wishes, premise: Premise, reporter: Reporter) -> None:
        """Check all that can be checked before anything is started.

        Args:
            project: Whose job starts.
            wishes: What the user asks for.
            premise: The job, and what the check of the snapshot came to.
            reporter: Shows how it goes on.

        Raises:
            ConfigurationError: See `Local`, and when the job has ends that cannot be redirected.
        """
        self._wishes, self._premise = wishes, premise
        self._ends = ends.read(premise.graph.j_stream_graph)
        ends.require_known(self._ends, wishes.allowed)
        super().__init__(project, Options(parallelism=wishes.parallelism), reporter, NAME)
        self.place: Place = Place(project)
        self._report = self.place.logs / "redirected.json"
        self._positions: dict[str, positions.Positions | None] = {}

    def load_sample(self) -> samples.Sample:
        """Return the project's sample, if it has one and it is wanted."""
        environment = {ENVIRONMENT_VARIABLE: "local", SERVERS_VARIABLE: "127.0.0.1:9092"}
        return inputs.load(self.project, environment, is_wanted=not self._wishes.production_input)

    def configuration(self) -> dict[str, str]:
        """Return the local environment's configuration, in which state is read as production does, and nothing of it is reached."""
        of_state = {key: value for key, value in self._premise.values.items() if key in _KEPT_BY_STATE}
        values = {key: value for key, value in {**super().configuration(), **of_state}.items() if not key.startswith(_PRODUCTIONS)}
        return {
            **values,
            "restart-strategy.type": "disable",
            "execution.checkpointing.num-retained": "10",
            "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
            "state.backend.rocksdb.localdir": str(self.place.temporary / _LONG_NAME),
        }

    def make_topics(self, topics: Topics) -> None:
        """Make the topics of the job's ends and of the snapshot, with as many partitions as that knows."""
        names = [*self.sample.output_topics, *(topic for end in self._ends for topic in end.topics), *self._wishes.topics]
        wanted = dict.fromkeys([name for name in [self.sample.input_topic, *names] if name], self.sample.partitions)
        for topic, partition in (split for known in self._positions.values() for split in known or ()):
            wanted[topic] = max(wanted.get(topic, 1), partition + 1)
        for topic, count in wanted.items():
            topics.create([topic], count)
        self._topics = wanted

    @property
    def variables(self) -> Mapping[str, str]:
        """What tells the job where it is, and its process what to redirect."""
        plan = Plan(self._servers, self._wishes.production_input, self._wishes.allowed, str(self._report))
        servers = {} if self._wishes.production_input else {SERVERS_VARIABLE: self._servers}
        return {ENVIRONMENT_VARIABLE: "local", **servers, VARIABLE: plan.to_json()}

    def submit(self) -> Watch:
        """Submit the job, from the copy, through the module that redirects it."""
        left = ["-n"] if self._premise.leaves_behind else []
        start = ["-s", str(self.place.copy), *left, "-p", str(self.parallelism), "-pym", "jobkit.rehearsal"]
        self.watch = Watch(self.cluster, self.cluster.submit(start, self.variables), self.processes())
        return self.watch

    def run(self) -> Outcome:
        """Rehearse, stop everything, and return what it came to.

        Raises:
            Stopped: On KeyboardInterrupt.
            JobFailed: When the job, or one of its checkpoints, fails.
            JobRefused: When its own process refuses to submit it.
            ConfigurationError: When the snapshot cannot be copied.
            ClusterError: When a part does not come up.
        """
        with self.occupied() as lock:
            try:
                return self._run(lock)
            except KeyboardInterrupt:
                raise Stopped("Interrupted. Nothing is left running, and the copy of the snapshot is removed.") from None

    def _run(self, lock: int) -> Outcome:
        copied = self._copy()
        before, held = counting.counts(self.place.copy), snapshots.read(self.place.copy)
        topics = self.start(lock)
        try:
            begun = time.monotonic()
            watch = self.submit()
            self.cluster.rest.seconds_for_savepoint = self._wishes.within
            job = self._running(watch)
            to_running = time.monotonic() - begun
            self._reporter.phase(f"job {job} running, after {to_running:.1f} s")
            first = self._checkpoint(watch, "first")
            evidence = Evidence(
                snapshot=held,
                checkpoint=snapshots.read(_folder(first)),
                before=before,
                after=counting.counts(self.cluster.rest.savepoint(job, self.place.savepoints)),
                positions={source: (was, positions.read(_folder(first), source)) for source, was in self._positions.items()},
                is_still=not self._wishes.production_input,
            )
            self._process(topics, watch)
            second = self._checkpoint(watch, "second")
            accounts = Accounts(self._ends, self._positions, is_productions=self._wishes.production_input)
            read = accounts.read(self.cluster.rest, job)
            self.cluster.rest.stop(job, self.place.savepoints, drain=False)
            return Outcome(
                compatibility=self._premise.compatibility,
                copied=copied,
                allows_non_restored=self._premise.leaves_behind,
                operators=tuple(evidence.rows(self._premise.compatibility.fates, lock_of(self._premise.graph))),
                read=read,
                written=accounts.written(topics, self._topics),
                seconds_to_running=to_running,
                first=Taken(first.seconds, first.state_bytes),
                second=Taken(second.seconds, second.state_bytes),
                notes=(*self._told(), *accounts.notes(copied, has_sample=bool(len(self.sample)))),
                logs=self.place.logs,
            )
        finally:
            topics.close()

    def _running(self, watch: Watch) -> str:
        """Wait until all tasks of the job run, and return its id; say what Java's reason was when Flink did not take it."""
        try:
            return until(
                watch.running_job, what="all tasks of the job run", seconds=max(SECONDS_TO_SUBMIT, self._wishes.within), log=self.place.logs
            )
        except JobFailed as error:
            causes = [cause for member in self.cluster.members for cause in _CAUSE.findall(member.output())] if watch.job is None else []
            if not causes or "Py4JJavaError" not in (error.python_traceback or ""):
                raise
            raise JobFailed(error.what, root_cause=": ".join(causes[-1]), where=error.where) from error

    def _told(self) -> list[str]:
        """Return what the job's process has noted."""
        told: list[str] = json.loads(self._report.read_text(encoding="utf-8")) if self._report.exists() else []
        return told

    def _copy(self) -> copying.Copied:
        found = self._premise.compatibility.snapshot
        named = found.path if found else self._wishes.snapshot
        kafkas = {f"Sink Committer: {end.uid}" for end in self._ends if end.role == "sink" and end.is_kafka}
        committers = [operator.id for operator in self._premise.graph.operators if operator.uid in kafkas and operator.id]
        self.place.root.mkdir(parents=True, exist_ok=True)
        copied = copying.copy(named, self.place.copy, committers, lambda done, total: self._reporter.progress("copied files", done, total))
        if copied.bytes * copying.TIMES_IN_ALL > copied.free:
            self._reporter.phase(
                f"the disk may become full: the restored state, a checkpoint and two savepoints take about {copied.bytes:,} bytes each as "
                f"the copy does, and {copied.free:,} were free"
            )
        sources = {end.uid for end in self._ends if end.role == "source" and end.is_kafka}
        known = [operator.id for operator in self._premise.graph.operators if operator.uid in sources and operator.id]
        self._positions = {source: positions.read(self.place.copy, source) for source in known}
        return copied

    def _checkpoint(self, watch: Watch, which: str) -> Checkpoint:
        """Take a checkpoint, and wait for it or for one that comes in between."""
        rest, job = self.cluster.rest, str(watch.job)
        begun = max((each.id for each in rest.history(job)), default=0)
        rest.trigger_checkpoint(job)

        def done() -> Checkpoint | None:
            watch.check()
            later = [each for each in rest.history(job) if each.id > begun and not each.is_savepoint]
            failed = next((each for each in later if each.status == "FAILED"), None)
            if failed is not None:
                cause = failed.failure or "Flink gives no reason"
                raise JobFailed(f"The {which} checkpoint failed.", root_cause=cause, where=str(self.place.logs))
            return next((each for each in later if each.status == "COMPLETED"), None)

        taken = until(done, what=f"the {which} checkpoint is complete", seconds=self._wishes.within, log=self.place.logs)
        self._reporter.phase(f"{which} checkpoint, {taken.seconds:.1f} s")
        return taken

    def _process(self, topics: Topics, watch: Watch) -> None:
        """Feed the job, and let it process."""
        sample, total = self.sample, len(self.sample)

        def fed(count: int) -> None:
            self._reporter.progress("fed", count, total)
            watch.check()

        if total:
            topics.feed(sample.input_topic, sample.records(), self._topics[sample.input_topic], fed)
        end = time.monotonic() + self._wishes.seconds
        while (left := end - time.monotonic()) > 0:
            watch.check()
            self._reporter.progress(
                "seconds of processing", min(round(self._wishes.seconds) - 1, int(self._wishes.seconds - left)), round(self._wishes.seconds)
            )
            time.sleep(min(0.3, left))
        watch.check()
        self._reporter.progress("seconds of processing", round(self._wishes.seconds), round(self._wishes.seconds))


def _folder(checkpoint: Checkpoint) -> Path:
    if checkpoint.path is None:
        raise ConfigurationError(
            "The checkpoint is not kept.", remedy="Remove what sets execution.checkpointing.externalized-checkpoint-retention."
        )
    return checkpoint.path
