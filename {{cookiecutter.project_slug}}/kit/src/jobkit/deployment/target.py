"""Where instances run: what is told apart between a session cluster and an application cluster, and the folder of each instance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import platformdirs

from ..cluster import exclusion
from ..cluster.rest import TERMINAL
from ..cluster.waiting import until
from .rest import Deployed

_SECONDS_FOR_LEFTOVERS = 120


@dataclass(frozen=True)
class Start:
    """What a start of an instance takes.

    Attributes:
        uid: The instance's uid, which becomes the job's id.
        folder: The instance's folder on this machine.
        unpacked: Where its artefact is unpacked.
        package: The Python package whose `__main__` launches the job.
        configuration: Flink's keys, all of them.
        variables: All environment variables.
        parallelism: The job's.
        task_managers: How many an application cluster gets.
        snapshot: The address of what it starts from, or None.
        leaves_state_behind: Whether the snapshot holds operators that the job gives up.
    """

    uid: str
    folder: Path
    unpacked: Path
    package: str
    configuration: Mapping[str, str]
    variables: Mapping[str, str]
    parallelism: int
    task_managers: int
    snapshot: str | None
    leaves_state_behind: bool


class Target(Protocol):
    """Starts and ends instances; each call may come again after a crash.

    Attributes:
        rest: The client of the JobManager.
    """

    rest: Deployed

    def start(self, start: Start) -> None:
        """Bring an instance to where Flink knows its job; nothing happens when Flink does already.

        Raises:
            JobRefused: When the job's own process refuses to submit it.
            JobFailed: When it cannot be submitted.
            ClusterError: When there is no cluster to submit it to.
        """

    def state(self, uid: str) -> str | None:
        """Return the state of an instance's job; None when there is nothing of it.

        Raises:
            NoAnswer: When the JobManager does not answer, and may be there.
        """

    def runs_from_folder(self, uid: str) -> bool:
        """Say whether processes of an instance run from its folder."""

    def end(self, uid: str) -> None:
        """Cancel an instance's job if it is not over, and end what runs for it alone. Returns when that is done."""


def is_over(state: str | None) -> bool:
    """Say whether a job with this state has ended, or is not known at all."""
    return state is None or state in TERMINAL


def home() -> Path:
    """Return the folder of this user's ledger and instances."""
    return platformdirs.user_state_path("jobkit")


def folder_of(uid: str) -> Path:
    """Return the folder of an instance on this machine: its code, configuration and logs."""
    return home() / "instances" / uid


@contextmanager
def occupied(folder: Path) -> Iterator[int]:
    """Wait until no process of an earlier start, by a command that was killed, is left; give a descriptor for this one's to hold."""
    home().mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # its configuration has the secrets
    with (folder / "lock").open("a") as file:
        what = "the client of the interrupted start has ended"
        until(lambda: exclusion.take(file.fileno()) or None, what=what, seconds=_SECONDS_FOR_LEFTOVERS)
        yield file.fileno()
