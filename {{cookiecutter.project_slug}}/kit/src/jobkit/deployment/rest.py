"""What the life of a deployed job asks of a JobManager, in a way that can be asked again after a crash."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..cluster import failure
from ..cluster.http import NoAnswer, NotFound
from ..cluster.rest import TERMINAL, RestClient, Savepoint
from ..errors import ClusterError

_SUSPENDED = "SUSPENDED"


class Deployed(RestClient):
    """A client whose orders have ids of the caller's: given twice, they are carried out once."""

    seconds_for_savepoint = 900

    def known_state(self, job: str) -> str | None:
        """Return a job's state, or None when the JobManager does not know the job.

        Raises:
            NoAnswer: When it does not answer, or has lost its leadership with high availability: the next leader goes on with the job.
        """
        try:
            state = self.state(job)
        except NotFound:
            return None
        if state == _SUSPENDED and self._is_highly_available():
            raise NoAnswer("The job is suspended until a JobManager leads again.", found=state, where=self.url)
        return state

    def begin_stop(self, job: str, folder: str, trigger: str, *, is_native: bool = False) -> None:
        """Begin to stop a job with a savepoint; windows and timers do not fire.

        Args:
            job: The job's id.
            folder: The address of the folder that the savepoint goes to.
            trigger: The id of the order.
            is_native: Whether the savepoint has the state backend's own format.
        """
        self._call("POST", f"/jobs/{job}/stop", {"targetDirectory": folder, "drain": False, "triggerId": trigger, **_format(is_native)})

    def begin_savepoint(self, job: str, folder: str, trigger: str, *, is_native: bool = False) -> None:
        """Begin a savepoint of a job that runs on; see `begin_stop`."""
        self._call("POST", f"/jobs/{job}/savepoints", {"target-directory": folder, "triggerId": trigger, **_format(is_native)})

    def under_way(self, job: str) -> dict[str, Any] | None:
        """Return the newest checkpoint or savepoint that is not complete, as the JobManager describes it, or None."""
        history: list[dict[str, Any]] = self._get(f"/jobs/{job}/checkpoints")["history"]
        found = [entry for entry in history if entry["status"] == "IN_PROGRESS"]
        return max(found, key=lambda entry: int(entry["id"]), default=None)

    def slots(self, job: str) -> int:
        """Return how many slots a job takes, as far as its operators share them: as many as its most parallel one has tasks."""
        return max((int(vertex["parallelism"]) for vertex in self.job(job)["vertices"]), default=0)

    def running_tasks(self, job: str) -> tuple[int, int]:
        """Return how many of a job's tasks run, or are done, and how many it has."""
        counts: dict[str, int] = {}
        for vertex in self.job(job)["vertices"]:
            for state, count in vertex["tasks"].items():
                counts[state] = counts.get(state, 0) + int(count)
        return counts.get("RUNNING", 0) + counts.get("FINISHED", 0), sum(counts.values())

    def newest_snapshot(self, job: str) -> str | None:
        """Return the address of the newest completed checkpoint or savepoint that a JobManager remembers of a job, or None."""
        latest = self._get(f"/jobs/{job}/checkpoints")["latest"]
        found = [latest[kind] for kind in ("completed", "savepoint", "restored") if latest.get(kind)]
        newest = max((entry for entry in found if _is_address(entry)), key=lambda entry: int(entry["id"]), default=None)
        return str(newest["external_path"]) if newest else None

    def last_savepoint(self, job: str, below: str) -> str | None:
        """Return the address of the last savepoint of a job, if it lies below a folder."""
        entry = self._get(f"/jobs/{job}/checkpoints")["latest"].get("savepoint")
        address = str(entry["external_path"]) if entry and _is_address(entry) else None
        return address if address and _plain(address).startswith(_plain(below)) else None

    def begin_cancel(self, job: str) -> None:
        """Cancel a job, and do not wait; one that has just ended, or is being cancelled, is refused by Flink, which is no error."""
        with contextlib.suppress(ClusterError):
            self._call("PATCH", f"/jobs/{job}?mode=cancel")

    def clock(self, job: str) -> int:
        """Return the time of the JobManager, in milliseconds since 1970."""
        return int(self.job(job)["now"])

    def names(self) -> dict[str, str]:
        """Return the names of the jobs that are not over, by id."""
        return {job["jid"]: str(job["name"]) for job in self._get("/jobs/overview")["jobs"] if job["state"] not in TERMINAL}

    def dispose(self, savepoint: str) -> str:
        """Begin to remove a savepoint and all of its files; return the order's id."""
        return str(self._call("POST", "/savepoint-disposal", {"savepoint-path": savepoint})["request-id"])

    def disposed(self, savepoint: str, order: str) -> Savepoint | None:
        """Return what became of an order to remove a savepoint; None while it is carried out."""
        answer = self._get(f"/savepoint-disposal/{order}")
        if answer["status"]["id"] != "COMPLETED":
            return None
        cause = answer.get("operation", {}).get("failure-cause")
        return Savepoint(savepoint, failure.read(cause.get("stack-trace", "")) if cause else None)

    def log_folders(self) -> dict[str, str]:
        """Return where each process of the cluster serves its log files, by a name of the process."""
        managers = {str(manager["id"]): f"/taskmanagers/{manager['id']}/logs" for manager in self.task_managers()}
        return {"jobmanager": "/jobmanager/logs", **dict(sorted(managers.items()))}

    def log_files(self, folder: str) -> list[str]:
        """Return the names of the log files that a process serves, without empty ones."""
        return sorted(str(entry["name"]) for entry in self._get(folder)["logs"] if entry["size"])

    def log_lines(self, path: str) -> Iterator[str]:
        """Yield the lines of a log file as they arrive."""
        return self._lines(path)

    def _is_highly_available(self) -> bool:
        """Say whether the cluster is configured so that a suspended job goes on."""
        known = self.job_manager_configuration()
        return known.get("high-availability.type", known.get("high-availability", "NONE")).upper() != "NONE"


def _format(is_native: bool) -> dict[str, str]:  # noqa: FBT001
    return {"formatType": "NATIVE"} if is_native else {}


def _is_address(entry: dict[str, Any]) -> bool:
    """Whether an entry says where it is: `<checkpoint-not-externally-addressable>` does not."""
    return bool(entry.get("external_path")) and not str(entry["external_path"]).startswith("<")


def _plain(address: str) -> str:
    scheme, colon, rest = address.partition(":")
    return f"{scheme}:/{rest.lstrip('/')}" if colon else address
