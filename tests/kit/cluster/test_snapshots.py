"""The snapshot to resume from is one, and the newest one is the one that exists."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobkit.cluster import snapshots
from jobkit.errors import ConfigurationError

METADATA = bytes.fromhex("4960672d") + b"the rest"


def snapshot(folder: Path, content: bytes = METADATA) -> Path:
    """Make a folder that looks like a snapshot."""
    folder.mkdir(parents=True)
    (folder / "_metadata").write_bytes(content)
    return folder


def test_a_snapshot_may_be_named_in_each_way_that_flink_prints(tmp_path: Path) -> None:
    """A folder, its _metadata, and the same as URIs, with spaces too."""
    folder = snapshot(tmp_path / "my job" / "chk-3")
    for text in (str(folder), str(folder / "_metadata"), folder.as_uri(), f"file:{folder}"):
        assert snapshots.find(text, tmp_path / "drained") == folder


def test_an_address_is_what_flink_reads(tmp_path: Path) -> None:
    """Flink does not decode %20: it would be written beside the folder. What it answers has one slash, or three."""
    folder = tmp_path / "100% my job"
    assert snapshots.address(folder) == f"file://{folder}"
    for text in (f"file://{folder}", f"file:{folder}", str(folder)):
        assert snapshots.path(text) == folder


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The error repeats what was named."""
    with pytest.raises(ConfigurationError, match=r"no such snapshot\. Found: nowhere/chk-1"):
        snapshots.find("nowhere/chk-1", tmp_path)


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_a_folder_that_is_no_snapshot_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """A checkpoint that was never completed has no _metadata, or half of one."""
    folder = tmp_path / "chk-1"
    if content is None:
        folder.mkdir()
    else:
        snapshot(folder, content)
    with pytest.raises(ConfigurationError, match="not a snapshot, or it was never completed"):
        snapshots.find(str(folder), tmp_path / "drained")


def test_a_drained_savepoint_is_refused(tmp_path: Path) -> None:
    """All its timers have fired: a job that goes on from it would count wrong, and say nothing."""
    folder = snapshot(tmp_path / "drained" / "savepoint-1")
    with pytest.raises(ConfigurationError, match="was drained"):
        snapshots.find(str(folder), tmp_path / "drained")


def test_the_newest_is_the_one_with_the_highest_number(tmp_path: Path) -> None:
    """By number, not by name, and only what was completed."""
    for number in (2, 9, 10):
        snapshot(tmp_path / f"chk-{number}")
    (tmp_path / "chk-11").mkdir()
    (tmp_path / "shared").mkdir()
    assert snapshots.newest(tmp_path) == tmp_path / "chk-10"


def test_without_a_checkpoint_there_is_no_newest(tmp_path: Path) -> None:
    """A job that was stopped early has none."""
    assert snapshots.newest(tmp_path / "none") is None
