"""What the user writes: a function of one key, its state, and a list of records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Generic, TypeVar

from pyflink.datastream import OutputTag, RuntimeContext

from ..errors import ConfigurationError
from .context import Context

R = TypeVar("R")
S = TypeVar("S")
Result = str | bytes | tuple[OutputTag, str | bytes]


class KeyedFunction(Generic[R, S]):
    """A function over one key, its state, and a list of its records; subclass it.

    Attributes:
        state: The class of a key's state: a dataclass or a Struct of msgspec's whose fields can be set, made without arguments. They
            hold numbers, texts, bytes, None, and tuples, lists, sets and dictionaries of such; dates and decimals, too.
        version: Of the state's class. Count it up when its fields change, and write `migrate`.
    """

    state: ClassVar[type[Any]]
    version: ClassVar[int] = 1

    def open(self, runtime_context: RuntimeContext) -> None:
        """Prepare what all keys share, such as a connection or a metric; called once in each subtask, before everything else."""

    def close(self) -> None:
        """Release what `open` has made."""

    def process(self, key: Any, state: S, records: list[R], context: Context) -> Iterable[Result] | None:
        """Take some records of one key, in the order in which they came.

        Args:
            key: Their key.
            state: The key's state; a new one for a key that has none. What is changed in it is kept.
            records: At least one.
            context: Watermark, timers, and the means to forget the state.

        Returns:
            Texts (or bytes) for the main output, and pairs of an OutputTag and a text for a side output; None for nothing.
        """
        raise NotImplementedError

    def on_timer(self, key: Any, state: S, timestamp: int, context: Context) -> Iterable[Result] | None:
        """Do what a timer was registered for, and return what `process` may return.

        Args:
            key: The key that has registered it.
            state: The key's state.
            timestamp: When it was to fire, in milliseconds.
            context: As in `process`.
        """
        raise NotImplementedError(f"{type(self).__name__} registers timers, and has no on_timer.")

    def migrate(self, version: int, values: tuple[Any, ...]) -> S:
        """Make a state of what an earlier version of its class has left.

        Args:
            version: The `version` that wrote it.
            values: The values of its fields, in their order.
        """
        raise NotImplementedError(
            f"There is state of version {version} of {type(self).__name__}, which has version {self.version} and no migrate for it."
        )


class RecordFunction(KeyedFunction[R, S]):
    """A function over one key, its state, and one record; simpler to write, and not as fast."""

    def process_record(self, key: Any, state: S, record: R, context: Context) -> Iterable[Result] | None:
        """Take one record; arguments and results are as in `KeyedFunction.process`."""
        raise NotImplementedError

    def process(self, key: Any, state: S, records: list[R], context: Context) -> Iterable[Result]:
        """Take one after the other. After a `clear_state` the next finds a new state, as it would in the next batch."""
        for record in records:
            if context.is_cleared:
                state = context.renew(self.state())
            yield from one_by_one(self, self.process_record(key, state, record, context))


def one_by_one(function: KeyedFunction[Any, Any], results: Iterable[Result] | None) -> Iterable[Result]:
    """Return what a function has returned, as several results.

    Raises:
        ConfigurationError: When it is a single one, which Python would take apart.
    """
    if results is None:
        return ()
    if isinstance(results, (str, bytes)) or (isinstance(results, tuple) and results and isinstance(results[0], OutputTag)):
        raise ConfigurationError(
            f"{type(function).__name__} returned a single result.",
            found=repr(results)[:200],
            remedy="Return a list of results, or yield it.",
        )
    return results
