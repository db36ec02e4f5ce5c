"""Broadcast state, which a function asks its context for with each element, by a descriptor that all know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream.state import MapStateDescriptor

from .._codec import Codec
from ._states import VersionedMap

S = TypeVar("S")


class BroadcastDescriptor(MapStateDescriptor, Generic[S]):  # type: ignore[misc]
    """Describes a broadcast state whose values are objects of a class; it stands where a MapStateDescriptor would.

    RULES = BroadcastDescriptor("rules", Types.STRING(), Rule, version=2, migrate=from_earlier)
    stream.connect(rules.broadcast(RULES))…                # in the pipeline
    RULES.of(ctx).get("limit"), RULES.of(ctx).put("limit", Rule(…))  # in the function
    """

    def __init__(
        self,
        name: str,
        key_type: TypeInformation,
        kind: type[S],
        *,
        version: int = 1,
        migrate: Callable[[int, tuple[Any, ...]], S] | None = None,
    ) -> None:
        """Describe the state.

        Args:
            name: The state's name.
            key_type: Flink's type of the map's keys, which cannot change.
            kind: The class: a dataclass, a NamedTuple or a Struct of msgspec's.
            version: Of the class. Count it up when its fields change.
            migrate: Makes an object of what an earlier version has left: it is given that version, and the values of the fields in order.

        Raises:
            ConfigurationError: When the class cannot be used.
        """
        super().__init__(name, key_type, Types.PICKLED_BYTE_ARRAY())
        self.codec: Codec[S] = Codec(
            kind, version=version, migrate=migrate, label=f"The broadcast state “{name}”", migrates=migrate is not None
        )

    def of(self, context: Any) -> VersionedMap[Any, S]:
        """Return the state, of the context that comes with an element; for the elements that are not broadcast it can only be read."""
        return VersionedMap(context.get_broadcast_state(self), self.codec, None, None)
