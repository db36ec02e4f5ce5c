"""What a checkpoint or savepoint says about itself: its operators, their states, and how they are stored.

It is read from `_metadata`, and from the heads of the files that this names, by Flink's own classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import _flink

_PYTHON_STATE = "python-state-"
"""What PyFlink puts before the name of a state in process mode (in `BeamStateStore`); in thread mode, nothing."""


@dataclass(frozen=True)
class KeyedState:
    """A keyed state, or the timers, of an operator.

    Attributes:
        stored_as: The name under which Flink stores it. Process mode and thread mode use different ones for one state.
        kind: `value`, `list`, `map`, … as Flink stores it (PyFlink stores a value as a list of one), or `timers`.
    """

    stored_as: str
    kind: str

    @property
    def name(self) -> str:
        """The name that the job gave it."""
        return given_name(self.stored_as)


def given_name(stored_as: str) -> str:
    """Return the name that the job gave a state which Flink stores by another: keyed and broadcast states of Python operators."""
    return stored_as.removeprefix(_PYTHON_STATE)


@dataclass(frozen=True)
class OperatorState:
    """What a snapshot holds for one operator; many hold nothing and are there all the same.

    Attributes:
        id: The operator id, 32 hexadecimal digits.
        uid: The uid, which snapshots of Flink 2.0 and later name; None in older ones and for operators without.
        name: The operator's name, likewise.
        parallelism: The number of subtasks.
        max_parallelism: The maximum parallelism, which a restored operator must have too.
        bytes: The size of its state.
        checkpointed_bytes: How much of that was written anew for this snapshot.
        keyed_states: Its keyed states and timers, by name.
        operator_states: The names of its operator states, as Flink stores them: source positions, broadcast state.
        has_raw_state: Whether it has raw state, keyed or not, which Flink cannot look into.
        keyed_handles: The classes of Flink's handles to its keyed state, without package.
        shared_files: How many files of RocksDB later checkpoints may share: those of an incremental checkpoint.
        unshared_files: How many data files of RocksDB (`.sst`) belong to this snapshot alone.
    """

    id: str
    uid: str | None
    name: str | None
    parallelism: int
    max_parallelism: int
    bytes: int
    checkpointed_bytes: int
    keyed_states: tuple[KeyedState, ...]
    operator_states: tuple[str, ...]
    has_raw_state: bool
    keyed_handles: tuple[str, ...]
    shared_files: int
    unshared_files: int

    @property
    def is_incremental(self) -> bool:
        """Whether its keyed state shares files with other checkpoints.

        The handle's class does not tell: RocksDB uses the same one when incremental checkpoints are off.
        """
        return self.shared_files > 0

    @property
    def label(self) -> str:
        """What to call it in a sentence."""
        known = self.uid or self.name
        return f"“{known}” ({self.id})" if known else self.id


@dataclass(frozen=True)
class Snapshot:
    """A checkpoint or a savepoint.

    Attributes:
        path: Its address, as Flink writes it.
        checkpoint_id: Its number.
        is_savepoint: Whether it is a savepoint; None when the metadata, being older than Flink 1.15, does not tell.
        format: `canonical` or `native` for a savepoint, else None.
        operators: What it holds, by operator id.
    """

    path: str
    checkpoint_id: int
    is_savepoint: bool | None
    format: str | None
    operators: tuple[OperatorState, ...]


def read(snapshot: Path | str) -> Snapshot:
    """Read what a snapshot says about itself.

    Args:
        snapshot: Its folder, or the address of its folder on any file system that Flink knows.

    Raises:
        ConfigurationError: When there is none, or it is damaged.
    """
    found, pointer = _flink.metadata(snapshot)
    properties = found.getCheckpointProperties()
    is_savepoint = None if properties is None else bool(properties.isSavepoint())
    return Snapshot(
        path=pointer,
        checkpoint_id=found.getCheckpointId(),
        is_savepoint=is_savepoint,
        format=properties.getCheckpointType().getFormatType().name().lower() if is_savepoint else None,
        operators=tuple(sorted(operators(found.getOperatorStates()), key=lambda state: state.id)),
    )


def keyed_state(j_info: Any) -> KeyedState:
    """Return what Flink's `StateMetaInfoSnapshot` says."""
    options = j_info.getOptionsImmutable()
    is_queue = j_info.getBackendStateType().name() == "PRIORITY_QUEUE"
    return KeyedState(j_info.getName(), "timers" if is_queue else str(options.get("KEYED_STATE_TYPE")).lower())


def operators(j_states: Any) -> list[OperatorState]:
    """Return what a Java collection of Flink's own `OperatorState`s says, in its order.

    Raises:
        ConfigurationError: When a file that one of them names is missing or damaged.
    """
    return [_operator(told) for told in _flink.described(j_states)]


def _operator(told: Mapping[str, Any]) -> OperatorState:
    keyed = [KeyedState(name, "timers" if kind is None else kind.lower()) for name, kind in told["keyedStates"]]
    return OperatorState(
        id=told["id"],
        uid=told["uid"] or None,
        name=told["name"] or None,
        parallelism=told["parallelism"],
        max_parallelism=told["maxParallelism"],
        bytes=told["bytes"],
        checkpointed_bytes=told["checkpointedBytes"],
        keyed_states=tuple(sorted(keyed, key=lambda state: state.stored_as)),
        operator_states=tuple(sorted(told["operatorStates"])),
        has_raw_state=told["raw"],
        keyed_handles=tuple(sorted(told["handles"])),
        shared_files=told["sharedFiles"],
        unshared_files=told["unsharedFiles"],
    )
