"""Faults, each as one call: it has really happened when the call returns, and is undone at the end of the test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..cluster import snapshots
from ..cluster.place import Member
from ..cluster.processes import has_ended
from ..cluster.waiting import until
from ..errors import ClusterError, ConfigurationError
from .backends import KafkaBroker
from .job import Job, Throw

__tracebackhide__ = True  # pytest shows the test's own lines; --full-trace shows these, too
_SECONDS = 180


@dataclass(frozen=True)
class Killed:
    """A member of a cluster that was killed.

    Attributes:
        name: What it was called.
        pid: Its process id on this machine; there is no such process any more.
    """

    name: str
    pid: int


class Disk:
    """A small file system of its own, to be filled.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        """Take the folder that it is mounted on."""
        self.path = path
        self._filler = path / "filler"

    @property
    def address(self) -> str:
        """What `execution.checkpointing.dir` must be for checkpoints to go there."""
        return snapshots.address(self.path / "checkpoints")

    def fill(self) -> None:
        """Leave not a byte free."""
        with self._filler.open("wb", buffering=0) as filler:
            for size in (1 << 16, 1 << 12, 1):
                block = b"\0" * size
                while _writes(filler.write, block):
                    pass
        if shutil.disk_usage(self.path).free:
            raise ClusterError(
                "The disk could not be filled.", found=f"{shutil.disk_usage(self.path).free} bytes free", where=str(self.path)
            )

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)


class Faults:
    """Lets things go wrong for one job.

    Attributes:
        broker: The job's broker.
    """

    def __init__(self, job: Job, broker: KafkaBroker, folder: Path) -> None:
        """Take what can fail.

        Args:
            job: The job; its cluster's members are those that fail.
            broker: Its broker.
            folder: For small disks and marks, of this test alone.
        """
        self.broker = broker
        self._job, self._folder = job, folder
        self._undo: list[Callable[[], None]] = []
        self._count = 0

    def kill_task_manager(self, *, replace: bool = True) -> Killed:
        """Kill a TaskManager that runs tasks of the job: SIGKILL.

        Args:
            replace: Start another one, as a platform would.
        """
        self._job.expect_restart()
        return self._kill_task_manager(self._task_manager(), replace=replace)

    def kill_task_manager_during_checkpoint(self) -> Killed:
        """Kill a TaskManager while a checkpoint is under way that cannot be completed without it.

        It is paused first, so that the checkpoint waits for it for certain.
        """
        self._job.expect_restart()
        victim = self._task_manager()
        before = {checkpoint.id for checkpoint in self._job.checkpoints() if checkpoint.status != "IN_PROGRESS"}
        victim.pause()
        self._job.cluster.rest.trigger_checkpoint(self._job.id)

        def under_way() -> int | None:
            return next((each.id for each in self._job.checkpoints() if each.status == "IN_PROGRESS" and each.id not in before), None)

        pending = until(under_way, what="a checkpoint is under way", seconds=_SECONDS)
        killed = self._kill_task_manager(victim, replace=True)

        def failed() -> bool | None:
            return any(each.id == pending and each.status == "FAILED" for each in self._job.checkpoints()) or None

        until(failed, what=f"checkpoint {pending} has failed", seconds=_SECONDS)
        return killed

    def kill_task_manager_during_recovery(self) -> tuple[Killed, Killed]:
        """Kill a TaskManager, and another one while the job is being restored from its checkpoint."""
        first = self.kill_task_manager()

        def recovering() -> Member | None:
            tasks = self._job.cluster.rest.tasks(self._job.id)
            hosts = [task.task_manager for task in tasks if task.attempt > self._job.restarts_seen and task.status != "RUNNING"]
            return next((each for each in self._job.cluster.running_task_managers if _id(each) in hosts), None)

        victim = until(recovering, what="tasks are being restored", seconds=_SECONDS, interval=0.02)
        self._job.expect_restart()
        return first, self._kill_task_manager(victim, replace=True)

    def kill_job_manager(self) -> Killed:
        """Kill the JobManager, and start another one; with high availability it takes up the job, without it the job is lost."""
        cluster = self._job.cluster
        if cluster.job_manager is None:
            raise ClusterError("The JobManager was not started.")
        killed = _kill(cluster.job_manager)
        cluster.replace_job_manager()
        return killed

    def pause_task_manager(self) -> str:
        """Stop a TaskManager where it is (SIGSTOP) until the JobManager has missed its heartbeats; then let it go on.

        Returns:
            Its name.
        """
        self._job.expect_restart()
        victim = self._task_manager()
        victim.pause()
        self._undo.append(lambda: victim.resume() if victim.exit_code is None else None)
        known = f"eartbeat of TaskManager with id {_id(victim)} timed out"

        def missed() -> bool | None:
            return any(known in text for name, text in self._job.logs().items() if "jobmanager" in name) or None

        until(missed, what=f"the JobManager has missed {_id(victim)}", seconds=_SECONDS, interval=0.3)
        victim.resume()
        self._undo.pop()
        return _id(victim)

    def restart_broker(self) -> None:
        """Kill the broker, and start it again with what it has written."""
        with self._job.kafka.apart():
            self.broker.restart()

    @contextmanager
    def broker_unreachable(self) -> Iterator[None]:
        """Cut the job off from the broker; tests still reach it."""
        self.broker.disconnect()
        self._undo.append(self.broker.connect)
        yield
        self._undo.pop()()

    def small_disk(self, megabytes: int = 16) -> Disk:
        """Make a file system of its own, for the checkpoints of a job that is told so; see `Disk.address`.

        Raises:
            ConfigurationError: When this user may not mount one.
        """
        path = self._own("disk")
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "jobkit", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise ConfigurationError(
                "A small file system needs root.", found=done.stderr.strip(), remedy="Run this test as root, on Linux."
            )
        self._undo.append(lambda: unmount(path))
        disk = Disk(path)
        self._undo.append(disk.free)
        return disk

    def corrupt(self, snapshot: Path, file: str = "_metadata") -> Path:
        """Overwrite the middle of a snapshot's file, and return the file's path.

        Args:
            snapshot: The folder of the snapshot.
            file: Which of its files.
        """
        path = snapshot / file
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes(byte ^ 0xFF for byte in content[middle : middle + 64]) + content[middle + 64 :])
        self._undo.append(lambda: _restore(path, content))
        return path

    def throw(self, function: str, *, on_record: int, times: int | None = 1) -> Throw:
        """Make an exception for `Job.start(throw=…)`.

        Args:
            function: The name of the function class that shall throw, such as `DelaysByHour`.
            on_record: At which record of a subtask, 1 is the first.
            times: How often in all; None means each time.
        """
        return Throw(function, on_record, times, self._own("marks"))

    def throw_in_open(self, function: str, *, times: int | None = 1) -> Throw:
        """Make an exception for `Job.start(throw=…)` that `open` throws."""
        return Throw(function, 0, times, self._own("marks"))

    @staticmethod
    def thrown(throw: Throw) -> int:
        """Return how often an exception was thrown so far."""
        return len(list(throw.marks.iterdir()))

    def undo(self) -> None:
        """End all faults that are still on, and bring the cluster back to what it was."""
        while self._undo:
            self._undo.pop()()

    def _task_manager(self) -> Member:
        """Return a TaskManager that runs tasks of the job."""
        hosts = {task.task_manager for task in self._job.cluster.rest.tasks(self._job.id)}
        found = [member for member in self._job.cluster.running_task_managers if _id(member) in hosts]
        if not found:
            raise ClusterError("No TaskManager runs tasks of the job.", remedy="Call job.wait_until_running() first.")
        return found[0]

    def _kill_task_manager(self, victim: Member, *, replace: bool) -> Killed:
        killed = _kill(victim)
        if replace:
            self._job.cluster.start_task_manager()
        return killed

    def _own(self, name: str) -> Path:
        self._count += 1
        folder = self._folder / f"{name}-{self._count}"
        folder.mkdir(parents=True)
        return folder


def unmount(path: Path) -> None:
    """Remove a file system that was mounted for a test."""
    subprocess.run(["umount", "--lazy", str(path)], capture_output=True, check=True)  # noqa: S603, S607


def _id(member: Member) -> str:
    return member.name.removeprefix("the ")


def _kill(member: Member) -> Killed:
    pid = member.pid
    if pid is None:
        raise ClusterError(f"{member.name} is not running.", where=str(member.log))
    member.kill()
    if not has_ended(pid):
        raise ClusterError(f"{member.name} is still there.", found=f"process {pid}")
    return Killed(_id(member), pid)


def _writes(write: Callable[[bytes], int], block: bytes) -> bool:
    try:
        return write(block) > 0
    except OSError:
        return False


def _restore(path: Path, content: bytes) -> None:
    if path.parent.is_dir():
        path.write_bytes(content)
