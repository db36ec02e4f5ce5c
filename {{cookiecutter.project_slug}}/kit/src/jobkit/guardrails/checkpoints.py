"""Rules about checkpoints: that there are any, that they are exactly once, and that they outlive the job."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from urllib.parse import urlparse

from ..options import Setting
from .rule import Job, Rule, Violation

_LOCAL_SCHEMES = ("file", "local")
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - what is refused
_OBJECT_STORES = ("s3", "s3a", "s3n", "s3p", "gs", "oss", "abfs", "abfss", "wasb", "wasbs")


class CheckpointRule(Rule):
    """A rule that a job in batch mode, which takes no checkpoints, is not held to."""

    box = "checkpoints"

    def not_applicable(self, job: Job) -> str | None:
        """Return why the rule does not apply to a batch job."""
        return "The job runs in batch mode, which takes no checkpoints." if job.graph.batch else None


class CheckpointInterval(CheckpointRule):
    """Checkpoints are taken."""

    def check(self, job: Job) -> Iterator[Violation]:
        """Without checkpoints a failure loses all state, and Flink does not even restart the job."""
        interval = job.graph.settings["execution.checkpointing.interval"]
        if not interval.value:
            message = f"execution.checkpointing.interval is {shown(interval)}: checkpointing is off."
            yield Violation(message, "Set execution.checkpointing.interval: 30 s in conf/base.yaml.")


class ExactlyOnce(CheckpointRule):
    """Checkpoints are exactly once."""

    def check(self, job: Job) -> Iterator[Violation]:
        """With at-least-once checkpoints, records are counted again after each restart."""
        mode = job.graph.settings["execution.checkpointing.mode"]
        if str(mode.effective).upper() != "EXACTLY_ONCE":
            yield Violation(
                f"execution.checkpointing.mode is {shown(mode)}.", "Set execution.checkpointing.mode: EXACTLY_ONCE in conf/base.yaml."
            )


class CheckpointPause(CheckpointRule):
    """There is a pause between checkpoints."""

    def check(self, job: Job) -> Iterator[Violation]:
        """When checkpoints take longer than their interval, a job without a pause does nothing but checkpoints."""
        pause = job.graph.settings["execution.checkpointing.min-pause"]
        if not pause.value:
            message = f"execution.checkpointing.min-pause is {shown(pause)}."
            yield Violation(message, "Set execution.checkpointing.min-pause: 10 s in conf/base.yaml.")


class CheckpointTimeout(CheckpointRule):
    """The time that a checkpoint may take is set."""

    def check(self, job: Job) -> Iterator[Violation]:
        """It bounds how long the job goes on without a new checkpoint, and with it how much is done again and how long Kafka's transactions stay open: a decision, not a default."""
        timeout = job.graph.settings["execution.checkpointing.timeout"]
        if not timeout.value:
            message = f"execution.checkpointing.timeout is {shown(timeout)}."
            yield Violation(message, "Set execution.checkpointing.timeout: 10 min in conf/base.yaml.")


class RetainedCheckpoints(CheckpointRule):
    """The last checkpoint is kept when the job is cancelled."""

    def check(self, job: Job) -> Iterator[Violation]:
        """By default Flink deletes every checkpoint when the job is cancelled or fails for good: there is nothing left to start from."""
        key = "execution.checkpointing.externalized-checkpoint-retention"
        retention = job.graph.settings[key]
        if str(retention.effective).upper() != "RETAIN_ON_CANCELLATION":
            yield Violation(f"{key} is {shown(retention)}.", f"Set {key}: RETAIN_ON_CANCELLATION in conf/base.yaml.")


class CheckpointDirectory(CheckpointRule):
    """Checkpoints are written to a directory that outlives the machine."""

    def check(self, job: Job) -> Iterator[Violation]:
        """Without a directory checkpoints are in the JobManager's memory; a directory of one machine is not there for the others, and is gone with it."""
        storage = job.graph.settings["execution.checkpointing.storage"]
        if storage.value is not None and str(storage.value).lower() != "filesystem":
            message = f"execution.checkpointing.storage is {shown(storage)}: checkpoints are not written to the directory."
            yield Violation(message, "Set execution.checkpointing.storage: filesystem in conf/base.yaml.")
        yield from _directory(job, "execution.checkpointing.dir", "checkpoints")


class SavepointDirectory(CheckpointRule):
    """Savepoints are written to a directory that outlives the machine."""

    def check(self, job: Job) -> Iterator[Violation]:
        """A stop with a savepoint and every upgrade need a place that is there the next time, on whatever machine."""
        yield from _directory(job, "execution.checkpointing.savepoint-dir", "savepoints")


def shown(setting: Setting) -> str:
    """Return a setting as its reader knows it."""
    if setting.value is None:
        return "not set" if setting.default is None else f"not set ({_text(setting.default)})"
    return _text(setting.value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value} ms" if isinstance(value, int) else str(value)


def _directory(job: Job, key: str, folder: str) -> Iterator[Violation]:
    setting = job.graph.settings[key]
    remedy = f"Set {key}: s3://<bucket>/{folder} (or hdfs, abfs, gs, oss) in conf/base.yaml or conf/{job.environment}.yaml."
    if not setting.value:
        yield Violation(f"{key} is {shown(setting)}.", remedy)
        return
    directory = str(setting.value)
    found = "without a scheme, which Flink refuses" if not urlparse(directory).scheme else _unsafe(directory)
    if found is not None and (job.environment != "local" or not urlparse(directory).scheme):
        yield Violation(f"{key} is {directory}, {found}.", remedy, evidence=directory)


def _unsafe(directory: str) -> str | None:
    """Return why what is written to a directory may not be there the next time, or None."""
    address = urlparse(directory)
    path = posixpath.normpath("/" + address.path.lstrip("/"))
    if address.scheme not in _OBJECT_STORES and any(path == folder or path.startswith(folder + "/") for folder in _TEMPORARY):
        return "a temporary directory"
    return "a local directory" if address.scheme in _LOCAL_SCHEMES else None
