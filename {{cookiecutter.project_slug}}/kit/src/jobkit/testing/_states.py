"""The states that a function gets: PyFlink's interfaces over a backend in memory, with what process mode does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream.state import (
    AggregatingState,
    BroadcastState,
    ListState,
    MapState,
    MapStateDescriptor,
    ReadOnlyBroadcastState,
    ReducingState,
    StateDescriptor,
    ValueState,
)

from ._state_backend import Backend, Cell, Entry
from ._timers import WrongUse
from ._types import decode, encode, identity

_ONLY = "value"
"""The identity of the one entry of a state that has no more than one."""


class _State:
    """A state: its entries, and the type that its values must have."""

    def __init__(self, cell: Cell, values: TypeInformation) -> None:
        self._cell, self._values = cell, values

    def clear(self) -> None:
        """Remove what is under the current key."""
        self._cell.clear()

    def _encoded(self, value: Any) -> bytes:
        return encode(value, self._values, self._cell.where())

    def _single(self) -> Any:
        entries = self._cell.read(_ONLY)
        return decode(entries[0].value) if entries else None


class _Value(_State, ValueState):  # type: ignore[misc]
    def value(self) -> Any:
        return self._single()

    def update(self, value: Any) -> None:
        self._cell.write(_ONLY, self._encoded(value))


class _List(_State, ListState):  # type: ignore[misc]
    def get(self) -> Iterator[Any]:
        return iter([decode(entry.value) for entry in self._cell.read()])

    def add(self, value: Any) -> None:
        self._cell.append([self._encoded(value)])

    def add_all(self, values: Iterable[Any]) -> None:
        self._cell.append([self._encoded(value) for value in values])

    def update(self, values: Iterable[Any]) -> None:
        encoded = [self._encoded(value) for value in values]
        self._cell.clear()
        self._cell.append(encoded)


class _Reducing(_State, ReducingState):  # type: ignore[misc]
    def __init__(self, cell: Cell, values: TypeInformation, reduce: Any) -> None:
        super().__init__(cell, values)
        self._reduce = reduce

    def get(self) -> Any:
        return self._single()

    def add(self, value: Any) -> None:
        before = self._single()
        self._cell.write(_ONLY, self._encoded(value if before is None else self._reduce.reduce(before, value)))


class _Aggregating(_State, AggregatingState):  # type: ignore[misc]
    def __init__(self, cell: Cell, values: TypeInformation, aggregate: Any) -> None:
        super().__init__(cell, values)
        self._aggregate = aggregate

    def get(self) -> Any:
        accumulator = self._single()
        return None if accumulator is None else self._aggregate.get_result(accumulator)

    def add(self, value: Any) -> None:
        if value is None:
            self.clear()
            return
        accumulator = self._single()
        if accumulator is None:
            accumulator = self._aggregate.create_accumulator()
        self._cell.write(_ONLY, self._encoded(self._aggregate.add(value, accumulator)))


class _Entries:
    """An iterator over a map, which takes no changes to the map but by its own `remove`."""

    def __init__(self, state: _Map, entries: list[Entry], part: str) -> None:
        self._state, self._entries, self._part = state, iter(entries), part
        self._changes, self._last = state.changes, None

    def __iter__(self) -> _Entries:
        return self

    def __next__(self) -> Any:
        self._check()
        entry = next(self._entries)
        self._last = key = decode(entry.key)
        if self._part == "keys":
            return key
        return decode(entry.value) if self._part == "values" else (key, decode(entry.value))

    def remove(self) -> None:
        """Remove the entry that came last."""
        self._check()
        self._state.remove(self._last)
        self._changes = self._state.changes

    def _check(self) -> None:
        if self._changes != self._state.changes:
            raise WrongUse(
                "A map state was changed while it was iterated over.",
                where=self._state.where(),
                remedy="Iterate over a list of its entries, or use the iterator's own remove().",
            )


class _Map(MapState):  # type: ignore[misc]
    def __init__(self, cell: Cell, keys: TypeInformation, values: TypeInformation) -> None:
        self._cell, self._keys, self._values = cell, keys, values
        self.changes = 0

    def where(self) -> str:
        return self._cell.where()

    def get(self, key: Any) -> Any:
        entries = self._cell.read(self._key(key)[0])
        return decode(entries[0].value) if entries else None

    def put(self, key: Any, value: Any) -> None:
        which, encoded = self._key(key)
        self._cell.write(which, encode(value, self._values, self.where(), optional=True), encoded)
        self.changes += 1

    def put_all(self, dict_value: Any) -> None:
        raise WrongUse(
            "MapState.put_all is not the same everywhere: process mode takes pairs, thread mode a dict.",
            found=type(dict_value).__name__,
            where=self.where(),
            remedy="Call put for each entry.",
        )

    def remove(self, key: Any) -> None:
        self._cell.remove(self._key(key)[0])
        self.changes += 1

    def contains(self, key: Any) -> bool:
        return self.get(key) is not None  # so process mode: a key whose value is None is not contained

    def items(self) -> Any:
        return _Entries(self, self._cell.read(), "items")

    def keys(self) -> Any:
        return _Entries(self, self._cell.read(), "keys")

    def values(self) -> Any:
        return _Entries(self, self._cell.read(), "values")

    def is_empty(self) -> bool:
        return not self._cell.read()

    def clear(self) -> None:
        self._cell.clear()
        self.changes += 1

    def _key(self, key: Any) -> tuple[Any, bytes]:
        encoded = encode(key, self._keys, f"key of {self.where()}")
        return identity(decode(encoded)), encoded


class _Broadcast(_Map, BroadcastState):  # type: ignore[misc]
    pass


class _ReadOnly(ReadOnlyBroadcastState):  # type: ignore[misc]
    """What the elements of the other input see: nothing that writes."""

    def __init__(self, state: _Map) -> None:
        self._state = state

    def get(self, key: Any) -> Any:
        return self._state.get(key)

    def contains(self, key: Any) -> bool:
        return self._state.contains(key)

    def items(self) -> Any:
        return self._state.items()

    def keys(self) -> Any:
        return self._state.keys()

    def values(self) -> Any:
        return self._state.values()

    def is_empty(self) -> bool:
        return self._state.is_empty()

    def clear(self) -> None:
        raise WrongUse("Broadcast state is read-only here.", where=self._state.where(), remedy="Change it in process_broadcast_element.")


def keyed(descriptor: StateDescriptor, kind: str, backend: Backend) -> Any:
    """Return the state that a function gets for a descriptor.

    Args:
        descriptor: The descriptor.
        kind: `value`, `list`, `map`, `reducing` or `aggregating`.
        backend: Where it is kept.
    """
    cell = Cell(backend, backend.declare(descriptor, kind), descriptor._ttl_config)
    declared = descriptor.type_info
    if kind == "list":
        return _List(cell, declared.elem_type)
    if kind == "map":
        return _Map(cell, declared._key_type_info, declared._value_type_info)
    if kind == "reducing":
        return _Reducing(cell, declared, descriptor.get_reduce_function())
    if kind == "aggregating":
        return _Aggregating(cell, declared, descriptor.get_agg_function())
    return _Value(cell, declared)


def broadcast(descriptor: MapStateDescriptor, backend: Backend, *, read_only: bool) -> Any:
    """Return the broadcast state for a descriptor."""
    cell = Cell(backend, backend.declare(descriptor, "broadcast"), None)
    state = _Broadcast(cell, descriptor.type_info._key_type_info, descriptor.type_info._value_type_info)
    return _ReadOnly(state) if read_only else state
