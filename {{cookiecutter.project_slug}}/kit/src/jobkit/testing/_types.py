"""Values as Flink's declared types hold them: what fits, and what comes back once it was written and read."""

from __future__ import annotations

import datetime as dt
import decimal
import numbers
import pickle
import struct
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from pyflink.common import Row
from pyflink.common.time import Instant
from pyflink.common.typeinfo import (
    BasicArrayTypeInfo,
    BasicType,
    BasicTypeInfo,
    DateTypeInfo,
    ListTypeInfo,
    MapTypeInfo,
    ObjectArrayTypeInfo,
    PrimitiveArrayTypeInfo,
    RowTypeInfo,
    TimestampTypeInfo,
    TimeTypeInfo,
    TupleTypeInfo,
    TypeInformation,
)

from ..errors import JobkitError

_BITS = {BasicType.BYTE: 8, BasicType.SHORT: 16, BasicType.INT: 32, BasicType.LONG: 64, BasicType.BIG_INT: 64}
_CLASSES: dict[BasicType, type] = {
    BasicType.STRING: str,
    BasicType.CHAR: str,
    BasicType.INSTANT: Instant,
}
_TIMES: dict[type, type] = {DateTypeInfo: dt.date, TimeTypeInfo: dt.time, TimestampTypeInfo: dt.datetime}
_ARRAYS = (BasicArrayTypeInfo, ObjectArrayTypeInfo, ListTypeInfo)
_NUMPY_BOOLEANS = ("bool", "bool_")


class WrongType(JobkitError):
    """A value that does not fit the type that was declared for it: Flink fails, or reads something else later."""


class _Misfit(Exception):
    """What is wrong with a value, before it is known where it was to go."""


def encode(value: Any, declared: TypeInformation, where: str, *, optional: bool = False) -> bytes:
    """Return a value as it is kept: later changes to the object do not reach it.

    Args:
        value: The value.
        declared: The type that was declared.
        where: What the value is for, such as `state total`.
        optional: Whether None fits.

    Raises:
        WrongType: When the value does not fit.
    """
    try:
        return pickle.dumps(_optional(value, declared) if optional else _fitted(value, declared))
    except _Misfit as misfit:
        found = f"{value!r} of the Python type {type(value).__name__}" + (f": {misfit}" if str(misfit) else "")
    except Exception as error:  # noqa: BLE001 - __reduce__ of the user's classes may raise anything
        found = f"{type(value).__name__} cannot be pickled: {error}"
    raise WrongType(
        f"A value does not fit the type {name(declared)}.",
        found=found,
        where=where,
        remedy="Declare the type that the values have, or write values of the declared type; clear() takes a value away.",
    )


def decode(content: bytes) -> Any:
    """Return a value that was kept: an object of its own each time."""
    return pickle.loads(content)  # noqa: S301 - it was pickled by `encode`


def copied(value: Any, declared: TypeInformation, where: str, *, optional: bool = False) -> Any:
    """Return a value as it arrives at the other side of a connection of that type."""
    return decode(encode(value, declared, where, optional=optional))


def name(declared: TypeInformation) -> str:
    """Return a type as its declaration reads, such as `MAP(STRING, LONG)`."""
    if isinstance(declared, BasicTypeInfo):
        return str(declared._basic_type.name)
    if isinstance(declared, MapTypeInfo):
        return f"MAP({name(declared._key_type_info)}, {name(declared._value_type_info)})"
    if isinstance(declared, (TupleTypeInfo, RowTypeInfo)):
        kind = "TUPLE" if isinstance(declared, TupleTypeInfo) else "ROW"
        return f"{kind}([{', '.join(name(field) for field in declared.get_field_types())}])"
    if isinstance(declared, ListTypeInfo):
        return f"LIST({name(declared.elem_type)})"
    return type(declared).__name__.removesuffix("TypeInfo")


def identity(value: Any) -> Hashable:
    """Return something that is equal for two keys when their serialised forms are: 1, 1.0 and True are three keys."""
    if isinstance(value, (tuple, list, Row)):
        return (type(value), *(identity(entry) for entry in value))
    try:
        hash(value)
    except TypeError:
        return (type(value), pickle.dumps(value))
    return (type(value), value)


def _fitted(value: Any, declared: TypeInformation) -> Any:
    """Return a value as its serialiser gives it back."""
    if isinstance(declared, BasicTypeInfo):
        return _basic(value, declared._basic_type)
    if isinstance(declared, TupleTypeInfo):
        _require(value, tuple)
        return tuple(_fields(value, declared, _fitted))
    if isinstance(declared, RowTypeInfo):
        return _row(value, declared)
    if isinstance(declared, MapTypeInfo):
        _require(value, dict)
        key, content = declared._key_type_info, declared._value_type_info
        return {_fitted(entry, key): _optional(value[entry], content) for entry in value}
    if isinstance(declared, _ARRAYS):
        _require(value, list)
        element = declared.elem_type if isinstance(declared, ListTypeInfo) else declared._element_type
        return [_optional(entry, element) for entry in value]
    return _primitive(value, declared._element_type) if isinstance(declared, PrimitiveArrayTypeInfo) else _other(value, declared)


def _basic(value: Any, kind: BasicType) -> Any:
    if kind in _BITS:
        _require(value, numbers.Integral)
        bound = 1 << (_BITS[kind] - 1)
        if not -bound <= int(value) < bound:
            raise _Misfit(f"it needs more than {_BITS[kind]} bits")
        return int(value)
    if kind in (BasicType.FLOAT, BasicType.DOUBLE):
        _require(value, numbers.Real, decimal.Decimal)
        return float(value) if kind is BasicType.DOUBLE else struct.unpack("f", struct.pack("f", value))[0]
    if kind is BasicType.BIG_DEC:
        _require(value, decimal.Decimal, numbers.Integral)
        return decimal.Decimal(value)
    if kind is BasicType.BOOLEAN:
        if not isinstance(value, numbers.Integral) and type(value).__name__ not in _NUMPY_BOOLEANS:
            raise _Misfit
        return bool(value)
    _require(value, _CLASSES[kind])
    return value


def _row(value: Any, declared: RowTypeInfo) -> Row:
    # get_field_names() would ask Java for the names of a type that has none.
    names = declared._field_names or [f"f{number}" for number in range(len(declared.get_field_types()))]
    _require(value, Row)
    if hasattr(value, "_fields"):
        missing = [field for field in names if field not in value._fields]
        if missing:
            raise _Misfit(f"it has no field {', '.join(missing)}")
    row = Row(*_fields(value.get_fields_by_names(names), declared, _optional))
    row.set_field_names(names)
    row.set_row_kind(value.get_row_kind())
    return row


def _fields(value: Any, declared: Any, fitted: Callable[[Any, TypeInformation], Any]) -> Iterable[Any]:
    types = declared.get_field_types()
    if len(value) != len(types):
        raise _Misfit(f"it has {len(value)} fields, not {len(types)}")
    return [fitted(entry, field) for entry, field in zip(value, types, strict=True)]


def _primitive(value: Any, element: TypeInformation) -> Any:
    if isinstance(element, BasicTypeInfo) and element._basic_type is BasicType.BYTE:
        _require(value, bytes, bytearray)
        return bytes(value)
    _require(value, list)
    return [_fitted(entry, element) for entry in value]


def _other(value: Any, declared: TypeInformation) -> Any:
    """Return a date or a time, which Flink keeps in milliseconds, or what only has to be pickled."""
    for kind, wanted in _TIMES.items():
        if isinstance(declared, kind):
            _require(value, wanted)
    if isinstance(declared, DateTypeInfo):
        return dt.date(value.year, value.month, value.day)
    if isinstance(declared, (TimeTypeInfo, TimestampTypeInfo)):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value


def _optional(value: Any, declared: TypeInformation) -> Any:
    """Return a field's value, which may be missing, as a state's own may not."""
    return None if value is None else _fitted(value, declared)


def _require(value: Any, *classes: type) -> None:
    if not isinstance(value, classes):
        raise _Misfit
