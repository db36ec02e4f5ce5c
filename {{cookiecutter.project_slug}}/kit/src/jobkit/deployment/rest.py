"""What the life of a deployed job asks of a JobManager, in a way that can be asked again after a crash."""

from __future__ import annotations

import contextlib
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

    def begin_stop(self, job: str, folder: str, trigger: str) -> None:
        """Begin to stop a job with a savepoint; windows and timers do not fire.

        Args:
            job: The job's id.
            folder: The address of the folder that the savepoint goes to.
            trigger: The id of the order.
        """
        self._call("POST", f"/jobs/{job}/stop", {"targetDirectory": folder, "drain": False, "triggerId": trigger})

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

    def logs(self) -> dict[str, str]:
        """Return the paths of the log files of all processes of the cluster, by a name that says whose they are."""
        found = {f"jobmanager/{name}": f"/jobmanager/logs/{name}" for name in self._files("/jobmanager/logs")}
        for manager in self.task_managers():
            path = f"/taskmanagers/{manager['id']}/logs"
            found |= {f"{manager['id']}/{name}": f"{path}/{name}" for name in self._files(path)}
        return found

    def text(self, path: str) -> str:
        """Return a file that the JobManager serves."""
        return self._request("GET", path).text

    def _is_highly_available(self) -> bool:
        """Say whether the cluster is configured so that a suspended job goes on."""
        known = self.job_manager_configuration()
        return known.get("high-availability.type", known.get("high-availability", "NONE")).upper() != "NONE"

    def _files(self, path: str) -> list[str]:
        return [str(entry["name"]) for entry in self._get(path)["logs"] if entry["size"]]


def _is_address(entry: dict[str, Any]) -> bool:
    """Whether an entry says where it is: `<checkpoint-not-externally-addressable>` does not."""
    return bool(entry.get("external_path")) and not str(entry["external_path"]).startswith("<")


def _plain(address: str) -> str:
    scheme, colon, rest = address.partition(":")
    return f"{scheme}:/{rest.lstrip('/')}" if colon else address
