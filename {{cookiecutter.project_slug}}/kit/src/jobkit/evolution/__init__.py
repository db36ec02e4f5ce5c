"""Keep objects of a class in the state of PyFlink's own functions, in a form in which the class can change.

    def open(self, runtime_context):
        self.account = evolution.value_state(runtime_context, "account", Account, version=2, migrate=from_earlier)

What is written is the version and the values of the fields. What an earlier version has written is given to `migrate` when it is
read, and is written anew when it is next updated. A state that is there already, of any type of Flink's, becomes such a one:

        self.account = evolution.value_state(
            runtime_context, "account", Account,
            before=ValueStateDescriptor("count", Types.LONG()), convert=lambda count: Account(count=count),
        )

Each key of the old state goes over to the new one when it is read for the first time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream.functions import KeyedStateStore
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, StateDescriptor, StateTtlConfig, ValueStateDescriptor

from .._codec import Codec
from ..errors import ConfigurationError
from ._broadcast import BroadcastDescriptor
from ._states import VersionedList, VersionedMap, VersionedValue

__all__ = ["BroadcastDescriptor", "VersionedList", "VersionedMap", "VersionedValue", "list_state", "map_state", "value_state"]

K = TypeVar("K")
S = TypeVar("S")
Migrate = Callable[[int, tuple[Any, ...]], S]
_PICKLED = Types.PICKLED_BYTE_ARRAY()


def value_state(  # noqa: PLR0913 - what a state is, what it was, and how long it lives
    runtime_context: KeyedStateStore,
    name: str,
    kind: type[S],
    *,
    version: int = 1,
    migrate: Migrate[S] | None = None,
    before: StateDescriptor | Sequence[StateDescriptor] = (),
    convert: Callable[..., S] | None = None,
    ttl: StateTtlConfig | None = None,
) -> VersionedValue[S]:
    """Return a state that holds one object for each key.

    Args:
        runtime_context: What `open` was given.
        name: The state's name; one that no state of the function had.
        kind: The class: a dataclass, a NamedTuple or a Struct of msgspec's.
        version: Of the class. Count it up when its fields change.
        migrate: Makes an object of what an earlier version has left: it is given that version, and the values of the fields in their order.
        before: The state, or states, whose place this one takes: values, lists or maps, each as it was described.
        convert: Makes an object of what is in them: of a value (None where there is none), a list, a dictionary, in the order of `before`.
            It is called for a key for which any of them holds something.
        ttl: The time to live. It begins anew for what is taken over.

    Raises:
        ConfigurationError: When the class, or what is given with it, cannot be used.
    """
    olds = (before,) if isinstance(before, StateDescriptor) else tuple(before)
    _require_both(name, olds, convert)
    _require(name, olds, (ValueStateDescriptor, ListStateDescriptor, MapStateDescriptor))
    codec = _codec(runtime_context, name, kind, version, migrate)
    state = runtime_context.get_state(_described(ValueStateDescriptor(name, _PICKLED), codec, ttl))
    return VersionedValue(state, codec, [_get(runtime_context, old) for old in olds], convert)


def list_state(  # noqa: PLR0913 - as above
    runtime_context: KeyedStateStore,
    name: str,
    kind: type[S],
    *,
    version: int = 1,
    migrate: Migrate[S] | None = None,
    before: ListStateDescriptor | None = None,
    convert: Callable[[Any], S] | None = None,
    ttl: StateTtlConfig | None = None,
) -> VersionedList[S]:
    """Return a state that holds a list of objects for each key.

    Args:
        runtime_context: As for a value.
        name: As for a value.
        kind: As for a value.
        version: As for a value.
        migrate: As for a value; each object of a list has the version that wrote it.
        before: The list whose place this one takes; all of it when it is read for the first time.
        convert: Makes an object of one entry of that.
        ttl: The time to live of each object.

    Raises:
        ConfigurationError: When the class, or what is given with it, cannot be used.
    """
    olds = () if before is None else (before,)
    _require_both(name, olds, convert)
    _require(name, olds, (ListStateDescriptor,))
    codec = _codec(runtime_context, name, kind, version, migrate)
    state = runtime_context.get_list_state(_described(ListStateDescriptor(name, _PICKLED), codec, ttl))
    return VersionedList(state, codec, None if before is None else runtime_context.get_list_state(before), convert)


def map_state(  # noqa: PLR0913 - as above, and the type of its keys, as a MapStateDescriptor has it
    runtime_context: KeyedStateStore,
    name: str,
    key_type: TypeInformation,
    kind: type[S],
    *,
    version: int = 1,
    migrate: Migrate[S] | None = None,
    before: MapStateDescriptor | None = None,
    convert: Callable[[Any], S] | None = None,
    ttl: StateTtlConfig | None = None,
) -> VersionedMap[Any, S]:
    """Return a state that holds a map for each key, whose values are objects.

    Args:
        runtime_context: As for a value.
        name: As for a value.
        key_type: Flink's type of the map's keys, which cannot change.
        kind: As for a value.
        version: As for a value.
        migrate: As for a value; each object has the version that wrote it.
        before: The map whose place this one takes, with keys of the same type: an entry when it is read for the first time, all of them
            when the map is iterated over.
        convert: Makes an object of one value of that.
        ttl: The time to live of each entry.

    Raises:
        ConfigurationError: When the class, or what is given with it, cannot be used.
    """
    olds = () if before is None else (before,)
    _require_both(name, olds, convert)
    _require(name, olds, (MapStateDescriptor,))
    _require_keys(name, key_type, before)
    codec = _codec(runtime_context, name, kind, version, migrate)
    state = runtime_context.get_map_state(_described(MapStateDescriptor(name, key_type, _PICKLED), codec, ttl))
    return VersionedMap(state, codec, None if before is None else runtime_context.get_map_state(before), convert)


def _codec(runtime_context: KeyedStateStore, name: str, kind: type[S], version: int, migrate: Migrate[S] | None) -> Codec[S]:
    if type(version) is not int or version < 1:
        raise ConfigurationError(f"The version of the state “{name}” is a number from 1 on.", found=repr(version))
    task = _task(runtime_context)
    label = f"The state “{name}”" + (f" of “{task}”" if task else "")
    return Codec(kind, version=version, migrate=migrate, label=label, migrates=migrate is not None)


def _task(runtime_context: KeyedStateStore) -> str | None:
    """Return the name of the task that the function runs in, for errors; None when there is no telling."""
    with contextlib.suppress(AttributeError):
        return str(runtime_context.get_task_name())
    with contextlib.suppress(AttributeError):  # in thread mode PyFlink asks for what Flink 2 has no longer
        return str(runtime_context._runtime_context.getTaskInfo().getTaskName())
    return None


def _described(descriptor: StateDescriptor, codec: Codec[Any], ttl: StateTtlConfig | None) -> StateDescriptor:
    """Return a descriptor that tells what is in the state, for those who open functions to see it."""
    descriptor.codec = codec
    if ttl is not None:
        descriptor.enable_time_to_live(ttl)
    return descriptor


def _get(runtime_context: KeyedStateStore, descriptor: StateDescriptor) -> Any:
    if isinstance(descriptor, ListStateDescriptor):
        return runtime_context.get_list_state(descriptor)
    return (
        runtime_context.get_map_state(descriptor) if isinstance(descriptor, MapStateDescriptor) else runtime_context.get_state(descriptor)
    )


def _require_both(name: str, olds: Sequence[StateDescriptor], convert: Callable[..., Any] | None) -> None:
    if bool(olds) != (convert is not None):
        given, missing = ("before", "convert") if olds else ("convert", "before")
        raise ConfigurationError(
            f"The state “{name}” has {given}, and no {missing}.",
            remedy="Give both: the descriptor of the state whose place it takes, and a function that makes an object of what is in that.",
        )


def _require(name: str, olds: Sequence[StateDescriptor], kinds: tuple[type[StateDescriptor], ...]) -> None:
    for old in olds:
        if not isinstance(old, kinds):
            raise ConfigurationError(
                f"The state “{name}” cannot take the place of such a state.",
                found=type(old).__name__,
                remedy=f"Give a {' or '.join(kind.__name__ for kind in kinds)}.",
            )
        if old.name == name:
            raise ConfigurationError(
                f"The state “{name}” takes the place of one that has the same name.",
                remedy="Give the new one a name that no state had: Flink would read what is there as something else.",
            )


def _require_keys(name: str, key_type: TypeInformation, before: MapStateDescriptor | None) -> None:
    if key_type == _PICKLED:
        raise ConfigurationError(
            f"The keys of the map “{name}” are pickled: they would not be found again in each mode and state backend.",
            remedy="Take a type of Flink's, such as Types.STRING() or Types.LONG().",
        )
    if before is not None and before.type_info._key_type_info != key_type:
        raise ConfigurationError(
            f"The map “{name}” has keys of another type than the one whose place it takes.",
            found=f"{key_type}, where “{before.name}” has {before.type_info._key_type_info}",
            remedy="Keep the type of the keys.",
        )
