"""What a snapshot says about itself: for real ones of each Flink version, and for what is none."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest
from jobkit.errors import ConfigurationError
from jobkit.state import _flink, snapshots
from jobkit.state.contents import contents
from jobkit.state.snapshots import OperatorState

from tests.kit.projects import VERSIONS

from .versions import GOLDEN, KINDS, environment, python_of

pytestmark = pytest.mark.usefixtures("jvm")

UIDS = {"numbers", "times/extract-timestamp", "times/timestamps-watermarks", "times", "rounds/key-by", "rounds", "output"}
"""Those of the job, and those that are derived for its hidden operators."""

READ = """
import dataclasses, json, sys
from pyflink.java_gateway import get_gateway
from jobkit.state import contents, snapshots
get_gateway()
entries = [sorted((key.hex(), value.hex()) for key, value in state.entries.items()) for state in contents.contents(sys.argv[2]).values()]
print(json.dumps([[dataclasses.asdict(snapshots.read(path)) for path in sys.argv[1:]], entries]))
"""


def keyed(version: str, kind: str) -> OperatorState:
    """Return what a kept snapshot says about the one operator with keyed state."""
    return next(operator for operator in snapshots.read(GOLDEN / version / kind).operators if operator.keyed_handles)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_snapshot_says_what_it_is(version: str) -> None:
    """A number, checkpoint or savepoint, the format."""
    checkpoint, savepoint = (snapshots.read(GOLDEN / version / kind) for kind in KINDS)
    assert (checkpoint.is_savepoint, checkpoint.format) == (False, None)
    assert (savepoint.is_savepoint, savepoint.format) == (True, "canonical")
    assert checkpoint.checkpoint_id > savepoint.checkpoint_id > 0
    assert checkpoint.path == f"file:{GOLDEN / version / 'checkpoint'}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_each_operator_is_there(version: str, kind: str) -> None:
    """With its uid and name from Flink 2.0 on; the ids are the same in all versions."""
    operators = snapshots.read(GOLDEN / version / kind).operators
    newest = {operator.id: operator for operator in snapshots.read(GOLDEN / "2.2" / kind).operators}
    assert {operator.uid for operator in newest.values()} == UIDS
    assert {operator.id for operator in operators} == set(newest)
    told = version != "1.20"
    assert [(each.uid, each.name) for each in operators] == [
        (newest[each.id].uid, newest[each.id].name) if told else (None, None) for each in operators
    ]
    assert {(operator.parallelism, operator.max_parallelism) for operator in operators} == {(1, 128)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_states_are_named(version: str, kind: str) -> None:
    """Keyed states by the names that the job gave them, timers, and the source's position; most operators have none."""
    operators = snapshots.read(GOLDEN / version / kind).operators
    states = {state.name: state.kind for state in keyed(version, kind).keyed_states}
    timers = {"_timer_state/event_user-timers": "timers", "_timer_state/processing_user-timers": "timers"}
    assert states == {"count": "list", "rounds": "list", "last": "list", "thirds": "map", **timers}
    assert sorted(operator.operator_states for operator in operators if operator.operator_states) == [("SourceReaderState",)]
    assert sum(operator.bytes > 0 for operator in operators) == 2
    assert not any(operator.has_raw_state for operator in operators)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_incremental_checkpoint_shares_files(version: str) -> None:
    """All of its data files; a savepoint has none."""
    checkpoint, savepoint = (keyed(version, kind) for kind in KINDS)
    assert checkpoint.keyed_handles == ("IncrementalRemoteKeyedStateHandle",)
    assert checkpoint.is_incremental
    assert checkpoint.unshared_files == 0
    assert 0 < checkpoint.checkpointed_bytes < checkpoint.bytes
    assert savepoint.keyed_handles == ("KeyGroupsSavepointStateHandle",)
    assert not savepoint.is_incremental


@pytest.mark.parametrize("version", list(VERSIONS)[1:])
def test_each_flink_version_reads_its_own(version: str, tmp_path: Path) -> None:
    """In the JVM of that version, with nothing but its PyFlink; the answer, each entry too, is that of the newest version."""
    python = python_of(version, tmp_path / "python")
    paths = [GOLDEN / version / kind for kind in KINDS]
    command = [str(python), "-W", "ignore", "-c", READ, *(str(path) for path in paths)]
    done = subprocess.run(command, env=environment(python, tmp_path / "tmp"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    entries = [sorted((key.hex(), value.hex()) for key, value in state.entries.items()) for state in contents(paths[1]).values()]
    assert json.loads(done.stdout) == json.loads(json.dumps([[asdict(snapshots.read(path)) for path in paths], entries]))


def test_a_snapshot_may_be_anywhere(tmp_path: Path) -> None:
    """In a folder with a space in its name, given as a path, as an address, or as its _metadata."""
    folder = Path(shutil.copytree(GOLDEN / "2.2" / "savepoint", tmp_path / "my savepoints" / "savepoint-1"))
    found = [snapshots.read(name).operators for name in (folder, str(folder), f"file://{folder}", folder / "_metadata")]
    assert found == [snapshots.read(GOLDEN / "2.2" / "savepoint").operators] * 4


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The error says what a snapshot's folder looks like."""
    with pytest.raises(ConfigurationError, match=r"There is no such snapshot.*FileNotFoundException.*chk-7.*_metadata"):
        snapshots.read(tmp_path / "chk-7")


def test_a_folder_without_metadata_is_no_snapshot(tmp_path: Path) -> None:
    """A checkpoint that was never completed."""
    (tmp_path / "chk-7").mkdir()
    with pytest.raises(ConfigurationError, match="or it is not complete"):
        snapshots.read(tmp_path / "chk-7")


@pytest.mark.parametrize("length", [0, 3, 100, 5_000])
def test_damaged_metadata_is_said_to_be_damaged(tmp_path: Path, length: int) -> None:
    """It was cut off: at once, in its head, in the middle."""
    whole = (GOLDEN / "2.2" / "savepoint" / "_metadata").read_bytes()
    (tmp_path / "_metadata").write_bytes(whole[:length])
    with pytest.raises(ConfigurationError, match=r"The snapshot is damaged.*Where: file://"):
        snapshots.read(tmp_path)


def test_something_else_is_said_to_be_damaged(tmp_path: Path) -> None:
    """A file that Flink did not write."""
    (tmp_path / "_metadata").write_text("a text of some length")
    with pytest.raises(ConfigurationError, match="The snapshot is damaged"):
        snapshots.read(tmp_path)


def test_an_unknown_file_system_is_named() -> None:
    """Flink decides which ones it knows."""
    with pytest.raises(ConfigurationError, match=r"no such file system.*UnsupportedFileSystemSchemeException.*plugins/"):
        snapshots.read("nowhere://bucket/chk-1")


def test_a_missing_state_file_is_named(tmp_path: Path) -> None:
    """The metadata is there, and the file that it names is not."""
    filesystem = _flink.jvm().org.apache.flink.runtime.state.filesystem
    handle = filesystem.FileStateHandle(_flink.jvm().org.apache.flink.core.fs.Path(str(tmp_path / "shared-file")), 10)
    with pytest.raises(ConfigurationError, match=r"not complete.*shared-file"):
        _flink.keyed_backend(handle)
