"""The lock of a job that was started, found again from the snapshots that it took."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest
from jobkit.errors import ConfigurationError
from jobkit.filesystem import FileSystemError, delete, write
from jobkit.lock import text
from jobkit.lock.beside import find, of_savepoint, store

from .locks import JAVA, KEYED, SINK, SOURCE, lock

pytestmark = pytest.mark.usefixtures("jvm")

JOB = "0a1b2c" + 26 * "d"
NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
FIRST, SECOND = lock(KEYED), lock(KEYED, SOURCE)


def snapshot(folder: Path, taken: datetime = NOON) -> str:
    """Make what looks like a snapshot; return its address."""
    folder.mkdir(parents=True)
    (folder / "_metadata").touch()
    os.utime(folder / "_metadata", (taken.timestamp(), taken.timestamp()))
    return f"file://{folder}"


def at(minute: int) -> datetime:
    """Return a time after noon."""
    return NOON.replace(minute=minute)


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    """Return a folder that is not there yet, with a space in its name."""
    return tmp_path / "my checkpoints"


def test_a_lock_is_found_from_each_checkpoint(checkpoints: Path) -> None:
    """It is in the folder of the job, and named after the time of the start."""
    address = store(FIRST, f"file://{checkpoints}/", JOB, NOON)
    assert address == f"file://{checkpoints}/{JOB}/flink-20260501T120000Z.lock"
    for number in (1, 42):
        found = find(snapshot(checkpoints / JOB / f"chk-{number}", at(number)), None)
        assert found is not None
        assert (found.lock, found.address) == (FIRST, address)
    assert find(f"file://{checkpoints}/{JOB}/chk-42/_metadata", None) == found


def test_a_lock_that_is_there_is_not_written_again(checkpoints: Path) -> None:
    """Only a start with another one makes another file."""
    for minute, each in enumerate((FIRST, FIRST, SECOND, SECOND, FIRST)):
        store(each, f"file://{checkpoints}", JOB, at(minute))
    times = [f"flink-20260501T12{minute:02}00Z.lock" for minute in (0, 2, 4)]
    assert sorted(file.name for file in (checkpoints / JOB).iterdir()) == times
    assert (checkpoints / JOB / times[1]).read_text(encoding="utf-8") == text(SECOND)


def test_a_snapshot_belongs_to_the_start_before_it(checkpoints: Path) -> None:
    """A job id lives on through an upgrade: what was taken before it is of the older lock."""
    store(FIRST, f"file://{checkpoints}", JOB, at(10))
    store(SECOND, f"file://{checkpoints}", JOB, at(30))
    found = [find(snapshot(checkpoints / JOB / f"chk-{minute}", at(minute)), None) for minute in (5, 20, 40)]
    assert [each.lock if each else None for each in found] == [None, FIRST, SECOND]


def test_a_savepoint_names_its_job(tmp_path: Path, checkpoints: Path) -> None:
    """By the first six digits of its id; the folder of the checkpoints is then known from the configuration."""
    store(FIRST, f"file://{checkpoints}", JOB, NOON)
    savepoint = snapshot(tmp_path / "savepoints" / "savepoint-0a1b2c-0123456789ab", at(1))
    found = find(savepoint, f"file://{checkpoints}/")
    assert found is not None
    assert found.lock == FIRST
    assert find(savepoint, None) is None
    assert find(savepoint, f"file://{tmp_path}/elsewhere") is None


def test_the_lock_of_another_job_is_not_taken(tmp_path: Path, checkpoints: Path) -> None:
    """Ids may begin alike, as those of high availability do: a lock without an operator of the snapshot is of another job."""
    store(lock(JAVA), f"file://{checkpoints}", JOB[:6] + 26 * "c", NOON)
    store(SECOND, f"file://{checkpoints}", JOB, NOON)
    savepoint = snapshot(tmp_path / "savepoints" / "savepoint-0a1b2c-0123456789ab", at(1))
    found = find(savepoint, f"file://{checkpoints}", ["a0", "c0"])
    assert found is not None
    assert found.lock == SECOND
    assert find(savepoint, f"file://{checkpoints}", ["z0"]) is None


def test_a_lock_within_a_snapshot_goes_before_all_others(tmp_path: Path, checkpoints: Path) -> None:
    """Somebody has copied it there, together with the snapshot."""
    store(FIRST, f"file://{checkpoints}", JOB, NOON)
    for folder in (checkpoints / JOB / "chk-1", tmp_path / "copied"):
        address = snapshot(folder, at(1))
        (folder / "flink.lock").write_text(text(SECOND), encoding="utf-8")
        found = find(address, f"file://{checkpoints}")
        assert found is not None
        assert (found.lock, found.address) == (SECOND, f"{address}/flink.lock")


def test_a_snapshot_without_a_lock_has_none(tmp_path: Path) -> None:
    """One that was taken by a job without jobkit, or moved."""
    for name in ("chk-7", "savepoint-0a1b2c-0123456789ab", "moved"):
        assert find(snapshot(tmp_path / name), f"file://{tmp_path}") is None


def test_a_lock_that_is_none_is_said_to_be_none(tmp_path: Path) -> None:
    """With its address."""
    address = snapshot(tmp_path / "chk-7")
    (tmp_path / "chk-7" / "flink.lock").write_text("operators: 7\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"This is no lock\..*chk-7/flink\.lock"):
        find(address, None)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A file stands where the folder should be; and a file system that Flink does not know."""
    (tmp_path / "checkpoints").touch()
    with pytest.raises(FileSystemError):
        store(lock(JAVA, SINK), f"file://{tmp_path}/checkpoints", JOB)
    with pytest.raises(FileSystemError, match="UnsupportedFileSystemSchemeException"):
        store(lock(JAVA), "nowhere://bucket/checkpoints", JOB)


def test_the_lock_beside_a_savepoint_goes_before_that_of_its_job(checkpoints: Path, tmp_path: Path) -> None:
    """It has the savepoint's name, and not a place in its folder, which Flink could not remove then."""
    store(FIRST, f"file://{checkpoints}", JOB, NOON)
    savepoint = snapshot(tmp_path / "savepoints" / f"savepoint-{JOB[:6]}-0123456789ab", at(1))
    write(of_savepoint(f"{savepoint}/"), text(SECOND))
    found = find(savepoint, f"file://{checkpoints}")
    assert found is not None
    assert (found.lock, found.address) == (SECOND, f"{savepoint}.lock")
    delete(of_savepoint(savepoint))
    delete(of_savepoint(savepoint))
    found = find(savepoint, f"file://{checkpoints}")
    assert found is not None
    assert found.lock == FIRST
