"""A client of Flink's REST interface: what local runs and tests ask of a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from ..errors import ClusterError, JobFailed
from . import failure, snapshots
from .waiting import until

_TIMEOUT_SECONDS = 30
_SECONDS_FOR_SAVEPOINT = 300

TERMINAL = frozenset({"FINISHED", "FAILED", "CANCELED", "SUSPENDED"})
"""The states that a job does not leave, on a cluster without high availability."""


class RestClient:
    """Asks one JobManager.

    Attributes:
        url: Its address, that of the web UI too.
    """

    def __init__(self, url: str) -> None:
        """Take the address, as `http://host:port`."""
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy for the outside world must not come between

    def overview(self) -> dict[str, Any]:
        """Return the cluster's TaskManagers, slots and jobs, as numbers."""
        return self._get("/overview")

    def job_manager_configuration(self) -> dict[str, str]:
        """Return the configuration that the JobManager works with."""
        entries: Any = self._get("/jobmanager/config")
        return {entry["key"]: entry["value"] for entry in entries}

    def jobs(self) -> dict[str, str]:
        """Return the ids of all jobs with their states."""
        return {job["id"]: job["status"] for job in self._get("/jobs")["jobs"]}

    def job(self, job: str) -> dict[str, Any]:
        """Return the details of a job: state, operators and the number of their tasks in each state."""
        return self._get(f"/jobs/{job}")

    def state(self, job: str) -> str:
        """Return a job's state, such as `RUNNING`."""
        return str(self.job(job)["state"])

    def is_running(self, job: str) -> bool:
        """Say whether all tasks of a job run."""
        details = self.job(job)
        tasks = [vertex["status"] for vertex in details["vertices"]]
        return details["state"] == "RUNNING" and all(status in ("RUNNING", "FINISHED") for status in tasks)

    def failures(self, job: str) -> list[failure.Failure]:
        """Return the failures of a job, the newest first."""
        history = self._get(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        return [failure.read(entry["stacktrace"]) for entry in history]

    def checkpoints(self, job: str) -> int:
        """Return how many checkpoints of a job were completed since it started."""
        return int(self._get(f"/jobs/{job}/checkpoints")["counts"]["completed"])

    def cancel(self, job: str, seconds: float = 60) -> None:
        """Cancel a job, and wait until it has ended."""
        self._call("PATCH", f"/jobs/{job}?mode=cancel")
        until(lambda: self.state(job) in TERMINAL or None, what=f"the job {job} has ended", seconds=seconds)

    def stop(self, job: str, folder: Path, *, drain: bool) -> Path:
        """Stop a job with a savepoint, wait until it has finished, and return the savepoint's folder.

        Args:
            job: The job's id.
            folder: Where the savepoint goes.
            drain: Send the highest watermark first, so that all timers and windows fire. Such a savepoint is not for resuming.

        Raises:
            JobFailed: When the savepoint fails.
        """
        order = {"targetDirectory": snapshots.address(folder), "drain": drain}
        trigger = self._call("POST", f"/jobs/{job}/stop", order)["request-id"]

        def probe() -> dict[str, Any] | None:
            answer = self._get(f"/jobs/{job}/savepoints/{trigger}")
            return answer["operation"] if answer["status"]["id"] == "COMPLETED" else None

        operation = until(probe, what=f"the job {job} has stopped with a savepoint", seconds=_SECONDS_FOR_SAVEPOINT)
        if "failure-cause" in operation:
            found = failure.read(operation["failure-cause"].get("stack-trace", ""))
            raise JobFailed(
                "The job could not be stopped with a savepoint.", root_cause=found.root_cause, python_traceback=found.python_traceback
            )
        until(lambda: self.state(job) in TERMINAL or None, what=f"the job {job} has finished", seconds=_SECONDS_FOR_SAVEPOINT)
        return snapshots.path(operation["location"])

    def _get(self, path: str) -> dict[str, Any]:
        return self._call("GET", path)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self.url + path, json=body, timeout=_TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise ClusterError("The JobManager does not answer.", where=self.url) from error
        if not answer.ok:
            raise ClusterError("The JobManager refused a request.", found=_reason(answer), where=f"{method} {self.url}{path}")
        result: dict[str, Any] = answer.json() if answer.content else {}
        return result


def _reason(answer: requests.Response) -> str:
    try:
        errors = answer.json()["errors"]
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason}"
    return failure.read("\n".join(map(str, errors))).root_cause
