"""Wait until a job that was started has proved itself: all tasks run, and a checkpoint is complete."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

from ..cluster.failure import Failure
from ..cluster.http import NoAnswer, NotFound
from ..cluster.rest import Checkpoint
from ..cluster.waiting import InVain, until
from ..errors import ClusterError, JobFailed
from .target import Target, is_over

_FAILURES_ALLOWED = 3
"""As many times in a row a job that is just started may fail: a broker, or a TaskManager, may be away for a moment."""


_SECONDS_OF_WORK = 5.0
"""For how long it must have worked, without a failure, when the checkpoint begins: one that is taken at once proves nothing."""


_SECONDS_TO_BE_SEEN = 10
"""How long before it is first looked at a failure may have been, to count."""


class NotInTime(JobFailed):
    """A job that may run, and has completed no checkpoint in time."""


class Confirmation:
    """Watches one job from its start on."""

    def __init__(
        self, target: Target, uid: str, show: Callable[[], None] = lambda: None, failures_allowed: float = _FAILURES_ALLOWED
    ) -> None:
        """Take a job.

        Args:
            target: Where it runs.
            uid: Its id.
            show: Called again and again while it is waited for.
            failures_allowed: How often it may fail; infinity for a job that has proved itself before, and that Flink may restart.
        """
        self._show = show
        self._target, self._uid, self._failures_allowed = target, uid, failures_allowed
        self._since: float | None = None
        self._after: int | None = None
        self._begun: int | None = None

    def wait(self, seconds: float) -> str:
        """Wait for the first completed checkpoint that began when all tasks had run for five seconds, and say which it is.

        A job that has come to the end of its input by itself has proved itself, too.

        Raises:
            NotInTime: When it has none in time: then with what kept it from it. The job may run.
            JobFailed: When the job ends, or fails as often as it must not from now on.
        """
        try:
            return until(self._look, what="the job runs, and a checkpoint is complete", seconds=seconds, interval=0.3)
        except InVain as error:
            raise NotInTime(f"The job has no completed checkpoint after {seconds:.0f} s.", root_cause=self._obstacle(error)) from error

    def _look(self) -> str | None:
        self._show()
        rest = self._target.rest
        try:
            state = self._target.state(self._uid)
            if self._begun is None and state is not None:
                self._begun = rest.clock(self._uid) - _SECONDS_TO_BE_SEEN * 1000
            failures = rest.failures(self._uid, self._begun) if state is not None and self._begun is not None else []
            if state != "FINISHED" and (is_over(state) or len(failures) >= self._failures_allowed):
                reason = f"its state is {state}" if state else "the cluster does not know it any more"
                raise (failures[0] if failures else Failure(reason)).error("The job failed.")
            is_running = rest.is_running(self._uid)
            checkpoint = self._checkpoint(rest.history(self._uid)) if is_running else None
        except (NoAnswer, NotFound):
            return None  # a JobManager that is replaced; the deadline counts
        if state == "FINISHED":
            return "it has come to the end of its input"
        if not is_running:
            self._since = self._after = None
        return f"its checkpoint {checkpoint.id} is complete" if checkpoint else None

    def _checkpoint(self, history: Sequence[Checkpoint]) -> Checkpoint | None:
        """Return the checkpoint that counts, once it is complete; begin it when it is time."""
        self._since = self._since or time.monotonic()
        if self._after is None and time.monotonic() - self._since >= _SECONDS_OF_WORK:
            self._after = max((each.id for each in history), default=0)
            with contextlib.suppress(ClusterError):  # one may be under way; the next comes with the interval in any case
                self._target.rest.trigger_checkpoint(self._uid)
        after = self._after
        counting = [each for each in history if after is not None and each.id > after and not each.is_savepoint]
        return next((each for each in counting if each.status == "COMPLETED"), None)

    def _obstacle(self, error: ClusterError) -> str:
        """Say what kept the job from a checkpoint."""
        with contextlib.suppress(ClusterError):
            rest = self._target.rest
            failures = rest.failures(self._uid)
            if failures:
                return failures[0].root_cause
            failed = [each.failure for each in rest.history(self._uid) if each.failure]
            if failed:
                return f"a checkpoint failed: {failed[-1]}"
            waiting = [task.status for task in rest.tasks(self._uid) if task.status != "RUNNING"]
            if waiting:
                return f"{len(waiting)} of its tasks are not RUNNING but {', '.join(sorted(set(waiting)))}"
            return "no checkpoint is complete: they take longer, or were never begun"
        return error.what
