"""Rules about where a running job keeps its state."""

from __future__ import annotations

from collections.abc import Iterator

from .checkpoints import CheckpointRule, shown
from .rule import Job, Violation

_ROCKSDB = ("rocksdb", "org.apache.flink.state.rocksdb.embeddedrocksdbstatebackendfactory")


class RocksdbBackend(CheckpointRule):
    """State lives in RocksDB."""

    box = "state"

    def check(self, job: Job) -> Iterator[Violation]:
        """Other state backends keep all state in memory: it is bounded by the heap, and every checkpoint writes all of it."""
        backend = job.graph.settings["state.backend.type"]
        name = str(backend.effective).lower()
        if not (name in _ROCKSDB or name.endswith("embeddedrocksdbstatebackendfactory")):
            yield Violation(f"state.backend.type is {shown(backend)}.", "Set state.backend.type: rocksdb in conf/base.yaml.")


class IncrementalCheckpoints(CheckpointRule):
    """Checkpoints are incremental."""

    def check(self, job: Job) -> Iterator[Violation]:
        """Without it every checkpoint uploads the whole state, and takes longer the more there is, until it runs into its timeout."""
        incremental = job.graph.settings["execution.checkpointing.incremental"]
        if incremental.effective is not True:
            message = f"execution.checkpointing.incremental is {shown(incremental)}."
            yield Violation(message, "Set execution.checkpointing.incremental: true in conf/base.yaml.")
