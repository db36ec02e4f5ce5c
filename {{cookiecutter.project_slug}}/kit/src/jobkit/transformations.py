"""What Flink's transformations say about an operator's state: the type of its key, the names of broadcast states."""

from __future__ import annotations

from typing import Any

from py4j.protocol import Py4JError
from pyflink.common.typeinfo import RowTypeInfo, _from_java_type

KEYED_KINDS = frozenset({"keyed-process", "keyed-co-process", "keyed-co-broadcast-process", "window"})
"""The kinds of Python operator whose state belongs to a key."""


def key_type(j_transformation: Any) -> str | None:
    """Return the type of the key of a keyed Python operator, as PyFlink writes it; None when it has no key."""
    try:
        j_type = j_transformation.getStateKeyType()
    except Py4JError:  # a transformation that cannot be keyed has no such method
        return None
    if j_type is None:
        return None
    text = str(j_type.toString())
    if text not in _read:
        _read[text] = _as_python(j_type, text)
    return _read[text]


_read: dict[str, str] = {}
"""Types by what Flink calls them: PyFlink asks the JVM for one class after the other until it knows which one it is."""


def _as_python(j_type: Any, text: str) -> str:
    try:
        row = _from_java_type(j_type)
    except TypeError:  # a type that PyFlink does not know
        return text
    # PyFlink wraps the user's key in a row of one field.
    return repr(row.get_field_types()[0]) if isinstance(row, RowTypeInfo) else repr(row)


def broadcast_names(j_transformation: Any) -> tuple[str, ...]:
    """Return the names of the broadcast states that an operator reads."""
    if not j_transformation.getClass().getSimpleName().endswith("BroadcastStateTransformation"):
        return ()  # its superclass is AbstractBroadcastStateTransformation; to ask takes a call to the JVM for each part of its name
    return tuple(descriptor.getName() for descriptor in j_transformation.getBroadcastStateDescriptors().toArray())


def connector(j_transformation: Any) -> str | None:
    """Return the class of the source or sink in a transformation, as its connector calls it; None when it has none."""
    try:
        return _class_name(j_transformation.getSource() if _has(j_transformation, "Source") else j_transformation.getSink())
    except Py4JError:  # it is of an interface of before Flink 1.14: a function in an operator
        return _function_class(j_transformation)


def _has(j_transformation: Any, part: str) -> bool:
    return str(j_transformation.getClass().getSimpleName()) == f"{part}Transformation"


def _function_class(j_transformation: Any) -> str | None:
    try:
        return _class_name(j_transformation.getOperatorFactory().getOperator().getUserFunction())
    except Py4JError:
        return None


def _class_name(j_object: Any) -> str:
    return str(j_object.getClass().getName()).rpartition(".")[2]
