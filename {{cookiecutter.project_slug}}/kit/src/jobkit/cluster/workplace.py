"""The folder of a project's local run: what is kept in it, and who may use it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ClusterError, ConfigurationError
from ..project import Project
from . import exclusion, snapshots
from .broker import is_formatted
from .processes import has_ended
from .waiting import until

_SECONDS_FOR_LEFTOVERS = 120


class Workplace:
    """A folder in a project's `.jobkit`, such as `run`: one run at a time.

    Attributes:
        root: The folder.
        logs: The logs of all processes.
        temporary: Temporary files of all processes; removed at the end.
        broker: The broker's data: a resumed run goes on with it.
        checkpoints: The job's checkpoints, retained ones too.
        drained: Savepoints that were taken while draining: not for resuming.
    """

    def __init__(self, project: Project, name: str = "run") -> None:
        """Name the folders; nothing is made."""
        self._lock = project.work / f"{name}.lock"
        self.root = project.work / name
        self.logs = self.root / "logs"
        self.temporary = self.root / "tmp"
        self.broker = self.root / "kafka"
        self.checkpoints = self.root / "checkpoints"
        self.savepoints = self.root / "savepoints"
        self.drained = self.root / "drained"

    @property
    def configuration(self) -> dict[str, str]:
        """The keys of a local run that name folders of the project, which conf/ cannot know."""
        return {
            "execution.checkpointing.dir": snapshots.address(self.checkpoints),
            "execution.checkpointing.savepoint-dir": snapshots.address(self.savepoints),
        }

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Keep others out; give the lock's file descriptor, for child processes to hold as well.

        The kernel frees the lock when the last process that holds it is gone. After a run that was killed, this waits
        for what its watchdogs are still ending.

        Raises:
            ClusterError: When another run is up.
        """
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+") as file:
            until(lambda: _take(file.fileno(), self._lock), what="the last run's processes have ended", seconds=_SECONDS_FOR_LEFTOVERS)
            self._lock.write_text(str(os.getpid()))
            yield file.fileno()

    def clear(self, *, resuming: bool) -> None:
        """Remove what the last run left; keep the snapshots and the broker's data for a run that resumes from them."""
        keep = {self.broker, self.checkpoints, self.savepoints, self.drained} if resuming else set()
        for entry in self.root.iterdir() if self.root.is_dir() else ():
            if entry in keep:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        self.logs.mkdir(parents=True, exist_ok=True)

    def require_broker_data(self) -> None:
        """Raise a ConfigurationError when there is no broker data to resume with."""
        if not is_formatted(self.broker / "data"):
            raise ConfigurationError(
                "The Kafka data that this snapshot belongs to is gone.",
                found="no broker data",
                where=str(self.broker / "data"),
                remedy="A snapshot of a local run can be resumed until the next fresh jobkit run. Start afresh with jobkit run.",
            )

    def clean(self) -> None:
        """Remove the temporary files."""
        shutil.rmtree(self.temporary, ignore_errors=True)


def _take(descriptor: int, lock: Path) -> bool | None:
    if exclusion.take(descriptor):
        return True
    holder = lock.read_text().strip()
    if holder.isdigit() and not has_ended(int(holder)):
        raise ClusterError(
            "A local run of this project is up already.",
            found=f"process {holder}",
            where=str(lock),
            remedy="Stop it with Ctrl-C first.",
        )
    return None
