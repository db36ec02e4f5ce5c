"""The states that functions get: PyFlink's interfaces over a state that holds versions and values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from pyflink.datastream.state import ListState, MapState, ValueState

from .._codec import Codec

K = TypeVar("K")
S = TypeVar("S")


def _packed(codec: Codec[S], value: S) -> tuple[Any, ...]:
    """Return what is written of what a function gives to a state."""
    codec.require(value)
    return codec.pack(value)


class VersionedValue(ValueState, Generic[S]):  # type: ignore[misc]
    """One object for each key."""

    def __init__(self, state: ValueState, codec: Codec[S], olds: Sequence[Any], convert: Callable[..., S] | None) -> None:
        """Put it over a state.

        Args:
            state: Flink's state.
            codec: Makes of objects what is written.
            olds: The states whose place it takes.
            convert: Makes an object of what is in these.
        """
        self._state, self._codec, self._olds, self._convert = state, codec, olds, convert

    def value(self) -> S | None:
        """Return the object of the current key, or None where there is none. What is changed in it is kept by `update` alone."""
        packed = self._state.value()
        if packed is not None:
            return self._codec.unpack(packed)
        contents = [_content(old) for old in self._olds]
        if self._convert is None or all(map(_is_nothing, self._olds, contents)):
            return None
        value = self._convert(*contents)
        self.update(value)
        return value

    def update(self, value: S) -> None:
        """Keep an object.

        Raises:
            ConfigurationError: When it is of another class, or holds an object of the user's classes.
        """
        packed = _packed(self._codec, value)
        if self._olds and self._state.value() is None:  # where there is a new one, there is no old one any more
            self._clear_olds()
        self._state.update(packed)

    def clear(self) -> None:
        """Forget the object of the current key."""
        self._state.clear()
        self._clear_olds()

    def _clear_olds(self) -> None:
        for old in self._olds:
            old.clear()


def _content(state: Any) -> Any:
    """Return what is in a plain state: a value or None, a list, a dictionary."""
    if isinstance(state, MapState):
        return dict(state.items())
    return list(state.get()) if isinstance(state, ListState) else state.value()


def _is_nothing(state: Any, content: Any) -> bool:
    return content is None or (isinstance(state, (ListState, MapState)) and not content)


class VersionedList(ListState, Generic[S]):  # type: ignore[misc]
    """A list of objects for each key."""

    def __init__(self, state: ListState, codec: Codec[S], old: ListState | None, convert: Callable[[Any], S] | None) -> None:
        """Put it over a state; arguments are as for a value."""
        self._state, self._codec, self._old, self._convert = state, codec, old, convert

    def get(self) -> list[S]:
        """Return the objects of the current key. What the list is changed to is kept by `update` alone."""
        packed = list(self._state.get())
        olds = [] if self._old is None else list(self._old.get())
        if self._old is not None and self._convert is not None and olds:
            packed = [*(_packed(self._codec, self._convert(old)) for old in olds), *packed]  # what was added came later
            self._state.update(packed)
            self._old.clear()
        return [self._codec.unpack(each) for each in packed]

    def add(self, value: S) -> None:
        """Add an object."""
        self._state.add(_packed(self._codec, value))

    def add_all(self, values: Iterable[S]) -> None:
        """Add several."""
        self._state.add_all([_packed(self._codec, value) for value in values])

    def update(self, values: Iterable[S]) -> None:
        """Keep these instead of those that are there."""
        packed = [_packed(self._codec, value) for value in values]
        self._clear_old()
        self._state.update(packed)

    def clear(self) -> None:
        """Forget all objects of the current key."""
        self._state.clear()
        self._clear_old()

    def _clear_old(self) -> None:
        if self._old is not None:
            self._old.clear()


class VersionedMap(MapState, Generic[K, S]):  # type: ignore[misc]
    """A map for each key, whose values are objects. What is in the new map is not in the old one any more."""

    def __init__(self, state: MapState, codec: Codec[S], old: MapState | None, convert: Callable[[Any], S] | None) -> None:
        """Put it over a state; arguments are as for a value."""
        self._state, self._codec, self._old, self._convert = state, codec, old, convert

    def get(self, key: K) -> S | None:
        """Return the object at a key of the map, or None where there is none. What is changed in it is kept by `put` alone."""
        packed = self._state.get(key)
        if packed is not None:
            return self._codec.unpack(packed)
        content = None if self._old is None else self._old.get(key)
        if self._convert is None or content is None:
            return None
        value = self._convert(content)
        self.put(key, value)
        return value

    def put(self, key: K, value: S) -> None:
        """Keep an object at a key of the map."""
        packed = _packed(self._codec, value)
        if self._old is not None and not self._state.contains(key):
            _remove(self._old, key)
        self._state.put(key, packed)

    def put_all(self, dict_value: Mapping[K, S]) -> None:
        """Keep several."""
        for key, value in dict_value.items():
            self.put(key, value)

    def remove(self, key: K) -> None:
        """Forget the object at a key of the map."""
        _remove(self._state, key)
        if self._old is not None:
            _remove(self._old, key)

    def contains(self, key: K) -> bool:
        """Return whether there is an object at a key of the map."""
        return bool(self._state.contains(key) or (self._old is not None and self._old.contains(key)))

    def items(self) -> Iterator[tuple[K, S]]:
        """Return keys and objects. While they are iterated over, the map must not be changed."""
        self._take_over()
        return ((key, self._codec.unpack(packed)) for key, packed in self._state.items())

    def keys(self) -> Iterator[K]:
        """Return the keys."""
        self._take_over()
        return iter(self._state.keys())

    def values(self) -> Iterator[S]:
        """Return the objects."""
        return (value for _, value in self.items())

    def is_empty(self) -> bool:
        """Return whether there is nothing in the map."""
        return bool(self._state.is_empty() and (self._old is None or self._old.is_empty()))

    def clear(self) -> None:
        """Forget all of the current key."""
        self._state.clear()
        if self._old is not None:
            self._old.clear()

    def _take_over(self) -> None:
        """Take all entries of the old map over."""
        if self._old is None or self._convert is None:
            return
        contents = list(self._old.items())
        for key, content in contents:
            self._state.put(key, _packed(self._codec, self._convert(content)))
        if contents:
            self._old.clear()


def _remove(state: MapState, key: Any) -> None:
    """Remove an entry, if it is there: process mode fails over one that is not, in a map that was cleared."""
    if state.contains(key):
        state.remove(key)
