"""How far Kafka's sources had read when a snapshot was taken: read from it by the connector's own classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from py4j.protocol import Py4JError

from ..state import _flink

Positions: TypeAlias = dict[tuple[str, int], int]
"""The offset of the next record, by topic and partition; negative where it was not known yet."""

_READER_STATE = "SourceReaderState"


def read(snapshot: Path | str, source: str) -> Positions | None:
    """Return the positions of a source; None when they cannot be read, or the snapshot has none of it.

    Args:
        snapshot: Its folder, or the folder's address.
        source: The operator id of the source.
    """
    metadata, _ = _flink.metadata(snapshot)
    for j_state in metadata.getOperatorStates().toArray():
        if j_state.getOperatorID().toHexString() == source:
            try:
                return _positions(j_state)
            except (Py4JError, TypeError):  # compressed, or another connector's
                return None
    return None


def _positions(j_state: Any) -> Positions:
    apache = _flink.jvm().org.apache.flink
    serializer = apache.connector.kafka.source.split.KafkaPartitionSplitSerializer()
    found: Positions = {}
    for subtask in j_state.getStates().toArray():
        for handle in subtask.getManagedOperatorState().toArray():
            partitions = handle.getStateNameToPartitionOffsets().get(_READER_STATE)
            if partitions is None:
                continue
            stream = handle.openInputStream()
            try:
                view = apache.core.memory.DataInputViewStreamWrapper(stream)
                for offset in partitions.getOffsets():
                    stream.seek(offset)
                    view.readInt()  # the length of the entry, which is an array of bytes
                    version, length = view.readInt(), view.readInt()
                    split = serializer.deserialize(version, view.readNBytes(length))
                    found[str(split.getTopic()), int(split.getPartition())] = int(split.getStartingOffset())
            finally:
                stream.close()
    return found
