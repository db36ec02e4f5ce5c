"""The snapshots of a local run: the one to resume from, and the newest that is left."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from ..errors import ConfigurationError

_MAGIC = (0x4960672D).to_bytes(4, "big")
"""The first bytes of a snapshot's `_metadata`: MetadataV2V3SerializerBase's HEADER_MAGIC_NUMBER, in Flink's Checkpoints class."""


def address(folder: Path) -> str:
    """Return how Flink's configuration names a local folder.

    Not `Path.as_uri`: Flink's `Path` takes %20 for three characters, and would write beside the folder that has a space.
    """
    return f"file://{folder}"


def path(text: str) -> Path:
    """Return the local path that an address of Flink's names, such as `file:/tmp/chk-1`; a plain path is its own."""
    return Path(re.sub("^file:(//)?(?=/)", "", text))


def find(text: str, drained: Path) -> Path:
    """Return the folder of the snapshot that a user names.

    Args:
        text: A path, or a `file:` URI, of the folder or of its `_metadata`.
        drained: The folder of the savepoints that were taken while draining.

    Raises:
        ConfigurationError: When there is none, or it is not for resuming.
    """
    named = path(text).expanduser()
    named = (named if named.exists() else path(unquote(text)).expanduser()).resolve()
    folder = named.parent if named.name == "_metadata" else named
    remedy = "Name the folder of a checkpoint (…/chk-42) or savepoint: the one that holds a file _metadata."
    if not folder.is_dir():
        raise ConfigurationError("There is no such snapshot.", found=text, remedy=remedy)
    if not _is_snapshot(folder):
        raise ConfigurationError("This is not a snapshot, or it was never completed.", found=str(folder), remedy=remedy)
    if drained.resolve() in folder.parents:
        raise ConfigurationError(
            "This savepoint was drained, and cannot be resumed from.",
            found=str(folder),
            remedy="All windows and timers fired before it was taken. Start afresh with jobkit run.",
        )
    return folder


def newest(checkpoints: Path) -> Path | None:
    """Return the newest completed checkpoint on disk, or None.

    Args:
        checkpoints: The folder of one job, `<execution.checkpointing.dir>/<job id>`.
    """
    completed = [folder for folder in checkpoints.glob("chk-*") if _is_snapshot(folder)]
    return max(completed, key=lambda folder: int(folder.name.removeprefix("chk-")), default=None)


def _is_snapshot(folder: Path) -> bool:
    try:
        with (folder / "_metadata").open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False
