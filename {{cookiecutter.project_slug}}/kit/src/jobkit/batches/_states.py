"""A key's state: what its class has to be like, and which states are at hand as objects."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Generic, TypeVar

from .. import _codec
from ..errors import ConfigurationError
from .function import KeyedFunction

S = TypeVar("S")


class Codec(_codec.Codec[S]):
    """Turns the states of a function into what is written of them, and back."""

    def __init__(self, function: KeyedFunction[Any, S]) -> None:
        """Look at a function's class of states.

        Raises:
            ConfigurationError: When it has none, or one that cannot be used.
        """
        kind = getattr(function, "state", None)
        name = type(function).__name__
        if not isinstance(kind, type):
            raise ConfigurationError(f"{name} does not say what its state is.", remedy="Give it an attribute: state = <a dataclass>.")
        migrates = type(function).migrate is not KeyedFunction.migrate
        super().__init__(kind, version=function.version, migrate=function.migrate, label=f"The state of {name}", migrates=migrates)
        _require_settable(kind)
        self._require_own_values()

    def new(self) -> S:
        """Return the state of a key that has none."""
        return self._kind()

    def _require_own_values(self) -> None:
        """Refuse a class of which no state can be made for a new key, or only such that share a list or dictionary."""
        try:
            one, other = self._values(self._kind()), self._values(self._kind())
        except TypeError as error:
            raise ConfigurationError(
                f"A state of {self._kind.__name__} cannot be made for a new key.", found=str(error), remedy="Give each field a default."
            ) from error
        for name, value, same in zip(self._names, one, other, strict=True):
            if value is same and not isinstance(value, Hashable):
                raise ConfigurationError(
                    f"All keys would share one {type(value).__name__}: the default of {self._kind.__name__}.{name}.",
                    found=repr(value)[:200],
                    remedy="Write field(default_factory=…).",
                )


def _require_settable(kind: type[Any]) -> None:
    """Refuse a class of states whose objects cannot be changed: what a function makes instead of one would not be kept."""
    dataclass_is = getattr(getattr(kind, "__dataclass_params__", None), "frozen", False)
    struct_is = getattr(getattr(kind, "__struct_config__", None), "frozen", False)
    if issubclass(kind, tuple) or dataclass_is or struct_is:
        raise ConfigurationError(
            f"A state is changed in place, and the fields of a {kind.__name__} cannot be set.",
            found="a NamedTuple" if issubclass(kind, tuple) else "frozen=True",
            remedy="Write a dataclass, or a Struct of msgspec's, that is not frozen.",
        )


class Cache(Generic[S]):
    """The states that were used last, by bucket and key, as objects: reading one costs more than most functions do.

    Two generations: when the young one is full it becomes the old one, and what is not used until it is full again is
    forgotten. So there are never more than twice as many states as it is made for.
    """

    def __init__(self, size: int) -> None:
        """Make an empty one; 0 keeps nothing."""
        self._size = size
        self._young: dict[Hashable, S] = {}
        self._old: dict[Hashable, S] = {}

    def get(self, key: Hashable) -> S | None:
        """Return a state, or None when it is not at hand."""
        state = self._young.get(key)
        if state is None:
            state = self._old.get(key)
            if state is not None:
                self.put(key, state)
        return state

    def put(self, key: Hashable, state: S) -> None:
        """Remember a state."""
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        if self._size:
            self._young[key] = state

    def drop(self, key: Hashable) -> None:
        """Forget a state."""
        self._young.pop(key, None)
        self._old.pop(key, None)
