"""The check of a project's job against the snapshot that it is to start from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .. import lock as locks
from ..calls import kept
from ..cluster import snapshots as places
from ..errors import ConfigurationError
from ..filesystem import FileSystemError
from ..graph import JobGraph
from ..lock import beside
from ..project import Project
from . import compatibility, snapshots
from .compatibility import Start
from .fates import Compatibility
from .snapshots import Snapshot


def read(snapshot: str | None) -> Snapshot | None:
    """Read the snapshot that a user names; None when there is none.

    Raises:
        ConfigurationError: When there is no such snapshot, or it cannot be read.
    """
    return None if snapshot is None else snapshots.read(_named(snapshot))


@kept()
def check(project: Project, graph: JobGraph, snapshot: Snapshot | None, lock: Path | None = None) -> Compatibility:
    """Compare a job with a snapshot.

    Args:
        project: Whose job it is; its lock says what it gives up on purpose.
        graph: The job, whose states were looked for.
        snapshot: What it is to start from; None for a first start.
        lock: The lock of the job that took it; by default the one that its start has left beside its checkpoints.

    Raises:
        ConfigurationError: When there is no such lock, or it cannot be read.
    """
    kept = locks.read(project.root / locks.FILE)
    job = Start(locks.lock_of(graph), graph.tasks, kept.dropped if kept else ())
    if snapshot is None:
        return compatibility.without_snapshot(job)
    if lock is not None:
        given = locks.read(lock)
        if given is None:
            raise ConfigurationError("There is no such lock.", where=str(lock))
        return compatibility.compare(snapshot, job, given, str(lock))
    try:
        stored = _stored(snapshot, graph)
    except (FileSystemError, ConfigurationError) as error:  # what the job's own folder is on need not be reachable from here
        found = compatibility.compare(snapshot, job, None, None)
        what = f"The lock of the job that took the snapshot cannot be read: {beside.why_not(error)}."
        return replace(found, changes=(locks.Change("cautious", what, "Name the lock: --lock FILE.", proved=False), *found.changes))
    return compatibility.compare(snapshot, job, stored.lock if stored else None, stored.address if stored else None)


def _named(snapshot: str) -> Path | str:
    """Return the folder that a user names, or its address when it is not on this machine."""
    return snapshot if "://" in snapshot and not snapshot.startswith("file:") else places.path(snapshot).expanduser()


def _stored(snapshot: Snapshot, graph: JobGraph) -> beside.StoredLock | None:
    checkpoints = graph.settings["execution.checkpointing.dir"].effective
    ids = [operator.id for operator in snapshot.operators]
    return beside.find(snapshot.path, None if checkpoints is None else str(checkpoints), ids)
