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

from ..errors import ClusterError, JobkitError
from . import progress, snapshots
from . import sample as samples
from .local import SECONDS_TO_SUBMIT, Local
from .topics import Topics
from .waiting import until
from .watch import Watch

_SECONDS_WITHOUT_PROGRESS = 300


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


class LocalRun(Local):
    """A run over the sample."""

    _fed = 0

    @contextmanager
    def execute(self) -> Iterator[Outcome]:
        """Run the job over the sample; give the outcome while the cluster is still up, and stop everything after that.

        Raises:
            Interrupted: On KeyboardInterrupt; `interruption.listening` makes one of SIGTERM and SIGHUP, too.
            JobFailed: When the job fails.
            JobRefused: When its own process refuses to submit it.
            ClusterError: When a part does not come up.
        """
        with self.occupied() as lock:
            try:
                yield self._run(lock)
            except KeyboardInterrupt:
                raise Interrupted(self._cancel()) from None

    def _run(self, lock: int) -> Outcome:
        topics = self.start(lock)
        try:
            watch = self._begin(topics)
            self._process(topics, watch)
            if self.sample.held_back:
                self._feed(topics, watch, len(self.sample))
                self._process(topics, watch)
            job = str(watch.job)
            checkpoints = self.cluster.rest.checkpoints(job)
            savepoint = self.cluster.rest.stop(job, self.place.drained, drain=True)
            self._reporter.phase(f"job stopped, {checkpoints} checkpoints")
            sample = self.sample
            verdict = sample.judge(topics.read(sample.input_topic), {name: topics.read(name) for name in sample.output_topics})
        finally:
            topics.close()
        return Outcome(verdict, savepoint, checkpoints, self.place.logs, self.cluster.rest.url)

    def _begin(self, topics: Topics) -> Watch:
        """Submit the job, and feed it while Flink's client is at work."""
        watch = self.submit()
        self._feed(topics, watch, len(self.sample) - self.sample.held_back)
        job = until(watch.running_job, what="all tasks of the job run", seconds=SECONDS_TO_SUBMIT, log=self.place.logs)
        self._reporter.phase(f"job {job} running")
        return watch

    def _feed(self, topics: Topics, watch: Watch, count: int) -> None:
        """Feed the first records of the sample, those that the topic does not hold yet."""
        sample, total = self.sample, len(self.sample)

        def fed(count: int) -> None:
            self._reporter.progress("fed", count, total)
            watch.check()

        self._fed = topics.feed(sample.input_topic, islice(sample.records(), count), sample.partitions, fed)

    def _process(self, topics: Topics, watch: Watch) -> None:
        """Wait until the job has processed, and checkpointed, all that it was fed."""
        done, since = -1, time.monotonic()
        sample, rest, job = self.sample, self.cluster.rest, str(watch.job)

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
                where=str(self.place.logs),
                remedy="Look for failed checkpoints and for errors in the TaskManagers' logs.",
            )
        begun = max((checkpoint.id for checkpoint in rest.history(job)), default=0)

        def confirmed() -> bool | None:
            watch.check()
            return any(each.id > begun and each.status == "COMPLETED" for each in rest.history(job)) or None

        until(confirmed, what="a checkpoint has confirmed it", seconds=_SECONDS_WITHOUT_PROGRESS, log=self.place.logs)

    def _cancel(self) -> Path | None:
        """Cancel the job, and return the newest snapshot that is left to resume from."""
        job = self.watch.job if self.watch else None
        with contextlib.suppress(ClusterError):  # the cluster may not be there yet, or no more
            job = job or next(iter(self.cluster.rest.jobs()), None)
            if job is not None:
                self.cluster.rest.cancel(job)
        checkpoint = snapshots.newest(self.place.checkpoints / job) if job else None
        return checkpoint or self.snapshot
