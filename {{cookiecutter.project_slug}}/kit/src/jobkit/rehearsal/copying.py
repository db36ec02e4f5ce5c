"""A copy of a snapshot that refers to nothing outside of itself.

A savepoint is self-contained. The files of a retained checkpoint may lie elsewhere, under absolute paths: those of RocksDB in `shared/`,
which later checkpoints share. All that its metadata refers to is copied, and the metadata of the copy names the copies; Flink's own
classes read and write it. The original is only ever opened for reading.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cluster.snapshots import address
from ..errors import ConfigurationError
from ..state import _flink, snapshots
from . import _files

Progress = Callable[[int, int], None]
"""Called with the number of files that are copied, and of all."""

_COMMITTER_STATE = "streaming_committer_raw_states"
_METADATA = "_metadata"
_AT_ONCE = 4
TIMES_IN_ALL = 5
"""How much a rehearsal takes of the disk, in sizes of the snapshot: the copy, the restored state, a checkpoint, and two savepoints."""


@dataclass(frozen=True)
class Copied:
    """What was copied.

    Attributes:
        folder: The copy.
        files: How many files it has, with the metadata.
        bytes: Their size.
        shared: How many of them lay outside of the snapshot's own folder.
        left_out: The ids of the operators whose uncommitted transactions were left out.
        free: How many bytes this disk had before.
    """

    folder: Path
    files: int
    bytes: int
    shared: int
    left_out: tuple[str, ...]
    free: int


def copy(snapshot: Path | str, folder: Path, committers: Collection[str], progress: Progress) -> Copied:
    """Copy a snapshot.

    Args:
        snapshot: Its folder, or the folder's address.
        folder: Becomes the copy; there is none yet.
        committers: The ids of the operators that commit transactions to a Kafka which the copy's job does not have.
        progress: Called as files are copied.

    Raises:
        ConfigurationError: When there is no such snapshot, a file of it is missing, or this disk has no room for it.
    """
    metadata, pointer = _flink.metadata(snapshot)
    files = _flink.compiled("JobkitFiles", _files.SOURCE)
    left_out = _without_transactions(metadata, committers)
    with _flink.explained(pointer):
        handles: list[tuple[str, str | None]] = json.loads(files.apply(metadata, None))
    places: dict[str, str] = {}
    moved: dict[str, str] = {}
    for path, relative in handles:
        if relative is not None:
            places[path] = f"{address(folder)}/{relative}"
        elif path not in places:
            places[path] = moved[path] = f"{address(folder)}/elsewhere/{len(moved)}"
    size, free = _require_room(list(places), folder)
    _copy_all(files, places, progress)
    with _flink.explained(pointer):
        if moved or left_out:
            files.apply(metadata, _flink.jvm().java.util.HashMap({**moved, _METADATA: f"{address(folder)}/{_METADATA}"}))
        else:
            own = pointer if pointer.endswith(f"/{_METADATA}") else f"{pointer.rstrip('/')}/{_METADATA}"
            files.apply(own, f"{address(folder)}/{_METADATA}")
    return Copied(folder, len(places) + 1, size + (folder / _METADATA).stat().st_size, len(moved), left_out, free)


def _without_transactions(metadata: Any, committers: Collection[str]) -> tuple[str, ...]:
    """Take out what committers hold: to commit production's transactions anywhere else than there fails."""
    j_states = metadata.getOperatorStates()
    emptied = []
    for j_state, state in zip(j_states.toArray(), snapshots.operators(j_states), strict=True):
        if state.id in committers and _COMMITTER_STATE in state.operator_states:
            nothing = _flink.jvm().org.apache.flink.runtime.checkpoint.OperatorSubtaskState
            for number in range(state.parallelism):
                j_state.putState(number, nothing.builder().build())
            emptied.append(state.id)
    return tuple(emptied)


def _require_room(paths: Sequence[str], folder: Path) -> tuple[int, int]:
    """Return the size of files, when this disk has room for them, and the bytes that are free."""
    size = 0
    for path in paths:
        with _flink.explained(path):
            file = _flink.jvm().org.apache.flink.core.fs.Path(path)
            size += int(file.getFileSystem().getFileStatus(file).getLen())
    free = shutil.disk_usage(folder.parent).free
    if size > free:
        raise ConfigurationError(
            "The copy of the snapshot does not fit on this disk.",
            found=f"{size:,} bytes, {free:,} are free; a rehearsal takes about {TIMES_IN_ALL} times the snapshot in all",
            where=str(folder),
            remedy="Rehearse on a machine with a larger disk.",
        )
    return size, free


def _copy_all(files: Any, places: dict[str, str], progress: Progress) -> None:
    def one(pair: tuple[str, str]) -> None:
        with _flink.explained(pair[0]):
            files.apply(*pair)

    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        for done, _ in enumerate(pool.map(one, places.items()), 1):
            progress(done, len(places))
    finally:
        pool.shutdown(cancel_futures=True)
