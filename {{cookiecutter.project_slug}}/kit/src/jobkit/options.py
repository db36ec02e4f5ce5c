"""What a job's configuration says about state and checkpoints, as Flink's own option classes read it.

Flink resolves old keys, units and defaults, and what the code set through CheckpointConfig or set_state_backend; this
module only asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from py4j.java_gateway import get_java_class
from py4j.protocol import Py4JError, Py4JJavaError
from pyflink.java_gateway import get_gateway

from .errors import ConfigurationError

_OPTIONS = {
    "state.backend.type": "StateBackendOptions.STATE_BACKEND",
    "execution.checkpointing.incremental": "CheckpointingOptions.INCREMENTAL_CHECKPOINTS",
    "execution.checkpointing.interval": "CheckpointingOptions.CHECKPOINTING_INTERVAL",
    "execution.checkpointing.mode": "CheckpointingOptions.CHECKPOINTING_CONSISTENCY_MODE",
    "execution.checkpointing.min-pause": "CheckpointingOptions.MIN_PAUSE_BETWEEN_CHECKPOINTS",
    "execution.checkpointing.timeout": "CheckpointingOptions.CHECKPOINTING_TIMEOUT",
    "execution.checkpointing.externalized-checkpoint-retention": "CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION",
    "execution.checkpointing.storage": "CheckpointingOptions.CHECKPOINT_STORAGE",
    "execution.checkpointing.dir": "CheckpointingOptions.CHECKPOINTS_DIRECTORY",
    "execution.checkpointing.savepoint-dir": "CheckpointingOptions.SAVEPOINT_DIRECTORY",
    "execution.state-recovery.path": "StateRecoveryOptions.SAVEPOINT_PATH",
}

Value = str | int | bool | None
"""A text, a number (of milliseconds when Flink means a duration), a switch, or None."""


@dataclass(frozen=True)
class Setting:
    """The value of one option.

    Attributes:
        key: The option's key in Flink 2.
        value: What was set, under this key or one that it replaced; None when nothing was.
        default: What Flink takes when nothing was set.
    """

    key: str
    value: Value
    default: Value

    @property
    def effective(self) -> Value:
        """What Flink goes by."""
        return self.default if self.value is None else self.value


def read(j_configuration: Any, j_stream_graph: Any) -> dict[str, Setting]:
    """Return the settings that the guardrails judge, by their key in Flink 2.

    Args:
        j_configuration: The environment's `org.apache.flink.configuration.Configuration`.
        j_stream_graph: The job's stream graph, which knows what the code set as objects (Flink 1).

    Raises:
        ConfigurationError: When Flink cannot read a value.
    """
    settings = {key: _setting(j_configuration, key, place) for key, place in _OPTIONS.items()}
    for key, value in _objects(j_configuration, j_stream_graph).items():
        settings[key] = Setting(key, value, settings[key].default)
    return settings


def is_batch(j_stream_graph: Any) -> bool:
    """Return whether Flink will run the job in batch mode, which takes no checkpoints."""
    return bool(j_stream_graph.getJobType().name() == "BATCH")


def _setting(j_configuration: Any, key: str, place: str) -> Setting:
    holder, name = place.split(".")
    option = getattr(getattr(get_gateway().jvm.org.apache.flink.configuration, holder), name)
    try:
        value = j_configuration.getOptional(option).orElse(None)
    except Py4JJavaError as error:
        found = j_configuration.toMap().get(key)
        raise ConfigurationError(f"Flink cannot read the value of {key}.", found=found, where=key) from error
    return Setting(key, _value(value), _value(option.defaultValue()))


def _value(value: Any) -> Value:
    if value is None or isinstance(value, (str, int, bool)):
        return value
    if get_java_class(get_gateway().jvm.java.time.Duration).isInstance(value):
        return int(value.toMillis())
    return str(value.toString())


def _objects(j_configuration: Any, j_stream_graph: Any) -> dict[str, Value]:
    """Return what the code set as objects rather than keys; it goes before the configuration."""
    found: dict[str, Value] = {}
    backend = j_stream_graph.getStateBackend()
    if backend is not None:
        name = backend.getClass().getSimpleName()
        found["state.backend.type"] = "rocksdb" if name == "EmbeddedRocksDBStateBackend" else name
        if name == "EmbeddedRocksDBStateBackend":
            configured = backend.configure(j_configuration, backend.getClass().getClassLoader())
            found["execution.checkpointing.incremental"] = bool(configured.isIncrementalCheckpointsEnabled())
    try:
        storage = j_stream_graph.getCheckpointStorage()
    except Py4JError:  # Flink 2 has only the key
        return found
    if storage is not None and storage.getClass().getSimpleName() == "JobManagerCheckpointStorage":
        found["execution.checkpointing.storage"] = "jobmanager"
    return found
