"""From texts to batches of records, divided by key."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from pyflink.common import Row, Types, WatermarkStrategy
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, KeyedStream, OutputTag, RuntimeContext
from pyflink.datastream.functions import ProcessFunction
from pyflink.java_gateway import get_gateway

from .._codec import as_tuple
from ..errors import ConfigurationError
from . import _buckets, _garbage, _operators, frames
from ._keyed import Keyed
from .function import KeyedFunction
from .results import BATCH, Results

R = TypeVar("R")
BYTES_AS_TEXT = "ISO-8859-1"
"""The encoding in which texts travel: it has a character for each byte, so no byte is lost on the way."""
_REJECTED = OutputTag("rejected", BATCH)
_BUCKET = Types.INT()


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
        malformed: What `parse` raises for a text that is no record. Every other exception fails the job.
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
    parsing = Parsing(parse, pack, key, event_time, malformed, rejected, buckets)
    parsed = collected.process(parsing, Types.ROW([_BUCKET, Types.LONG(), BATCH])).name(uid).uid(uid)
    addressed = _operators.add(parsed, "Address", name=f"{uid}: by key", uid=f"{uid}-by-key", output=Types.ROW([_BUCKET, BATCH]))
    if watermarks is not None:
        addressed = addressed.assign_timestamps_and_watermarks(watermarks).name(f"{uid}: watermarks").uid(f"{uid}-watermarks")
    side = parsed.get_side_output(_REJECTED).name(f"{uid}: rejected").uid(f"{uid}-rejected")
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
        adapter = Keyed(function, self._record, key_type or Types.STRING(), self._batching.cached_states)
        return Results(keyed.process(adapter, BATCH).name(name).uid(uid), name, uid)


class Parsing(ProcessFunction):  # type: ignore[misc]
    """Parses batches of texts; emits, for each bucket, a batch of records by key.

    Attributes:
        key: Returns a record's key.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        parse: Callable[[bytes], Any],
        pack: Callable[[Any], tuple[Any, ...]],
        key: Callable[[Any], Hashable],
        event_time: Callable[[Any], int] | None,
        malformed: type[Exception],
        rejected: Callable[[bytes, Exception], str | bytes],
        buckets: tuple[int, ...],
    ) -> None:
        self._parse, self._pack, self.key, self._event_time = parse, pack, key, event_time
        self._malformed, self._rejected, self._buckets = malformed, rejected, buckets

    def open(self, runtime_context: RuntimeContext) -> None:  # noqa: ARG002  (PyFlink's name)
        """Prepare Python for batches."""
        _garbage.relax()

    def process_element(self, value: bytes, ctx: ProcessFunction.Context) -> Iterator[Any]:  # noqa: ARG002  (PyFlink's name)
        """Parse one batch."""
        parse, pack, key = self._parse, self._pack, self.key
        records, rejected = [], []
        for text in frames.split(value):
            try:
                records.append(parse(text))
            except self._malformed as error:  # noqa: PERF203  (one of them may fail, not all)
                rejected.append(self._rejected(text, error))
        by_key: dict[Hashable, list[Any]] = defaultdict(list)
        for each, packed in zip(map(key, records), map(pack, records), strict=True):
            by_key[each].append(packed)
        by_bucket: dict[int, list[tuple[Hashable, list[Any]]]] = defaultdict(list)
        count = len(self._buckets)
        for each, members in by_key.items():
            by_bucket[_buckets.key_group(each, count)].append((each, members))
        # No watermark may overtake a record that was collected with the one that it is made from: the last part brings it.
        earliest, latest = self._times(records)
        last = len(by_bucket) - 1
        for number, (group, parts) in enumerate(by_bucket.items()):
            yield Row(self._buckets[group], latest if number == last else earliest, dump(parts))
        if rejected:
            yield _REJECTED, frames.join(rejected)

    def _times(self, records: list[Any]) -> tuple[int | None, int | None]:
        """Return the earliest and the latest event time of some records."""
        if self._event_time is None or not records:
            return None, None
        times = list(map(self._event_time, records))
        return min(times), max(times)


def dump(parts: Iterable[tuple[Hashable, list[Any]]]) -> bytes:
    """Return the bytes of records by key, on their way from one operator to the next.

    They are in no snapshot whose barriers are aligned; an unaligned one holds what is on its way. Not by marshal, which is
    faster: without a word it makes bytes of a number of NumPy's, and of a bytearray.
    """
    return pickle.dumps(list(parts), pickle.HIGHEST_PROTOCOL)
