"""A client of Flink's REST interface: what local runs and tests ask of a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from . import failure, snapshots
from .http import HttpClient
from .waiting import until

_SECONDS_FOR_SAVEPOINT = 300

TERMINAL = frozenset({"FINISHED", "FAILED", "CANCELED", "SUSPENDED"})
"""The states that a job does not leave, on a cluster without high availability."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint or savepoint, as the JobManager remembers it.

    Attributes:
        id: Counts both, for the whole life of the job.
        status: `IN_PROGRESS`, `COMPLETED` or `FAILED`.
        is_savepoint: Whether it was asked for, and is never removed by Flink.
        path: Its folder, while there is one.
        bytes: What it added to the storage.
        state_bytes: What it refers to in all, with what earlier ones have added.
        triggered: When it began, in seconds since the epoch.
        seconds: How long it took from end to end, or so far.
        failure: Why it failed, or None.
    """

    id: int
    status: str
    is_savepoint: bool
    path: Path | None
    bytes: int
    state_bytes: int
    triggered: float
    seconds: float
    failure: str | None


@dataclass(frozen=True)
class Savepoint:
    """What became of a savepoint that was ordered.

    Attributes:
        address: Its folder, when it is complete.
        failure: Why it failed, or None.
    """

    address: str | None = None
    failure: failure.Failure | None = None


@dataclass(frozen=True)
class Task:
    """One of a job's parallel tasks.

    Attributes:
        status: Such as `RUNNING`.
        attempt: How often it was started anew; the first time is 0.
        task_manager: The resource id of the TaskManager that runs it, or nothing.
    """

    status: str
    attempt: int
    task_manager: str


class RestClient(HttpClient):
    """Asks one JobManager.

    Attributes:
        seconds_for_savepoint: For how long a savepoint is waited for.
    """

    seconds_for_savepoint: float = _SECONDS_FOR_SAVEPOINT

    def overview(self) -> dict[str, Any]:
        """Return the cluster's TaskManagers, slots and jobs, as numbers."""
        return self._get("/overview")

    def job_manager_configuration(self) -> dict[str, str]:
        """Return the configuration that the JobManager works with."""
        entries = self._call("GET", "/jobmanager/config", form=list)
        return {entry["key"]: entry["value"] for entry in entries}

    def task_managers(self) -> list[dict[str, Any]]:
        """Return the TaskManagers that have registered, each with `id`, `slotsNumber` and `freeSlots`."""
        managers: list[dict[str, Any]] = self._get("/taskmanagers")["taskmanagers"]
        return managers

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

    def failures(self, job: str, since: int = 0) -> list[failure.Failure]:
        """Return the failures of a job, the newest first.

        Args:
            job: The job's id.
            since: A moment of the JobManager's clock, in milliseconds since 1970, after which they were.
        """
        history = self._get(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        return [failure.read(entry["stacktrace"]) for entry in history if int(entry["timestamp"]) >= since]

    def checkpoints(self, job: str) -> int:
        """Return how many checkpoints of a job were completed since it started."""
        return int(self._get(f"/jobs/{job}/checkpoints")["counts"]["completed"])

    def history(self, job: str) -> list[Checkpoint]:
        """Return the checkpoints and savepoints of a job since its JobManager started, the oldest first."""
        entries = [_checkpoint(entry) for entry in self._get(f"/jobs/{job}/checkpoints")["history"]]
        return sorted(entries, key=lambda checkpoint: checkpoint.id)

    def restored(self, job: str) -> int | None:
        """Return the id of the checkpoint that a job last went on from, or None."""
        latest = self._get(f"/jobs/{job}/checkpoints")["latest"]["restored"]
        return int(latest["id"]) if latest else None

    def trigger_checkpoint(self, job: str) -> None:
        """Begin a checkpoint now, and do not wait for it."""
        self._call("POST", f"/jobs/{job}/checkpoints", {})

    def tasks(self, job: str) -> list[Task]:
        """Return all tasks of a job, each in its current attempt."""
        vertices = [vertex["id"] for vertex in self.job(job)["vertices"]]
        subtasks = [subtask for vertex in vertices for subtask in self._get(f"/jobs/{job}/vertices/{vertex}")["subtasks"]]
        return [Task(subtask["status"], int(subtask["attempt"]), str(subtask.get("taskmanager-id", ""))) for subtask in subtasks]

    def metrics(self, job: str, names: Iterable[str], over_subtasks: Literal["sum", "avg"] = "sum") -> dict[str, dict[str, float]]:
        """Return metrics of a job's tasks, added up over the subtasks or their mean, by the name that the web UI shows for the task."""
        query = f"get={','.join(names)}&agg={over_subtasks}"
        vertices = {vertex["name"]: vertex["id"] for vertex in self.job(job)["vertices"]}
        answers = {
            name: self._call("GET", f"/jobs/{job}/vertices/{vertex}/subtasks/metrics?{query}", form=list)
            for name, vertex in vertices.items()
        }
        return {name: {entry["id"]: float(entry[over_subtasks]) for entry in answer} for name, answer in answers.items()}

    def largest_metrics(self, job: str, wanted: re.Pattern[str]) -> dict[str, float]:
        """Return the metrics of a job's tasks whose names match, each the largest over all subtasks that have it."""
        found: dict[str, float] = {}
        for vertex in self.job(job)["vertices"]:
            path = f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics"
            answer = self._call("GET", path, form=list)
            names = [entry["id"] for entry in answer if wanted.search(entry["id"])]
            values = self._call("GET", f"{path}?get={','.join(map(quote, names))}&agg=max", form=list) if names else []
            found |= {entry["id"]: float(entry["max"]) for entry in values}
        return found

    def cancel(self, job: str, seconds: float = 60) -> None:
        """Cancel a job, and wait until it has ended."""
        self._call("PATCH", f"/jobs/{job}?mode=cancel")
        until(lambda: self.state(job) in TERMINAL or None, what=f"the job {job} has ended", seconds=seconds)

    def savepoint(self, job: str, folder: Path) -> Path:
        """Take a savepoint in the canonical format while the job runs on, and return its folder.

        Raises:
            JobFailed: When it fails.
        """
        return snapshots.path(self.savepoint_at(job, snapshots.address(folder)))

    def savepoint_at(self, job: str, folder: str) -> str:
        """Take a savepoint in the canonical format, in a folder of any file system, while the job runs on; return its address.

        Raises:
            JobFailed: When it fails.
        """
        return self._finished_savepoint(job, f"/jobs/{job}/savepoints", {"target-directory": folder})

    def ordered_savepoint(self, job: str, order: str) -> Savepoint | None:
        """Return what became of a savepoint that was ordered; None while it is carried out.

        Raises:
            NotFound: When the JobManager does not know the order: it never came, or is forgotten (after five minutes).
        """
        answer = self._get(f"/jobs/{job}/savepoints/{order}")
        if answer["status"]["id"] != "COMPLETED":
            return None
        operation = answer["operation"]
        if "failure-cause" in operation:
            return Savepoint(failure=failure.read(operation["failure-cause"].get("stack-trace", "")))
        return Savepoint(address=str(operation["location"]))

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
        savepoint = snapshots.path(self._finished_savepoint(job, f"/jobs/{job}/stop", order))
        until(lambda: self.state(job) in TERMINAL or None, what=f"the job {job} has finished", seconds=self.seconds_for_savepoint)
        return savepoint

    def _finished_savepoint(self, job: str, path: str, order: dict[str, Any]) -> str:
        trigger = self._call("POST", path, order)["request-id"]
        what = f"a savepoint of the job {job} is complete"
        done = until(lambda: self.ordered_savepoint(job, trigger), what=what, seconds=self.seconds_for_savepoint)
        if done.failure is not None:
            raise done.failure.error("The savepoint failed.")
        return str(done.address)


def _checkpoint(entry: Mapping[str, Any]) -> Checkpoint:
    path = entry.get("external_path") or ""
    return Checkpoint(
        id=int(entry["id"]),
        status=str(entry["status"]),
        is_savepoint=bool(entry["is_savepoint"]),
        path=snapshots.path(path) if path.startswith(("file:", "/")) else None,
        bytes=int(entry.get("checkpointed_size") or 0),
        state_bytes=int(entry.get("state_size") or 0),
        triggered=entry["trigger_timestamp"] / 1000,
        seconds=entry["end_to_end_duration"] / 1000,
        failure=entry.get("failure_message"),
    )
