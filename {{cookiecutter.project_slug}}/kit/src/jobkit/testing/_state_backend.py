"""The states of one operator, in memory: for each state and key what is in it, serialised, and when it was touched."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream.state import StateDescriptor, StateTtlConfig

from .._codec import Codec
from ._timers import Key, WrongUse
from ._types import name as type_name

NO_KEY = Key(None, b"")
"""The key of broadcast state, which has none."""


@dataclass
class Entry:
    """An entry of a state: of a map or a list, or a single value.

    Attributes:
        key: The serialised key of a map's entry, else nothing.
        value: The serialised value.
        touched: Processing time of the last write, or read where a read counts, in milliseconds.
    """

    key: bytes
    value: bytes
    touched: int


@dataclass(frozen=True)
class Declared:
    """A state as a descriptor declares it.

    Attributes:
        name: Its name.
        kind: `value`, `list`, `map`, `reducing`, `aggregating` or `broadcast`.
        type: The type that its descriptor declares; of a list, the type of the list.
        codec: What makes objects of its values, when it is one of `jobkit.evolution`'s.
    """

    name: str
    kind: str
    type: TypeInformation
    codec: Codec[Any] | None = None

    def __str__(self) -> str:
        """Return it as `kind state of TYPE`, which is what must stay the same."""
        return f"{self.kind} state of {type_name(self.type)}"


Cells = dict[str, dict[Hashable, dict[Hashable, Entry]]]
"""The entries of each state and key."""


class Backend:
    """Keeps states by name and key; `key` is the one that is processed, or None.

    Args:
        clock: Returns the processing time, in milliseconds.
        keyed: Whether the stream has keys.
        snapshot: What to begin with: the cells, and each state as it was declared.
    """

    def __init__(self, clock: Callable[[], int], *, keyed: bool, snapshot: tuple[Cells, dict[str, str]] | None = None) -> None:
        self.key: Key | None = None
        self.clock = clock
        self._keyed = keyed
        self._cells, self._before = copy.deepcopy(snapshot) if snapshot else ({}, {})
        self._declared: dict[str, Declared] = {}
        self._ttl: dict[str, StateTtlConfig | None] = {}

    def declare(self, descriptor: StateDescriptor, kind: str) -> Declared:
        """Take a state's declaration.

        Raises:
            WrongUse: When the stream has no keys, or the state was another before.
        """
        if kind != "broadcast" and not self._keyed:
            raise WrongUse(
                "Keyed state is only accessible on a keyed stream.", found=f"state {descriptor.name}", remedy="Give Operator a key."
            )
        declared = Declared(descriptor.name, kind, descriptor.type_info, getattr(descriptor, "codec", None))
        before = self._before.setdefault(declared.name, str(declared))
        if before != str(declared):
            raise WrongUse(
                f"The state {declared.name} cannot be read as it was written.",
                found=f"a {before}, declared as a {declared}",
                remedy="Give the new state a new name. Flink would fail, or in process mode read garbage.",
            )
        self._declared[declared.name], self._ttl[declared.name] = declared, descriptor._ttl_config
        return declared

    def ttl(self, name: str) -> StateTtlConfig | None:
        """Return a state's time to live, or None."""
        return self._ttl[name]

    def declared(self, name: str) -> Declared:
        """Return a state's declaration.

        Raises:
            WrongUse: When the function has not asked for such a state.
        """
        if name not in self._declared:
            raise WrongUse(f"The function has no state {name}.", found=", ".join(sorted(self._declared)) or "no states")
        return self._declared[name]

    def cell(self, declared: Declared) -> dict[Hashable, Entry]:
        """Return the entries of a state under the current key; changes to the dictionary change the state.

        Raises:
            WrongUse: When there is no current key.
        """
        key = NO_KEY if declared.kind == "broadcast" else self.key
        if key is None:
            raise WrongUse(
                f"The state {declared.name} was used without a key.",
                remedy="Use keyed state in the methods that process an element of the keyed input, or a timer; not in open or close.",
            )
        return self._cells.setdefault(declared.name, {}).setdefault(key.identity, {})

    def snapshot(self) -> tuple[Cells, dict[str, str]]:
        """Return a copy of all states, also of those that the function does not ask for any more."""
        return copy.deepcopy((self._cells, self._before))


class Cell:
    """A state's entries under the current key, with its time to live.

    The rules are those of `org.apache.flink.runtime.state.ttl`: an entry is expired once its time to live has
    passed since it was written, or read where reads count; an expired one is cleared when it is read, and
    returned that once if the visibility allows it.
    """

    def __init__(self, backend: Backend, declared: Declared, ttl: StateTtlConfig | None) -> None:
        self.declared = declared
        self._backend = backend
        self._ttl = ttl if ttl is not None and ttl.is_enabled() else None

    def read(self, *identities: Hashable, peek: bool = False) -> list[Entry]:
        """Return the entries, or those with some identities.

        Args:
            identities: Which; none for all.
            peek: Leave everything as it is.
        """
        cell = self._backend.cell(self.declared)
        found = {which: cell[which] for which in identities or tuple(cell) if which in cell}
        if self._ttl is None:
            return list(found.values())
        now, returned = self._backend.clock(), []
        for which, entry in found.items():
            expired = entry.touched + self._ttl.get_ttl().to_milliseconds() <= now
            if not expired or self._ttl.get_state_visibility() != StateTtlConfig.StateVisibility.NeverReturnExpired:
                returned.append(entry)
            if expired and not peek:
                del cell[which]
            elif self._ttl.get_update_type() == StateTtlConfig.UpdateType.OnReadAndWrite and not peek:
                entry.touched = now
        return returned

    def write(self, identity: Hashable, value: bytes, key: bytes = b"") -> None:
        """Write an entry."""
        self._backend.cell(self.declared)[identity] = Entry(key, value, self._backend.clock())

    def append(self, values: Sequence[bytes]) -> None:
        """Write entries behind all others."""
        cell = self._backend.cell(self.declared)
        first = max((number for number in cell if isinstance(number, int)), default=-1) + 1
        for number, value in enumerate(values, first):
            self.write(number, value)

    def remove(self, identity: Hashable) -> None:
        """Remove an entry, if it is there."""
        self._backend.cell(self.declared).pop(identity, None)

    def clear(self) -> None:
        """Remove all entries."""
        self._backend.cell(self.declared).clear()

    def where(self) -> str:
        """Return the state's name as errors give it."""
        return f"state {self.declared.name}"


def contents(cell: Cell, decode: Callable[[bytes], Any]) -> Any:
    """Return what a state holds, as a test compares it: a value or None, a list, or a dictionary."""
    entries, codec = cell.read(peek=True), cell.declared.codec
    values = [decode(entry.value) if codec is None else codec.unpack(decode(entry.value)) for entry in entries]
    if cell.declared.kind == "list":
        return values
    if cell.declared.kind in ("map", "broadcast"):
        return dict(zip((decode(entry.key) for entry in entries), values, strict=True))
    return values[0] if values else None
