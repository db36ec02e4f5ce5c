"""Drive a job through a test: start it, wait for what it does, stop it, start it again."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from ..cluster import snapshots, submission
from ..cluster.failure import Failure
from ..cluster.flink import FlinkCluster
from ..cluster.place import Member
from ..cluster.progress import Offsets
from ..cluster.rest import TERMINAL, Checkpoint
from ..cluster.sample import Record
from ..cluster.waiting import until
from ..errors import ClusterError, ConfigurationError, JobFailed
from ..project import ENVIRONMENT_VARIABLE, LOCAL, Project
from .kafka import Kafka

__tracebackhide__ = True  # pytest shows the test's own lines; --full-trace shows these, too
T = TypeVar("T")

PARALLELISM = 2
_SECONDS = 300
_SECONDS_WITHOUT_PROGRESS = 180
_FAILURES_ALLOWED = 3
_LOSSES_ALLOWED = 10


@dataclass(frozen=True)
class Throw:
    """An exception to plant in the job's own code; `Faults.throw` makes it.

    Attributes:
        function: The name of the class, or of the function, that shall throw.
        on_record: At which record of a subtask; 0 means in `open`.
        times: How often in all; None means each time.
        marks: The folder in which each time is marked.
    """

    function: str
    on_record: int
    times: int | None
    marks: Path


class Job:
    """One job of a test, through all of its starts; what goes wrong is raised while waiting.

    Attributes:
        cluster: Where it runs.
        kafka: Its topics.
        project: Whose job it is.
        id: The job's id, of its last start.
        parallelism: Of its last start.
        restarts_seen: How many restarts there had been when the last fault began.
    """

    def __init__(self, cluster: FlinkCluster, kafka: Kafka, project: Project, folder: Path) -> None:
        """Prepare a job; nothing is started.

        Args:
            cluster: Where it shall run.
            kafka: Its topics.
            project: Whose job it is.
            folder: For its savepoints.
        """
        self.cluster = cluster
        self.parallelism = PARALLELISM
        self.project = project
        self.kafka, self._folder = kafka, folder
        self._client: Member | None = None
        self._id: str | None = None
        self.restarts_seen = 0
        self._confirmed: Offsets = {}
        self._contained: dict[Path, Offsets] = {}

    def start(  # noqa: PLR0913  (what `flink run` takes)
        self,
        *,
        from_snapshot: Path | None = None,
        parallelism: int | None = None,
        configuration: Mapping[str, str] = MappingProxyType({}),
        environment: Mapping[str, str] = MappingProxyType({}),
        allow_non_restored_state: bool = False,
        throw: Throw | None = None,
    ) -> None:
        """Submit the job with Flink's own client, and do not wait. What still runs of an earlier start is cancelled first.

        Args:
            from_snapshot: The folder of a savepoint or retained checkpoint to start from.
            parallelism: By default that of the last start, or 2.
            configuration: Flink's keys, over those of the cluster.
            environment: Variables for the job's settings, over those that name its topics.
            allow_non_restored_state: Start even when the snapshot holds state for which the job has no operator.
            throw: An exception to plant; see `Faults.throw`.
        """
        self.end()
        self.parallelism = parallelism or self.parallelism
        program = "jobkit.testing" if throw else self.project.package
        arguments = [f"-D{key}={value}" for key, value in configuration.items()]
        if from_snapshot is not None:
            arguments += ["-s", snapshots.address(from_snapshot), *(["-n"] if allow_non_restored_state else [])]
        variables = {ENVIRONMENT_VARIABLE: LOCAL, **self.kafka.environment, **environment}
        if throw is not None:
            variables |= _as_variables(throw)
        self._id, self.restarts_seen = None, 0
        self._confirmed = self._contained.get(from_snapshot, {}) if from_snapshot else {}
        self._client = self.cluster.submit([*arguments, "-p", str(self.parallelism), "-pym", program], variables)

    @property
    def was_started(self) -> bool:
        """Whether `start` was called."""
        return self._client is not None

    @property
    def id(self) -> str:
        """The job's id; waits for Flink's client, if need be.

        Raises:
            JobRefused: When a guardrail, or a setting, is wrong.
            JobFailed: When the job cannot be submitted.
        """
        if self._client is None:
            raise ConfigurationError("The job was not started.", remedy="Call job.start() first.")
        if self._id is None:
            client = self._client
            self._id = until(lambda: submission.job_id(client), what="the job is submitted", seconds=_SECONDS, log=client.log)
        return self._id

    @property
    def state(self) -> str:
        """The job's state, such as `RUNNING` or `FAILED`.

        Raises:
            ClusterError: When the JobManager does not know the job: it was lost with the JobManager before it.
        """
        return self.cluster.rest.state(self.id)

    @property
    def restarts(self) -> int:
        """How often tasks of the job were started anew, since its start or since the JobManager's."""
        return max((task.attempt for task in self.cluster.rest.tasks(self.id)), default=0)

    def wait_until_running(self) -> None:
        """Wait until all tasks run at once.

        Raises:
            JobFailed: When the job ends instead.
        """
        self._until(lambda: self.cluster.rest.is_running(self.id) or None, "all tasks of the job run")

    def expect_restart(self) -> None:
        """Begin to wait for a restart: what has been one until now does not count. Faults call it."""
        self.restarts_seen = self.restarts

    def wait_until_recovered(self) -> None:
        """Wait until all tasks run again after the last fault.

        Raises:
            JobFailed: When the job gives up.
        """

        def probe() -> bool | None:
            tasks = self.cluster.rest.tasks(self.id)
            newest = max((task.attempt for task in tasks), default=0)
            return (newest > self.restarts_seen and all(task.status in ("RUNNING", "FINISHED") for task in tasks)) or None

        self._until(probe, "the job has restarted, and all tasks run")

    def wait_for_checkpoint(self, count: int = 1) -> Checkpoint:
        """Wait for checkpoints that begin after this call, and return the last of them.

        Args:
            count: How many must be completed.
        """
        self.wait_until_running()
        begun = max((checkpoint.id for checkpoint in self.checkpoints()), default=0)

        def probe() -> Checkpoint | None:
            completed = [each for each in self.checkpoints() if each.id > begun and each.status == "COMPLETED" and not each.is_savepoint]
            return completed[count - 1] if len(completed) >= count else None

        return self._until(probe, f"{count} more checkpoints are completed")

    def wait_until_processed(self) -> None:
        """Wait until the job has read all that was produced, and a checkpoint has confirmed it.

        Raises:
            ClusterError: When the job does not get on.
        """
        self.wait_until_running()
        # What a task has read shows for a moment after it has failed, and the next checkpoint may be one of the attempt that has not
        # read it again yet: only a checkpoint between two looks at the same attempt counts, and the first such look may be at the past.
        known, confirmed = 0, False
        while not confirmed:
            attempt = self.restarts
            reached = self._wait_until_read()
            self.wait_for_checkpoint()
            confirmed = known == attempt == self.restarts and not self.kafka.unread(self._reached())
            known = attempt
        self._confirmed = reached

    def _reached(self) -> Offsets:
        """Return how far the job has read: what it says itself, and what a checkpoint has confirmed before."""
        said = self.kafka.read(self.cluster.rest, self.id)
        return {place: max(offset, self._confirmed.get(place, 0)) for place, offset in said.items()}

    def _wait_until_read(self) -> Offsets:
        least, since = math.inf, time.monotonic()

        def probe() -> Offsets | None:
            nonlocal least, since
            reached = self._reached()
            unread = self.kafka.unread(reached)
            least, since = (unread, time.monotonic()) if unread < least else (least, since)
            if time.monotonic() - since > _SECONDS_WITHOUT_PROGRESS:
                raise ClusterError(
                    f"The job has not got on for {_SECONDS_WITHOUT_PROGRESS} s.",
                    found=f"{least} records of its input are neither read nor committed by the consumer group {self.kafka.group}",
                    remedy="Look at the checkpoints and at the TaskManagers' logs.",
                )
            return None if unread else reached

        return self._until(probe, "the job has read its input", seconds=math.inf)

    def settle(self, checkpoints: int = 2) -> None:
        """Wait until the input is processed, and then for more checkpoints, so that what comes too late or twice is seen."""
        self.wait_until_processed()
        self.wait_for_checkpoint(checkpoints)

    def savepoint(self) -> Path:
        """Take a savepoint, in the canonical format, and return its folder; the job runs on."""
        self.wait_until_running()
        return self._containing(self.cluster.rest.savepoint(self.id, self._folder))

    def stop_with_savepoint(self, *, drain: bool = False) -> Path:
        """Stop the job with a savepoint, and return its folder.

        Args:
            drain: Let all timers and windows fire first. Such a savepoint is not for starting from.
        """
        self.wait_until_running()
        return self._containing(self.cluster.rest.stop(self.id, self._folder, drain=drain))

    def cancel(self) -> Path:
        """Cancel the job, and return its last retained checkpoint.

        Raises:
            ClusterError: When it has left none.
        """
        folder = snapshots.path(self.cluster.rest.job_manager_configuration()["execution.checkpointing.dir"]) / self.id
        completed = [each.path for each in self.checkpoints() if each.status == "COMPLETED" and each.path and not each.is_savepoint]
        self.cluster.rest.cancel(self.id)
        left = snapshots.newest(completed[-1].parent if completed else folder)
        if left is None:
            raise ClusterError(
                "The cancelled job has left no checkpoint.",
                where=str(folder),
                remedy="Set execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION, and wait for a checkpoint.",
            )
        return self._containing(left)

    def _containing(self, snapshot: Path) -> Path:
        """Remember what a snapshot contains for certain: a job that starts from it does not read it again."""
        self._contained[snapshot] = self._confirmed
        return snapshot

    def rescale(self, parallelism: int) -> Path:
        """Stop the job with a savepoint, start it from there with another parallelism, and return the savepoint's folder."""
        savepoint = self.stop_with_savepoint()
        self.start(from_snapshot=savepoint, parallelism=parallelism)
        self.wait_until_running()
        return savepoint

    def checkpoints(self) -> list[Checkpoint]:
        """Return the checkpoints and savepoints since the start of the job or its JobManager, the oldest first."""
        return self.cluster.rest.history(self.id)

    def restored(self) -> int | None:
        """Return the id of the checkpoint that the job last went on from, or None."""
        return self.cluster.rest.restored(self.id)

    def metrics(self, *names: str) -> dict[str, dict[str, float]]:
        """Return metrics by task, such as `numRecordsIn` and `numRecordsOut` (the default), added up over its subtasks."""
        return self.cluster.rest.metrics(self.id, names or ("numRecordsIn", "numRecordsOut"))

    def exceptions(self) -> list[Failure]:
        """Return the failures of the job, the newest first: root cause and Python traceback of each."""
        return self.cluster.rest.failures(self.id)

    def logs(self) -> dict[str, str]:
        """Return the logs of the cluster's processes, by file name."""
        return {file.name: file.read_text(encoding="utf-8", errors="replace") for file in sorted(self.cluster.logs.iterdir())}

    def records(self, topic: str) -> list[Record]:
        """Return the committed records of a topic; see `Kafka.records`."""
        return self.kafka.records(topic)

    def end(self) -> None:
        """Cancel the job if it is still there; the end of a test, or of a start."""
        if self._client is None:
            return
        self._client.stop()
        try:
            running = self.state not in TERMINAL
        except (ClusterError, JobFailed, submission.JobRefused):
            return  # it never came to be, or was lost with its JobManager
        if running:
            self.cluster.rest.cancel(self.id)

    def _until(self, probe: Callable[[], T | None], what: str, seconds: float = _SECONDS) -> T:
        def look() -> T | None:
            self._require_alive()
            return probe()

        return until(look, what=what, seconds=seconds, log=self.cluster.logs)

    def _require_alive(self) -> None:
        """Raise when the job has ended, or fails again and again.

        It would otherwise do so until the restart strategy gives up, however long that takes.
        """
        state, failures = self.state, self.exceptions()
        if state in TERMINAL or _is_hopeless(failures):
            reason = failures[0] if failures else Failure(f"its state is {state}")
            what = "The job fails again and again." if state not in TERMINAL else "The job has ended."
            raise reason.error(what, where=str(self.cluster.logs))


def _is_hopeless(failures: Sequence[Failure]) -> bool:
    """Say whether a job fails for the same reason again and again; the loss of one process may show several times."""
    same = list(itertools.takewhile(lambda failure: failure.root_cause == failures[0].root_cause, failures))
    return len(same) >= (_FAILURES_ALLOWED if failures and failures[0].python_traceback else _LOSSES_ALLOWED)


def _as_variables(throw: Throw) -> dict[str, str]:
    return {
        "JOBKIT_THROW_IN": throw.function,
        "JOBKIT_THROW_ON_RECORD": str(throw.on_record),
        "JOBKIT_THROW_TIMES": "" if throw.times is None else str(throw.times),
        "JOBKIT_THROW_MARKS": str(throw.marks),
    }
