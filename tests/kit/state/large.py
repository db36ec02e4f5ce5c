"""A snapshot of many operators and files, made by Flink's own classes out of the one that is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobkit.state import _flink

from tests.kit.projects import TinyProject, jobkit, tiny

from .versions import GOLDEN

_PIPELINE = """\
from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor

from .settings import Settings


class Rounds(KeyedProcessFunction):
    def open(self, runtime_context):
        runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        runtime_context.get_state(ValueStateDescriptor("rounds", Types.LONG()))
        runtime_context.get_list_state(ListStateDescriptor("last", Types.LONG()))
        runtime_context.get_map_state(MapStateDescriptor("thirds", Types.STRING(), Types.LONG()))

    def process_element(self, value, ctx):
        yield value


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    env.set_parallelism(1)
    env.set_max_parallelism(128)
    stream = env.from_collection([1, 2], Types.LONG()).uid("source")
    rounds = []
    for number in range(FUNCTIONS):
        keyed = stream.key_by(lambda value: value, Types.LONG())
        rounds.append(keyed.process(Rounds(), Types.LONG()).uid(f"rounds-{number}"))
    rounds[0].union(*rounds[1:]).print().uid("out")
"""

SUBTASKS = 10
FILES = 4
"""Files of RocksDB's that a subtask has, beside the head."""


def project(folder: Path, functions: int) -> TinyProject:
    """Make a project whose job has so many operators with the states of `rounds`, a key-by before each, a source, a sink and its map."""
    made = tiny(folder)
    made.write("src/tiny/pipeline.py", _PIPELINE.replace("FUNCTIONS", str(functions)))
    made.write("conf/prod.yaml", f"execution.checkpointing.dir: file://{folder}/checkpoints\n")
    return made


def operators(project: TinyProject) -> list[dict[str, Any]]:
    """Return the operators of such a project, as `jobkit graph` tells them."""
    done = jobkit(project.root, "graph", "--env", "prod", "--json")
    found: list[dict[str, Any]] = json.loads(done.stdout)["jobs"][0]["operators"]
    return found


def make(folder: Path, of: Sequence[Mapping[str, Any]], subtasks: int = SUBTASKS) -> int:
    """Write an incremental checkpoint; return how many files it names. All of them are there.

    As in one of Flink's, every operator is named. The heads are that of the kept checkpoint's one operator with keyed state.

    Args:
        folder: Of the checkpoint.
        of: The operators of the job.
        subtasks: Of each operator with state.
    """
    jvm = _flink.jvm()
    checkpoint = jvm.org.apache.flink.runtime.checkpoint
    kept, _ = _flink.metadata(GOLDEN / "2.2" / "checkpoint")
    handles = [handle for state in kept.getOperatorStates().toArray() for handle in _flink.keyed_handles(state)]
    head = _content(handles[0].getMetaDataStateHandle())
    states, files = jvm.java.util.ArrayList(), 0
    for operator in of:
        uid = operator["uid"]
        j_id = jvm.org.apache.flink.runtime.jobgraph.OperatorID(bytes.fromhex(operator["id"]))
        has_state = uid.removeprefix("rounds-").isdecimal()
        state = checkpoint.OperatorState(uid, uid, j_id, subtasks if has_state else 1, operator["max_parallelism"])
        if not has_state:
            state.putState(0, checkpoint.OperatorSubtaskState.builder().build())
        for subtask in range(subtasks if has_state else 0):
            keyed = _keyed(folder / f"{uid}-{subtask}", (subtask, subtasks), head)
            state.putState(subtask, checkpoint.OperatorSubtaskState.builder().setManagedKeyedState(keyed).build())
            files += FILES + 1
        states.add(state)
    found = checkpoint.metadata.CheckpointMetadata(7, states, jvm.java.util.ArrayList(), kept.getCheckpointProperties())
    stream = jvm.java.io.FileOutputStream(str(folder / "_metadata"))
    checkpoint.Checkpoints.storeCheckpointMetadata(found, stream)
    stream.close()
    return files


def _keyed(folder: Path, subtask: tuple[int, int], head: bytes) -> Any:
    """Write the files of a subtask, one of so many; return Flink's handle to them."""
    jvm = _flink.jvm()
    state = jvm.org.apache.flink.runtime.state
    folder.mkdir(parents=True)
    shared = jvm.java.util.ArrayList()
    for number in range(FILES):
        name = f"{number:06}.sst"
        shared.add(state.IncrementalKeyedStateHandle.HandleAndLocalPath.of(_file(folder / name, 100 * b"x"), name))
    groups = state.KeyGroupRangeAssignment.computeKeyGroupRangeForOperatorIndex(128, subtask[1], subtask[0])
    backend = jvm.java.util.UUID.randomUUID()
    return state.IncrementalRemoteKeyedStateHandle(backend, groups, 7, shared, jvm.java.util.ArrayList(), _file(folder / "head", head))


def _file(file: Path, content: bytes) -> Any:
    """Write a file; return Flink's handle to it."""
    file.write_bytes(content)
    jvm = _flink.jvm()
    return jvm.org.apache.flink.runtime.state.filesystem.FileStateHandle(jvm.org.apache.flink.core.fs.Path(str(file)), len(content))


def _content(handle: Any) -> bytes:
    stream = handle.openInputStream()
    try:
        return bytes(_flink.jvm().java.io.DataInputStream(stream).readNBytes(handle.getStateSize()))
    finally:
        stream.close()
