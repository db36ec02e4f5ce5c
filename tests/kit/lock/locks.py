"""Locks to compare, made by hand."""

from __future__ import annotations

from jobkit.graph import State
from jobkit.lock import Lock, LockedOperator

COUNT = State("count", "value", "Long")
HOURS = State("states", "map", "MapTypeInfo<String, PickledByteArrayTypeInfo>", None, 1, (("delays", "dict"), ("emitted", "int")))
KEYED = LockedOperator("count", "c0", "count", "keyed-process", 128, "String", "thread", "set", (COUNT,))
STATELESS = LockedOperator("parse", "b0", "parse", "process", 128, None, "thread")
SOURCE = LockedOperator("source", "a0", "Source: source", "source", 128)
SINK = LockedOperator("sink", "d0", "sink: Writer", "sink", 128)
JAVA = LockedOperator("marks", "e0", "marks", "java", 128)
UNKNOWN = LockedOperator("dial", "f0", "dial", "keyed-process", 128, "String", "thread", unknown=True, why="open() raised OSError")


def lock(*operators: LockedOperator, flink: str = "2.2", backend: str = "rocksdb") -> Lock:
    """Return a lock of some operators, by default one of each kind."""
    chosen = operators or (KEYED, STATELESS, SOURCE, SINK, JAVA, UNKNOWN)
    return Lock(flink, backend, tuple(sorted(chosen, key=lambda operator: operator.uid)))
