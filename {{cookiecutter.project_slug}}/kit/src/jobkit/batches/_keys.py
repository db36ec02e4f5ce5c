"""Of which class the keys of a function are: what Python calls a text or a number has to be one of Flink's type."""

from __future__ import annotations

from typing import Any, NoReturn

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation

from ..errors import ConfigurationError
from . import _failures

LEAST, MOST = -(2**63), 2**63 - 1
"""The bounds of a Long."""
_INSTEAD = {
    (int, int): "Let `key` return a text: a Long has 64 bits.",
    (str, int): "Say key_type=Types.LONG() in process(…), or let `key` return a text.",
    (str, float): "Say key_type=Types.DOUBLE() in process(…), or let `key` return a text.",
    (int, str): "Leave key_type out of process(…): a key is a text by default. Or let `key` return int(…).",
    (int, float): "Let `key` return int(…), or say key_type=Types.DOUBLE() in process(…).",
    (float, str): "Leave key_type out of process(…): a key is a text by default. Or let `key` return float(…).",
    (float, int): "Let `key` return float(…), or say key_type=Types.LONG() in process(…).",
}
_NAMES = {str: "a text", int: "a whole number, a Long", float: "a number, a Double"}


def class_of(key_type: TypeInformation) -> type[Any]:
    """Return the class that keys of a type have in Python.

    Refuse those that Java's maps do not find again: arrays, which is what tuples, bytes and pickled objects become.
    And numbers that Java does not get from Python: each whole one comes as a Long.

    Raises:
        ConfigurationError: When it is another type than a text, a Long or a Double.
    """
    for known, kind in ((Types.STRING(), str), (Types.LONG(), int), (Types.DOUBLE(), float)):
        if key_type == known:
            return kind
    raise ConfigurationError(
        "The key of a batch is a text or a number: another would not find its state in Flink's hashmap backend.",
        found=str(key_type),
        where="key_type",
        remedy="Take Types.LONG() for whole numbers, Types.DOUBLE() for others, or let `key` make one text of the parts of a key.",
    )


def refuse(key: Any, kind: type[Any], place: str) -> NoReturn:
    """Say that a key is not of the class of its type; Java would, of a cast that fails, or find another state.

    Raises:
        ConfigurationError: With what to write.
    """
    error = ConfigurationError(
        f"A key is not of its type, which is {_NAMES[kind]}.",
        found=f"{_failures.shortened(key)}, of the class {type(key).__qualname__}",
        where=place,
        remedy=_INSTEAD.get((kind, type(key)), "Let `key` return a text or a number, and say key_type=… in process(…) if it is a number."),
    )
    raise _failures.told(error)
