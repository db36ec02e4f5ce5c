"""What the runs share: one cluster, and what each start of a job has shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jobkit.cluster import java, snapshots
from jobkit.cluster.flink import FlinkCluster
from jobkit.cluster.machine import Machine

from .runs import Runs


@pytest.fixture(scope="package")
def runs(jvm: None, flink_lib: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:  # noqa: ARG001
    """The runs, on a cluster of one JobManager and one TaskManager."""
    folder = tmp_path_factory.mktemp("edits")
    configuration = {
        "execution.checkpointing.dir": snapshots.address(folder / "checkpoints"),
        "taskmanager.numberOfTaskSlots": "8",
        "taskmanager.memory.process.size": "3g",
        # A TaskManager that has crashed is soon known to be gone, and a job waits for the one that takes its place.
        "heartbeat.interval": "1000",
        "resourcemanager.standalone.start-up-time": "86400000",
        # What loads Python into the TaskManager can be loaded once.
        "classloader.parent-first-patterns.additional": "pemja.",
    }
    cluster = FlinkCluster(folder / "cluster", place=Machine(folder, library=flink_lib, java=java.find()), configuration=configuration)
    try:
        cluster.start(task_managers=1)
        yield Runs(cluster, folder)
    finally:
        cluster.stop()
