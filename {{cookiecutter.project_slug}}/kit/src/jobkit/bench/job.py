"""`jobkit bench`: how fast a project's job goes on this machine, what it needs, and which operator holds it up."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from statistics import mean
from typing import Any

from ..cluster import jvm, progress
from ..cluster import sample as samples
from ..cluster.local import SECONDS_TO_SUBMIT, Local, Options, Reporter
from ..cluster.topics import Topics
from ..cluster.waiting import until
from ..cluster.watch import Watch
from ..errors import ClusterError, JobkitError
from ..project import Project
from . import measure
from .feeding import Feed
from .measure import Checkpoints
from .resources import Sampler, Usage, at

_SECONDS_BETWEEN_LOOKS = 0.5
_MIB = 1 << 20
_LEAST_SECONDS = 3.0
_JVM_OPTIONS = "env.java.opts.all"
_BUSY, _HELD_UP = "busyTimeMsPerSecond", "backPressuredTimeMsPerSecond"


class Stopped(JobkitError):
    """The user has stopped the benchmark."""

    exit_code = 130


@dataclass(frozen=True)
class Load:
    """What is asked for.

    Attributes:
        records: How many records the job is fed.
        warm_up: For how many seconds, from its first record on, it is not measured.
        limit: After how many seconds it is measured as far as it got.
    """

    records: int
    warm_up: float
    limit: float


@dataclass(frozen=True)
class Vertex:
    """A task of the job: operators that run in one thread.

    Attributes:
        name: As the web UI has it.
        busy: Which part of the time it worked.
        held_up: Which part of the time it waited for those behind it to take what it had.
    """

    name: str
    busy: float
    held_up: float


@dataclass(frozen=True)
class Figures:
    """What a run came to.

    Attributes:
        records: How many records the job had read in the end.
        complete: Whether those are all.
        repeated: Whether the sample was repeated as it is, for want of a way to go on.
        measured_seconds: For how long it was measured.
        records_per_second: What it read in that time.
        cpu_seconds_per_million: Processor time of the cluster for a million records, in that time.
        peak_mib: The most memory of the cluster, JobManager and TaskManagers.
        parallelism: The job's.
        task_managers: How many there were.
        checkpoints: Those that were completed.
        vertices: The tasks, from source to sink.
        by_second: How many records were read in each second, from the first on.
    """

    records: int
    complete: bool
    repeated: bool
    measured_seconds: float
    records_per_second: float
    cpu_seconds_per_million: float
    peak_mib: float
    parallelism: int
    task_managers: int
    checkpoints: Checkpoints
    vertices: Sequence[Vertex]
    by_second: Sequence[float]

    def to_json(self) -> dict[str, Any]:
        """Return all of it for `--json`."""
        return asdict(self)


@dataclass
class Course:
    """How a job got on: how many records it had read at which moment, in seconds since the epoch."""

    times: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def add(self, moment: float, count: int) -> None:
        """Note a moment."""
        self.times.append(moment)
        self.counts.append(count)

    def steady(self, warm_up: float, total: int) -> tuple[float, float]:
        """Return from when to when it is measured.

        Raises:
            ClusterError: When there is too little between the two.
        """
        begun = next((moment for moment, count in zip(self.times, self.counts, strict=True) if count > 0), None)
        if begun is None:
            raise ClusterError("The job has read nothing.", found=f"{len(self.times)} looks", remedy="Is its group id the sample's?")
        begin = begun + warm_up
        ended = (moment for moment, count in zip(self.times, self.counts, strict=True) if count >= measure.END * total)
        end = next(ended, self.times[-1])
        if end - begin < _LEAST_SECONDS:
            raise ClusterError(
                "The run is too short to be measured.",
                found=f"{end - begun:.0f} s from the first record to the last ones, {warm_up:g} s of which are to get warm",
                remedy="Ask for more --records.",
            )
        if self.at(end) <= self.at(begin):
            raise ClusterError(
                "The job has read nothing once it was warm.",
                found=f"{self.counts[-1]:,} records in all",
                remedy="It is held up, or starts again and again: see the logs of the TaskManagers.",
            )
        return begin, end

    def at(self, moment: float) -> float:
        """Return how many records were read at a moment."""
        return at(self.times, self.counts, moment)

    def by_second(self) -> list[float]:
        """Return how many records were read in each second, from just before the first on."""
        first = next((place for place, count in enumerate(self.counts) if count > 0), 0)
        begin = self.times[max(0, first - 1)]
        marks = [self.at(begin + second) for second in range(int(self.times[-1] - begin) + 1)]
        return [round(after - before, 1) for before, after in pairwise(marks)]


class JobBench(Local):
    """A run of the job over as much input as is asked for."""

    def __init__(self, project: Project, options: Options, load: Load, reporter: Reporter) -> None:
        """Check all that can be checked before anything is started; see `Local`."""
        super().__init__(project, options, reporter, "bench")
        self._load = load
        self._busy: dict[str, list[tuple[float, float, float]]] = {}

    def configuration(self) -> dict[str, str]:
        """Return the environment's configuration, with Java's full compiler: a local run is compiled quickly, not well."""
        values = super().configuration()
        return {**values, _JVM_OPTIONS: f"{values.get(_JVM_OPTIONS, '')} {jvm.FULL_COMPILER}".strip(), "web.checkpoints.history": "1000"}

    def run(self) -> Figures:
        """Run the job, stop everything, and return the figures.

        Raises:
            Stopped: On KeyboardInterrupt.
            JobFailed: When the job fails.
            JobRefused: When its own process refuses to submit it.
            ClusterError: When a part does not come up, or the run is too short.
        """
        with self.occupied() as lock:
            try:
                return self._run(lock)
            except KeyboardInterrupt:
                raise Stopped("Interrupted. Nothing was measured.") from None

    def _run(self, lock: int) -> Figures:
        topics = self.start(lock)
        try:
            feed = Feed(self.project, self.variables, self._servers, self._load.records)
            feed.run(self.sample, lambda count: self._reporter.progress("fed", count, self._load.records))
            watch = self.submit()
            members = [self.cluster.job_manager, *self.cluster.task_managers]  # not the client
            roots = [member.pid for member in members if member is not None and member.pid is not None]
            sampler = Sampler(lambda: roots)
            try:
                course = self._follow(topics, watch)
            finally:
                usage = sampler.stop()
            return self._figures(course, usage, str(watch.job))
        finally:
            topics.close()

    def _follow(self, topics: Topics, watch: Watch) -> Course:
        """Look how far the job is, until it has read everything or its time is over."""
        job = until(watch.running_job, what="all tasks of the job run", seconds=SECONDS_TO_SUBMIT, log=self.place.logs)
        self._reporter.phase(f"job {job} running")
        course, deadline, names = Course(), time.monotonic() + self._load.limit, [self.sample.input_topic]
        while True:
            watch.check()
            reached = progress.read(self.cluster.rest, job, topics, self.sample.group_id, names)
            count = self._load.records - progress.unread(reached, topics, names)
            course.add(time.time(), count)
            self._note_busy(job)
            self._reporter.progress("processed", min(count, self._load.records - 1), self._load.records)
            if count >= self._load.records or time.monotonic() > deadline:
                return course
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _note_busy(self, job: str) -> None:
        for name, values in self.cluster.rest.metrics(job, [_BUSY, _HELD_UP], "avg").items():
            busy, held_up = (values.get(metric, math.nan) / 1000 for metric in (_BUSY, _HELD_UP))
            if not math.isnan(busy + held_up):  # it has not run yet
                self._busy.setdefault(name, []).append((time.time(), busy, held_up))

    def _figures(self, course: Course, usage: Usage, job: str) -> Figures:
        begin, end = course.steady(self._load.warm_up, self._load.records)
        records = course.at(end) - course.at(begin)
        _, is_own = samples.endless(self.sample)
        return Figures(
            records=course.counts[-1],
            complete=course.counts[-1] >= self._load.records,
            repeated=not is_own and self._load.records > len(self.sample),
            measured_seconds=end - begin,
            records_per_second=records / (end - begin),
            cpu_seconds_per_million=usage.between(begin, end) / records * 1_000_000,
            peak_mib=usage.peak_bytes / _MIB,
            parallelism=self.parallelism,
            task_managers=len(self.cluster.task_managers),
            checkpoints=measure.checkpoints(self.cluster.rest, job),
            vertices=list(self._vertices(begin, end)),
            by_second=course.by_second(),
        )

    def _vertices(self, begin: float, end: float) -> Iterator[Vertex]:
        for name, looks in self._busy.items():
            within = [look for look in looks if begin <= look[0] <= end]
            if within:
                shares: Mapping[int, float] = {place: mean(look[place] for look in within) for place in (1, 2)}
                yield Vertex(name, shares[1], shares[2])
