"""How an object of a class of the user's becomes what is kept of it in Flink's state, and comes back."""

from __future__ import annotations

import dataclasses
import inspect
import io
import marshal
import pickle
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Generic, TypeVar

from .errors import ConfigurationError
from .sources import as_written

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
    """Turns objects of a class into what is written of them, and back: the version, and the values of the fields.

    None of the user's classes is named in it: these may be moved and renamed.
    """

    def __init__(
        self, kind: type[S], *, version: int, migrate: Callable[[int, tuple[Any, ...]], S] | None, label: str, migrates: bool
    ) -> None:
        """Look at a class.

        Args:
            kind: The class.
            version: Of the class; what is written bears it.
            migrate: Makes an object of the version and the values that an earlier one has written; None when there is no earlier one.
            label: What errors call the state, to begin a sentence.
            migrates: Whether `migrate` makes anything.

        Raises:
            ConfigurationError: When the class cannot be used.
        """
        self._kind, self._version, self._migrate, self._label, self._migrates = kind, version, migrate, label, migrates
        self._values = as_tuple(kind)
        self._names = fields_of(kind)

    def described(self) -> dict[str, Any]:
        """Return what has to stay as it is while there is state: the version and the fields; and whether older ones are migrated."""
        hints = {name: hint for kind in reversed(self._kind.__mro__) for name, hint in vars(kind).get("__annotations__", {}).items()}
        fields = [(name, as_written(hints.get(name, "Any"))) for name in self._names]
        return {"version": self._version, "fields": fields, "migrates": self._migrates}

    def require(self, value: object) -> None:
        """Refuse an object of another class.

        Raises:
            ConfigurationError: When it is one.
        """
        if type(value) is not self._kind:
            raise ConfigurationError(
                f"{self._label} takes objects of the class {self._kind.__name__}.",
                found=f"{value!r}, of the class {type(value).__name__}"[:200],
                remedy=f"Make a {self._kind.__name__} of it." + (" To forget what is there, call clear()." if value is None else ""),
            )

    def pack(self, state: S) -> tuple[Any, ...]:
        """Return what is written of an object: the version and the values of the fields, which Flink's side pickles.

        Raises:
            ConfigurationError: When it holds an object of the user's classes.
        """
        values = self._values(state)
        if not _is_plain(values):
            self._require_lasting(values)
        return self._version, values

    def unpack(self, packed: tuple[Any, ...]) -> S:
        """Return the object of what was written, migrated if that is of an earlier version.

        Raises:
            ConfigurationError: When it is of a later version, or of an earlier one and there is no `migrate`, or has other fields, or when
                something else has been written.
        """
        try:
            version, values = packed
        except (TypeError, ValueError):
            raise self._foreign(packed) from None
        if version != self._version:
            return self._migrated(version, values)
        if len(values) != len(self._names):
            raise ConfigurationError(
                f"{self._label} was written with other fields.",
                found=f"{len(values)} values, for the fields {', '.join(self._names)}",
                remedy="Count up its `version`, and write `migrate`.",
            )
        return self._kind(*values)

    def _foreign(self, packed: object) -> ConfigurationError:
        return ConfigurationError(
            f"{self._label} was not written with a version.",
            found=repr(packed)[:200],
            remedy="Give it a name that no state had. What is in the old one it can take over: before=… and convert=… of jobkit.evolution.",
        )

    def _migrated(self, version: int, values: tuple[Any, ...]) -> S:
        if type(version) is not int or type(values) is not tuple:
            raise self._foreign((version, values))
        if version > self._version:
            raise ConfigurationError(
                f"{self._label} was written by a newer version of the job.",
                found=f"version {version}, where this one has version {self._version}",
                remedy="Start the newer one, or start this one from a snapshot that was taken before it.",
            )
        if self._migrate is None:
            raise ConfigurationError(
                f"{self._label} was written in version {version}, has version {self._version} and no migrate for it.",
                found=repr(values)[:200],
                remedy=f"Give it migrate=…: a function of the version and the values that returns a {self._kind.__name__}.",
            )
        migrated = self._migrate(version, values)
        if not isinstance(migrated, self._kind):
            raise ConfigurationError(
                f"What migrate has made of version {version} is no {self._kind.__name__}: {self._label[0].lower()}{self._label[1:]}.",
                found=repr(migrated)[:200],
                remedy=f"Return a {self._kind.__name__} for each version before {self._version}.",
            )
        return migrated

    def _require_lasting(self, values: tuple[Any, ...]) -> None:
        """Refuse classes of the user's: state that names one could not be read after it was moved or renamed."""
        try:
            content = pickle.dumps(values)
        except Exception as error:
            raise ConfigurationError(
                f"{self._label} holds something that cannot be written.",
                found=f"{type(error).__name__}: {error}",
                remedy="Keep plain values in it: numbers, texts, tuples, dictionaries. Make connections and locks in open().",
            ) from error
        try:
            _Lasting(io.BytesIO(content)).load()
        except pickle.UnpicklingError as error:
            raise ConfigurationError(
                f"{self._label} holds an object of the class {error}.",
                found=repr(values)[:200],
                remedy="Keep plain values in it: numbers, texts, tuples, dictionaries. Make objects of them where they are used.",
            ) from None


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
