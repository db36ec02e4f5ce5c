"""What a savepoint holds, entry by entry, against what the job must have stored."""

from __future__ import annotations

import struct

import pytest
from jobkit.errors import ConfigurationError
from jobkit.state import _flink as checkpoints
from jobkit.state.contents import contents
from jobkit.state.snapshots import operators

from tests.kit.projects import VERSIONS

from .rounds.src.rounds.pipeline import KEYS, LAST, ROUND
from .versions import GOLDEN

pytestmark = pytest.mark.usefixtures("jvm")

LONG = struct.Struct(">q")


def longs(value: bytes) -> list[int]:
    """Decode a value or a list of Python's as Flink stores it: one array of bytes, behind its length."""
    return [number for (number,) in LONG.iter_unpack(value[4:])]


def stored(version: str) -> dict[str, dict[bytes, bytes]]:
    """Return the entries of each state of the one operator that has any."""
    return {state.state.name: dict(state.entries) for state in contents(GOLDEN / version / "savepoint").values()}


@pytest.mark.parametrize("version", VERSIONS)
def test_each_entry_is_what_the_job_has_stored(version: str) -> None:
    """The last number of a key, and with it everything else of that key, is known from its list."""
    found = stored(version)
    last = {key: longs(value) for key, value in found["last"].items()}
    assert sorted(numbers[-1] % KEYS for numbers in last.values()) == list(range(KEYS))
    for key, numbers in last.items():
        number = numbers[-1]
        assert numbers == [number - KEYS * back for back in reversed(range(LAST))]
        assert longs(found["count"][key]) == [number // KEYS + 1]
        thirds = {name: value for name, value in found["thirds"].items() if name.startswith(key)}
        counts = {name[-1:].decode(): LONG.unpack(value[-LONG.size :])[0] for name, value in thirds.items()}
        assert counts == {
            str(third): sum(1 for other in range(number % KEYS, number + 1, KEYS) if other % 3 == third) for third in range(3)
        }


@pytest.mark.parametrize("version", VERSIONS)
def test_timers_are_there(version: str) -> None:
    """Each key has one, at the end of the round that it is in; none of processing time."""
    found = stored(version)
    rounds = {key: longs(value)[0] for key, value in found["rounds"].items()}
    # Flink orders the bytes of a time, a signed number, by turning its first bit over.
    times = [LONG.unpack(bytes([timer[1] ^ 0x80]) + timer[2:9])[0] for timer in found["_timer_state/event_user-timers"]]
    assert sorted(times) == sorted((count + 1) * ROUND for count in rounds.values())
    assert len(rounds) == KEYS
    assert found["_timer_state/processing_user-timers"] == {}


def test_sizes_are_those_of_the_entries() -> None:
    """Numbers and bytes of each state."""
    for state in contents(GOLDEN / "2.2" / "savepoint").values():
        assert state.operator == "“rounds” (5f3f775989bd7a5782845107e3545fdf)"
        assert state.max_parallelism == 128
        assert state.bytes == len(b"".join(key + value for key, value in state.entries.items()))


def test_a_checkpoint_is_refused() -> None:
    """RocksDB's own files are another format."""
    with pytest.raises(ConfigurationError, match=r"no savepoint of the canonical format.*IncrementalRemoteKeyedStateHandle"):
        contents(GOLDEN / "2.2" / "checkpoint")


def test_snapshots_are_read_after_flink_has_forgotten_what_it_compiled() -> None:
    """Flink keeps compiled classes for some minutes; py4j takes a second class of the same name for the first."""
    for _ in range(20):  # Java looks at a method anew after that
        operators(checkpoints.metadata(GOLDEN / "2.2" / "savepoint")[0].getOperatorStates())
    before = stored("2.2")
    checkpoints.jvm().org.apache.flink.table.runtime.generated.CompileUtils.cleanUp()
    assert stored("2.2") == before
