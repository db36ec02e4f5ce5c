"""How many keys each state of a savepoint has, and how large it is: exact, and for savepoints of any size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..state import _flink, contents, snapshots
from ..state.snapshots import KeyedState

_COUNTER = """
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.runtime.state.restore.KeyGroup;
import org.apache.flink.runtime.state.restore.KeyGroupEntry;
import org.apache.flink.runtime.state.restore.ThrowingIterator;

public class JobkitCounter implements java.util.function.BiFunction {
    public Object apply(Object groups, Object given) {
        try {
            TypeSerializer serializer = (TypeSerializer) ((List) given).get(0);
            int prefix = ((Integer) ((List) given).get(1)).intValue();
            List timers = (List) ((List) given).get(2);
            Map counts = new TreeMap();
            for (ThrowingIterator left = (ThrowingIterator) groups; left.hasNext();) {
                Map keys = new TreeMap();
                ThrowingIterator entries = ((KeyGroup) left.next()).getKeyGroupEntries();
                while (entries.hasNext()) {
                    KeyGroupEntry entry = (KeyGroupEntry) entries.next();
                    Integer number = Integer.valueOf(entry.getKvStateId());
                    if (!counts.containsKey(number)) {
                        counts.put(number, new long[2]);
                    }
                    if (!keys.containsKey(number)) {
                        keys.put(number, new HashSet());
                    }
                    byte[] bytes = entry.getKey();
                    int start = prefix + (timers.contains(number) ? 8 : 0);
                    DataInputDeserializer input = new DataInputDeserializer(bytes, start, bytes.length - start);
                    serializer.deserialize(input);
                    ((HashSet) keys.get(number)).add(new String(bytes, start, input.getPosition() - start, "ISO-8859-1"));
                    ((long[]) counts.get(number))[1] += bytes.length + entry.getValue().length;
                }
                entries.close();
                for (Iterator numbers = keys.keySet().iterator(); numbers.hasNext();) {
                    Object number = numbers.next();
                    ((long[]) counts.get(number))[0] += ((HashSet) keys.get(number)).size();
                }
            }
            List rows = new ArrayList();
            for (Iterator numbers = counts.keySet().iterator(); numbers.hasNext();) {
                Object number = numbers.next();
                long[] count = (long[]) counts.get(number);
                rows.add(Arrays.asList(new Object[] {number, Long.valueOf(count[0]), Long.valueOf(count[1])}));
            }
            return rows;
        } catch (Exception exception) {
            throw new RuntimeException(exception);
        }
    }
}
"""
"""Counts the keys of each state in the JVM. A key belongs to one key group, so that only those of one group are held at a time; where a
key ends, behind which come namespace and, in a map, the map's key, its own serializer tells. Before a timer's key is its time."""

_GROUPS_OF_ONE_BYTE = 128


@dataclass(frozen=True)
class StateCount:
    """How much one keyed state, or the timers, of one operator hold.

    Attributes:
        state: The state.
        keys: How many keys have an entry.
        bytes: The size of all entries.
    """

    state: KeyedState
    keys: int
    bytes: int


def counts(savepoint: Path | str) -> dict[tuple[str, str], StateCount] | None:
    """Count the keys of a savepoint, of any size.

    Args:
        savepoint: Its folder, or the folder's address.

    Returns:
        By operator id and the name under which Flink stores the state, those without keys too. None when it is not of the canonical format.

    Raises:
        ConfigurationError: When there is no such savepoint, or it is damaged.
    """
    found, pointer = _flink.metadata(savepoint)
    result: dict[tuple[str, str], StateCount] = {}
    for j_state in found.getOperatorStates().toArray():
        handles = _flink.keyed_handles(j_state)
        if {_flink.simple_name(handle) for handle in handles} - {contents.CANONICAL}:
            return None
        if handles:
            identity = str(j_state.getOperatorID().toHexString())
            result |= {(identity, count.state.stored_as): count for count in _counted(handles, j_state.getMaxParallelism(), pointer)}
    return result


def _counted(handles: list[Any], max_parallelism: int, pointer: str) -> list[StateCount]:
    counter = _flink.compiled("JobkitCounter", _COUNTER)
    prefix = 1 if max_parallelism <= _GROUPS_OF_ONE_BYTE else 2
    totals: dict[KeyedState, tuple[int, int]] = {}
    with _flink.explained(pointer):
        serializer = contents.key_serializer(handles)
        results = contents.restored(handles, max_parallelism)
        while results.hasNext():
            result = results.next()
            infos = [snapshots.keyed_state(info) for info in result.getStateMetaInfoSnapshots().toArray()]
            for info in infos:
                totals.setdefault(info, (0, 0))
            timers = [number for number, info in enumerate(infos) if info.kind == "timers"]
            given = _flink.jvm().java.util.ArrayList([serializer, prefix, timers])
            for number, keys, size in counter.apply(result.getRestoredKeyGroups(), given):
                before = totals[infos[number]]
                totals[infos[number]] = (before[0] + keys, before[1] + size)
        results.close()
    return [StateCount(state, *total) for state, total in totals.items()]
