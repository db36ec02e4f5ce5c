"""The job of a project as it stands, against a snapshot: what `jobkit compat` and `jobkit rehearse` ask."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .. import analysis
from ..cluster import gateway
from ..configuration import Configuration
from ..project import Project
from . import checking, filesystems
from .fates import Compatibility


def compare(
    project: Project, environment: str, configuration: Configuration, snapshot: str | None, lock: Path | None = None
) -> tuple[analysis.Analysis, Compatibility]:
    """Read a project's job, and compare it with a snapshot.

    Args:
        project: Whose job it is.
        environment: The one in which it would start.
        configuration: Of that environment.
        snapshot: The folder of a checkpoint or savepoint, or its address on any file system that Flink knows; None for a first start.
        lock: The lock of the job that took it; by default the one that its start has left beside its checkpoints.

    Returns:
        What was read of the job, and the comparison.

    Raises:
        ConfigurationError: When the job cannot be read, or the snapshot or the lock is not there or cannot be read.
    """
    plugins = filesystems.fetch(project, snapshot)
    analysis.prepare(project, plugins=plugins)
    gateway.start()
    if plugins is not None:
        filesystems.initialize(configuration.values)
    with ThreadPoolExecutor(1) as beside:
        found = beside.submit(checking.read, snapshot)
        read = analysis.of_project(project, environment, configuration, judged=False, meanwhile=lambda graph: graph.tasks)
        return read, checking.check(project, read.jobs[0], found.result(), lock)
