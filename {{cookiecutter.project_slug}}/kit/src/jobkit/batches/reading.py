"""From texts to batches of records, divided by key."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from pyflink.common import Types, WatermarkStrategy
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, KeyedStream
from pyflink.java_gateway import get_gateway

from .._codec import as_tuple
from ..errors import ConfigurationError
from . import _buckets, _operators
from ._keyed import Keyed
from ._parsing import REJECTED, Parsing, dump
from .function import KeyedFunction
from .results import BATCH, Results

__all__ = ["BYTES_AS_TEXT", "Batching", "KeyedBatches", "Parsing", "Read", "dump", "read"]

R = TypeVar("R")
BYTES_AS_TEXT = "ISO-8859-1"
"""The encoding in which texts travel: it has a character for each byte, so no byte is lost on the way."""
_BUCKET = Types.INT()
_DAY, _INTEGER = 24 * 3_600_000, 2**31 - 1


@dataclass(frozen=True)
class Batching:
    """How long records are collected.

    Attributes:
        within: The longest that a record waits for others, in milliseconds: what batches cost in latency. 0 makes a batch of each
            record.
        at_most: How many records a batch has at most.
        cached_states: How many keys' states each subtask keeps as objects, for when the key comes again; 0 keeps none.
    """

    within: int = 100
    at_most: int = 10_000
    cached_states: int = 100_000

    def __post_init__(self) -> None:
        """Refuse what would hold records for ever, or none.

        Raises:
            ConfigurationError: When one of them is no whole number, or out of its bounds.
        """
        for name, least, most in (("within", 0, _DAY), ("at_most", 1, _INTEGER), ("cached_states", 0, _INTEGER)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise ConfigurationError(
                    f"Batching({name}=…) takes a whole number from {least} to {most}.",
                    found=repr(value),
                    remedy="within is in milliseconds, at_most in records, cached_states in keys.",
                )


if TYPE_CHECKING:

    class Read(NamedTuple, Generic[R]):
        """What `read` returns."""

        records: KeyedBatches[R]
        rejected: Results

else:  # Python 3.10 has no generic NamedTuple

    class Read(NamedTuple):
        """What `read` returns.

        Attributes:
            records: The records, by key.
            rejected: What could not be parsed, as `rejected` has it.
        """

        records: KeyedBatches
        rejected: Results


def read(  # noqa: PLR0913  (each is a decision of the job's)
    values: DataStream,
    parse: Callable[[bytes], R],
    *,
    record: type[R],
    key: Callable[[R], Hashable],
    uid: str,
    event_time: Callable[[R], int] | None = None,
    watermarks: WatermarkStrategy | None = None,
    malformed: type[Exception] = ValueError,
    rejected: Callable[[bytes, Exception], str | bytes],
    batching: Batching = Batching(),
) -> Read[R]:
    """Parse texts into records, and divide them by key.

    Args:
        values: Texts in ISO 8859-1, which has a character for each byte: `SimpleStringSchema("ISO-8859-1")` makes them.
        parse: Makes a record of a text's bytes.
        record: The record's class: a dataclass, a NamedTuple or a Struct of msgspec's. Records are made again of their fields in the
            process of the function: `__post_init__` is called once more, and what a subclass adds is not sent.
        key: Returns a record's key: a text or, with `key_type`, a number.
        uid: The operator's uid. What is added on the way gets uids that begin with it.
        event_time: Returns a record's event time, in milliseconds since 1970.
        watermarks: Made from the latest event time of each batch, and sent after all of its records.
        malformed: What `parse` raises for a text that is no record; `key` and `event_time`, too, for a record that has none. Every
            other exception fails the job.
        rejected: Makes a text for the stream of rejected records, from the bytes and the exception.
        batching: How long records are collected.

    Raises:
        ConfigurationError: When the maximum parallelism is not set, `record` is no such class, or `watermarks` are to be made of no times.
    """
    _require_times(watermarks, event_time)
    environment = values._j_data_stream.getExecutionEnvironment()
    buckets = _buckets.of_key_groups(environment.getMaxParallelism())
    pack = as_tuple(record)
    limits = (batching.at_most, get_gateway().jvm.java.lang.Long(batching.within))
    collected = _operators.add(values, "Collect", *limits, name=f"{uid}: batches", uid=f"{uid}-batches", output=BATCH)
    parsing = Parsing(parse, pack, key, event_time, malformed, rejected, buckets, record, uid)
    parsed = collected.process(parsing, Types.ROW([_BUCKET, Types.LONG(), BATCH])).name(uid).uid(uid)
    addressed = _operators.add(parsed, "Address", name=f"{uid}: by key", uid=f"{uid}-by-key", output=Types.ROW([_BUCKET, BATCH]))
    if watermarks is not None:
        addressed = addressed.assign_timestamps_and_watermarks(watermarks).name(f"{uid}: watermarks").uid(f"{uid}-watermarks")
    side = parsed.get_side_output(REJECTED).name(f"{uid}: rejected").uid(f"{uid}-rejected")
    return Read(KeyedBatches(addressed, record, batching), Results(side, f"{uid}: rejected", f"{uid}-rejected"))


def _require_times(watermarks: WatermarkStrategy | None, event_time: Callable[[Any], int] | None) -> None:
    """Refuse a watermark that would never move, and one that looks for its time in a batch."""
    if watermarks is None:
        return
    if watermarks._timestamp_assigner is not None:
        raise ConfigurationError(
            "The watermarks are made of the times that `event_time` returns.",
            found="a WatermarkStrategy with a timestamp assigner, which would get batches",
            where="watermarks, given to jobkit.batches.read",
            remedy="Leave with_timestamp_assigner out, and give its function, of a record, as event_time=….",
        )
    if event_time is None:
        raise ConfigurationError(
            "Watermarks need event times: without them none comes before the input ends.",
            found="watermarks, and no event_time",
            where="jobkit.batches.read",
            remedy="Give it event_time=…, a function of a record that returns milliseconds since 1970.",
        )


class KeyedBatches(Generic[R]):
    """Records by key, in batches."""

    def __init__(self, addressed: DataStream, record: type[R], batching: Batching) -> None:
        """Divide batches over the subtasks.

        Args:
            addressed: A stream of rows of bucket and batch.
            record: The class of the records.
            batching: How they were collected.
        """
        self._addressed, self._record, self._batching = addressed, record, batching

    def process(
        self, function: KeyedFunction[R, Any], *, uid: str, name: str | None = None, key_type: TypeInformation | None = None
    ) -> Results:
        """Call a function for each key of each batch.

        Args:
            function: What to call.
            uid: The operator's uid: by it Flink finds its state again.
            name: The operator's name; by default the uid.
            key_type: Flink's type of the key: by default a text; `Types.LONG()` for whole numbers.

        Returns:
            The texts that it returned.

        Raises:
            ConfigurationError: When the class of its states, or the type of the key, cannot be used.
        """
        name = name or uid
        key = Types.ROW([_BUCKET])
        j_keyed = self._addressed._j_data_stream.keyBy(get_gateway().jvm.KeyByKeySelector(), key.get_java_type_info())
        keyed = KeyedStream(j_keyed, BATCH, self._addressed)
        adapter = Keyed(function, self._record, key_type or Types.STRING(), self._batching.cached_states, uid)
        return Results(keyed.process(adapter, BATCH).name(name).uid(uid), name, uid)
