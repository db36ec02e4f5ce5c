"""A key's state: how it becomes bytes, and which states are at hand as objects."""

from __future__ import annotations

import dataclasses
import inspect
import io
import marshal
import pickle
from collections.abc import Callable, Hashable
from operator import attrgetter
from typing import Any, Generic, TypeVar

from ..errors import ConfigurationError
from ..sources import as_written
from .function import KeyedFunction

S = TypeVar("S")
_LASTING = {"builtins", "collections", "datetime", "decimal", "fractions", "uuid", "zoneinfo"}
_FIELD = "_FIELD"
"""How a dataclass marks what is a field, and neither a ClassVar nor an InitVar."""


def fields_of(kind: type[Any]) -> tuple[str, ...]:
    """Return the fields of a state's, or a record's, class.

    Raises:
        ConfigurationError: When it is neither a dataclass, nor a NamedTuple, nor a Struct of msgspec's.
    """
    if dataclasses.is_dataclass(kind):
        # dataclasses.fields() finds none in a class that was pickled by value, as those of a script and of a test are: it asks
        # whether each field's mark is the very object that the module has, and not a copy.
        fields: dict[str, Any] = kind.__dataclass_fields__
        names = tuple(name for name, field in fields.items() if field._field_type.name == _FIELD)
        _require_positional(kind, names)
        return names
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return tuple(kind._fields)
    if isinstance(kind, type) and hasattr(kind, "__struct_fields__"):  # jobkit needs no msgspec, so it does not import it
        _require_importable(kind)
        names = tuple(kind.__struct_fields__)
        _require_positional(kind, names)
        return names
    raise ConfigurationError(
        "A class of states, or of records, is a dataclass, a NamedTuple or a Struct of msgspec's.",
        found=f"{kind!r}",
        remedy="Write @dataclass above it, and give each field a default.",
    )


def _require_positional(kind: type[Any], names: tuple[str, ...]) -> None:
    """Refuse a class that cannot be made again of the values of its fields."""
    parameters = inspect.signature(kind).parameters.values()
    if [each.name for each in parameters] != list(names) or any(each.kind is each.KEYWORD_ONLY for each in parameters):
        raise ConfigurationError(
            f"A {kind.__name__} cannot be made of the values of its fields, {', '.join(names)}.",
            found=f"{kind.__name__}{inspect.signature(kind)}",
            remedy="Write the class without kw_only, init=False, InitVar and an __init__ of its own.",
        )


def _require_importable(kind: type[Any]) -> None:
    """Refuse a Struct of the script that is run: its class would be sent by value, and arrive without its fields."""
    if kind.__module__ == "__main__":
        raise ConfigurationError(
            f"{kind.__name__} is a Struct of msgspec's, which TaskManagers have to import.",
            found="it is in the script that is run",
            remedy="Move it into a module of its own.",
        )


def as_tuple(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that turns an object of a class into the tuple of its fields."""
    names = fields_of(kind)
    if issubclass(kind, tuple):
        return tuple
    if len(names) == 1:
        name = names[0]
        return lambda value: (getattr(value, name),)
    return attrgetter(*names)


class Codec(Generic[S]):
    """Turns states into what is written of them, and back: the version, and the values of the fields.

    None of the user's classes is named in it: these may be moved and renamed.
    """

    def __init__(self, function: KeyedFunction[Any, S]) -> None:
        """Look at a function's class of states.

        Raises:
            ConfigurationError: When it has none, or one that cannot be used.
        """
        kind = getattr(function, "state", None)
        if not isinstance(kind, type):
            raise ConfigurationError(
                f"{type(function).__name__} does not say what its state is.", remedy="Give it an attribute: state = <a dataclass>."
            )
        self._kind, self._function = kind, function
        self._values = as_tuple(kind)
        self._names = fields_of(kind)
        _require_settable(kind)
        self._require_own_values()

    def described(self) -> dict[str, Any]:
        """Return what has to stay as it is while there is state: the version and the fields; and whether older ones are migrated."""
        hints = {name: hint for kind in reversed(self._kind.__mro__) for name, hint in vars(kind).get("__annotations__", {}).items()}
        fields = [(name, as_written(hints.get(name, "Any"))) for name in self._names]
        migrates = type(self._function).migrate is not KeyedFunction.migrate
        return {"version": self._function.version, "fields": fields, "migrates": migrates}

    def new(self) -> S:
        """Return the state of a key that has none."""
        state: S = self._kind()
        return state

    def pack(self, state: S) -> tuple[Any, ...]:
        """Return what is written of a state: the version and the values of the fields, which Flink's side pickles.

        Raises:
            ConfigurationError: When it holds an object of the user's classes.
        """
        values = self._values(state)
        if not _is_plain(values):
            self._require_lasting(values)
        return self._function.version, values

    def unpack(self, packed: tuple[Any, ...]) -> S:
        """Return the state of what was written, migrated if that is of another version.

        Raises:
            ConfigurationError: When a later version wrote it, or it holds another number of fields.
        """
        version, values = packed
        if version != self._function.version:
            if version > self._function.version:
                raise ConfigurationError(
                    f"The state of {type(self._function).__name__} was written by later code than this.",
                    found=f"version {version}, and the function has version {self._function.version}",
                    remedy="Deploy the code that wrote it, or start this code from a snapshot that is older than that.",
                )
            return self._function.migrate(version, values)
        if len(values) != len(self._names):
            raise ConfigurationError(
                f"The state of {type(self._function).__name__} was written with other fields.",
                found=f"{len(values)} values, for the fields {', '.join(self._names)}",
                remedy="Count up its `version`, and write `migrate`.",
            )
        state: S = self._kind(*values)
        return state

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

    def _require_lasting(self, values: tuple[Any, ...]) -> None:
        """Refuse classes of the user's: state that names one could not be read after it was moved or renamed."""
        try:
            content = pickle.dumps(values)
        except Exception as error:
            raise ConfigurationError(
                f"The state of {type(self._function).__name__} holds something that cannot be written.",
                found=f"{type(error).__name__}: {error}",
                remedy="Keep plain values in it: numbers, texts, tuples, dictionaries. Make connections and locks in open().",
            ) from error
        try:
            _Lasting(io.BytesIO(content)).load()
        except pickle.UnpicklingError as error:
            raise ConfigurationError(
                f"The state of {type(self._function).__name__} holds an object of the class {error}.",
                found=repr(values)[:200],
                remedy="Keep plain values in it: numbers, texts, tuples, dictionaries. Make objects of them where they are used.",
            ) from None


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


def _is_plain(values: tuple[Any, ...]) -> bool:
    """Return whether it is sure that there is nothing in it but Python's own types.

    By marshal, which is by far the quickest to look. It knows no classes but Python's own, and makes bytes of whatever has a buffer,
    such as a number of NumPy's: so what comes back has to be what went in.
    """
    try:
        return bool(marshal.loads(marshal.dumps(values)) == values)  # noqa: S302  (of this very process)
    except ValueError:
        return False


class _Lasting(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] not in _LASTING:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return super().find_class(module, name)


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
