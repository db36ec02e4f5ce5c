"""The locks of jobs that were started, beside their checkpoints: which one a snapshot was taken under.

A start writes `<execution.checkpointing.dir>/<job id>/flink-<UTC time>.lock`, unless the newest one there says the same. A job id
can live through several versions of a job (a restart by high availability, an upgrade by the Kubernetes operator): the one of a
snapshot is the newest that is older than it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from .. import filesystem
from ..errors import ConfigurationError
from ..filesystem import FileSystemError
from .file import FILE, parse, text
from .model import Lock

_METADATA = "_metadata"
_CHECKPOINT = re.compile(r"chk-\d+")
_SAVEPOINT = re.compile(r"savepoint-([0-9a-f]{6})-[0-9a-f]+")
_NAME = re.compile(r"flink-\d{8}T\d{6}Z\.lock")
_NAMED = "flink-%Y%m%dT%H%M%SZ.lock"
"""Whole seconds, rounded down: the name is never later than the start."""


@dataclass(frozen=True)
class StoredLock:
    """A lock that was found for a snapshot, and where."""

    lock: Lock
    address: str


def store(lock: Lock, checkpoints: str, job_id: str, now: datetime | None = None) -> str:
    """Write the lock of a job that is about to start; return its address.

    Args:
        lock: The job's.
        checkpoints: `execution.checkpointing.dir`.
        job_id: The id under which the job will run.
        now: By default the time.

    Raises:
        FileSystemError: When it cannot be written.
    """
    folder, content = f"{checkpoints.rstrip('/')}/{job_id}", text(lock)
    newest = next(iter(reversed(_locks(folder))), None)
    if newest is not None and filesystem.read(f"{folder}/{newest}") == content:
        return f"{folder}/{newest}"
    address = f"{folder}/{(now or datetime.now(timezone.utc)).strftime(_NAMED)}"
    filesystem.write(address, content)
    return address


def of_savepoint(savepoint: str) -> str:
    """Return the address of the lock beside a savepoint: not in its folder, which Flink could not remove then."""
    return f"{savepoint.rstrip('/')}.lock"


def why_not(error: ConfigurationError | FileSystemError) -> str:
    """Return why `find` has found none, without what to do about it: that is the caller's to say."""
    return str(error) if isinstance(error, FileSystemError) else " ".join(filter(None, [error.what, error.found, error.where]))


def find(snapshot: str, checkpoints: str | None, operators: Collection[str] = ()) -> StoredLock | None:
    """Return the lock of the job that took a snapshot; None when there is none.

    Args:
        snapshot: The address of its folder.
        checkpoints: `execution.checkpointing.dir` of the job, where the lock of a savepoint is looked for.
        operators: The ids of the operators in the snapshot: a lock that does not have them all is another job's.

    Raises:
        FileSystemError: When a folder or a lock cannot be read.
        ConfigurationError: When what was found is no lock.
    """
    folder = snapshot.rstrip("/").removesuffix(f"/{_METADATA}")
    taken = filesystem.modified(f"{folder}/{_METADATA}")
    for address in _candidates(folder, checkpoints, taken):
        lock = parse(filesystem.read(address), address)
        if set(operators) <= {operator.id for operator in lock.operators}:
            return StoredLock(lock, address)
    return None


def _candidates(folder: str, checkpoints: str | None, taken: int) -> Iterator[str]:
    """Yield where the lock may be, the surest place first."""
    if filesystem.exists(f"{folder}/{FILE}"):
        yield f"{folder}/{FILE}"
    parent, _, name = folder.rpartition("/")
    if _is_there(of_savepoint(folder)):
        yield of_savepoint(folder)
    if _CHECKPOINT.fullmatch(name):
        yield from _under(parent, taken)
    savepoint = _SAVEPOINT.fullmatch(name)
    if savepoint is not None and checkpoints is not None:
        root = checkpoints.rstrip("/")
        for job in filesystem.names(root):
            if job.startswith(savepoint[1]):
                yield from _under(f"{root}/{job}", taken)


def _is_there(address: str) -> bool:
    try:
        return filesystem.exists(address)
    except filesystem.FileSystemError:
        return False  # a snapshot may be readable where what is around it is not


def _under(job: str, taken: int) -> Iterator[str]:
    """Yield the newest lock in the folder of a job that is not newer than a snapshot."""
    older = [name for name in _locks(job) if _milliseconds(name) <= taken]
    if older:
        yield f"{job}/{older[-1]}"


def _locks(folder: str) -> list[str]:
    return [name for name in filesystem.names(folder) if _NAME.fullmatch(name)]


def _milliseconds(name: str) -> float:
    return datetime.strptime(name, _NAMED).replace(tzinfo=timezone.utc).timestamp() * 1000
