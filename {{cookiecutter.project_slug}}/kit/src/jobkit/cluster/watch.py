"""The job of a local run, watched from its submission on: what goes wrong is raised as soon as it has."""

from __future__ import annotations

from collections.abc import Sequence

from . import submission
from .failure import Failure
from .flink import FlinkCluster
from .place import Member
from .rest import TERMINAL

_FAILURES_ALLOWED = 3


class Watch:
    """Looks after one job, the client that submits it and the processes that it needs.

    Attributes:
        job: The job's id, once the client has submitted it.
        is_running: Whether all its tasks have run at once.
    """

    def __init__(self, cluster: FlinkCluster, client: Member, processes: Sequence[Member]) -> None:
        """Watch a submission.

        Args:
            cluster: Where the job is submitted to.
            client: The process of `flink run`.
            processes: All processes of the run, the client may be among them.
        """
        self._cluster, self._client = cluster, client
        self._processes = [process for process in processes if process is not client]
        self.job: str | None = None
        self.is_running = False

    def check(self) -> None:
        """Look once.

        Raises:
            JobRefused: When the job's own process did not submit it.
            JobFailed: When it cannot be submitted or has failed.
            ClusterError: When a process has stopped that should run.
        """
        for process in self._processes:
            process.require_running()
        if self.job is None:
            self.job = submission.job_id(self._client)
        if self.job is not None:
            self._require_alive(self.job)
            self.is_running = self.is_running or self._cluster.rest.is_running(self.job)

    def running_job(self) -> str | None:
        """Look once, and return the job's id when it has run with all its tasks."""
        self.check()
        return self.job if self.is_running else None

    def _require_alive(self, job: str) -> None:
        """Raise when the job has ended, has failed in Python, or fails again and again.

        A job with a restart strategy that never gives up would otherwise go on failing unseen.
        """
        state, failures = self._cluster.rest.state(job), self._cluster.rest.failures(job)
        is_hopeless = any(failure.python_traceback for failure in failures) or len(failures) >= _FAILURES_ALLOWED
        if state in TERMINAL or is_hopeless:
            reason = failures[0] if failures else Failure(f"its state is {state}")
            raise reason.error("The job failed.", where=str(self._cluster.logs))
