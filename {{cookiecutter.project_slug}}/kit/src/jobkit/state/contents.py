"""What the keyed state of a savepoint holds, entry by entry, read by Flink's `FullSnapshotRestoreOperation`.

That is the class by which Flink itself restores a state backend from a savepoint of the canonical format: one format for all
backends, in which an entry is the bytes of key group, key, namespace and, in a map, the map's key; and the bytes of the value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from . import _flink, snapshots
from .snapshots import KeyedState

_READER = """
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import org.apache.flink.runtime.state.restore.KeyGroup;
import org.apache.flink.runtime.state.restore.KeyGroupEntry;
import org.apache.flink.runtime.state.restore.ThrowingIterator;

public class JobkitEntries implements java.util.function.Function {
    public Object apply(Object groups) {
        try {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            DataOutputStream output = new DataOutputStream(bytes);
            for (ThrowingIterator left = (ThrowingIterator) groups; left.hasNext();) {
                ThrowingIterator entries = ((KeyGroup) left.next()).getKeyGroupEntries();
                while (entries.hasNext()) {
                    KeyGroupEntry entry = (KeyGroupEntry) entries.next();
                    output.writeInt(entry.getKvStateId());
                    output.writeInt(entry.getKey().length);
                    output.writeInt(entry.getValue().length);
                    output.write(entry.getKey());
                    output.write(entry.getValue());
                }
                entries.close();
            }
            return bytes.toByteArray();
        } catch (Exception exception) {
            throw new RuntimeException(exception);
        }
    }
}
"""
"""Empties an iterator of key groups in the JVM: a call through the gateway for each entry would take minutes. Flink's own
compiler of generated code, which the Table API brings, compiles it."""

_HEAD = struct.Struct(">iii")
CANONICAL = "KeyGroupsSavepointStateHandle"
"""The class of Flink's handles to keyed state of the canonical format, without package."""


@dataclass(frozen=True)
class StateContents:
    """The entries of one keyed state, or of the timers, of one operator.

    Attributes:
        operator: What to call the operator in a sentence.
        state: The state.
        max_parallelism: The operator's; it decides the key groups, and with them the bytes of the keys.
        entries: The value by key, namespace and, in a map, the map's key, all as Flink stores them. A timer has an empty value.
    """

    operator: str
    state: KeyedState
    max_parallelism: int
    entries: Mapping[bytes, bytes] = field(repr=False)

    @property
    def bytes(self) -> int:
        """The size of all entries."""
        return sum(len(key) + len(value) for key, value in self.entries.items())


def contents(savepoint: Path | str) -> dict[tuple[str, str], StateContents]:
    """Read the keyed state of a savepoint: meant for tests, all of it is in memory at once.

    Args:
        savepoint: Its folder, or the folder's address.

    Returns:
        What is in each state, by operator id and the name under which Flink stores the state. States without entries too.

    Raises:
        ConfigurationError: When there is no such savepoint, it is damaged, or it is not of the canonical format.
    """
    found, pointer = _flink.metadata(savepoint)
    result: dict[tuple[str, str], StateContents] = {}
    j_states = found.getOperatorStates()
    for j_state, operator in zip(j_states.toArray(), snapshots.operators(j_states), strict=True):
        for state, entries in _states(j_state, pointer).items():
            result[operator.id, state.stored_as] = StateContents(operator.label, state, operator.max_parallelism, entries)
    return result


def _states(j_state: Any, pointer: str) -> dict[KeyedState, dict[bytes, bytes]]:
    handles = _flink.keyed_handles(j_state)
    kinds = {_flink.simple_name(handle) for handle in handles}
    if kinds - {CANONICAL}:
        raise ConfigurationError(
            "This is no savepoint of the canonical format: its entries cannot be read.",
            found=", ".join(sorted(kinds)),
            where=pointer,
            remedy="Take a savepoint, of the format CANONICAL, which is Flink's default.",
        )
    states: dict[KeyedState, dict[bytes, bytes]] = {}
    if not handles:
        return states
    reader = _flink.compiled("JobkitEntries", _READER)
    with _flink.explained(pointer):
        results = restored(handles, j_state.getMaxParallelism())
        while results.hasNext():
            result = results.next()
            infos = [snapshots.keyed_state(info) for info in result.getStateMetaInfoSnapshots().toArray()]
            for info in infos:
                states.setdefault(info, {})
            for number, key, value in _entries(bytes(reader.apply(result.getRestoredKeyGroups()))):
                states[infos[number]][key] = value
        results.close()
    return states


def restored(handles: list[Any], max_parallelism: int) -> Any:
    """Return Flink's iterator over what handles hold, one result a handle."""
    jvm = _flink.jvm()
    state = jvm.org.apache.flink.runtime.state
    provider = state.StateSerializerProvider.fromNewRegisteredSerializer(key_serializer(handles))
    every_group = state.KeyGroupRange.of(0, max_parallelism - 1)
    return state.restore.FullSnapshotRestoreOperation(
        every_group, _flink.class_loader(), jvm.java.util.ArrayList(handles), provider
    ).restore()


def key_serializer(handles: list[Any]) -> Any:
    """Return the serializer of the keys in what handles hold."""
    return _flink.keyed_backend(handles[0]).getKeySerializerSnapshot().restoreSerializer()


def _entries(packed: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Take apart what the reader has packed: state number, key, value."""
    position = 0
    while position < len(packed):
        number, key, value = _HEAD.unpack_from(packed, position)
        start = position + _HEAD.size
        position = start + key + value
        yield number, packed[start : start + key], packed[start + key : position]
