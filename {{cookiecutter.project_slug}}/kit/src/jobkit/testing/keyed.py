"""A `jobkit.batches.KeyedFunction` alone, with its state and timers, and no JVM.

    operator = KeyedOperator(DelaysByHour(), Flight)
    operator.process("DTW", flight, flight)
    operator.advance_watermark(978_692_400_000)

Its output, its side outputs and a key's state are as the job would have them then.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import OutputTag, TimeDomain

from .._codec import as_tuple
from ..batches import KeyedFunction, _buckets, frames
from ..batches._keyed import TIMERS, Keyed
from ..batches._states import Codec
from ..batches.context import EVENT_TIME, PROCESSING_TIME
from ..batches.reading import dump
from .operators import Operator, Snapshot

R = TypeVar("R")
S = TypeVar("S")
_BUCKET = 0


class KeyedOperator(Generic[R, S]):
    """Runs a function as the job does: records are packed on their way to it, and its state is read and written.

    Each call of `process` is a batch of its own.
    """

    def __init__(
        self, function: KeyedFunction[R, S], record: type[R], *, key_type: TypeInformation | None = None, snapshot: Snapshot | None = None
    ) -> None:
        """Start a function, from a snapshot or without any state.

        Args:
            function: The function.
            record: The class of its records.
            key_type: Flink's type of the keys; by default a text.
            snapshot: What `snapshot` has returned; not necessarily of the same code. The watermark begins anew.

        Raises:
            ConfigurationError: When the class of the states, or of the records, cannot be used.
        """
        adapter = Keyed(function, record, key_type or Types.STRING(), 100_000)
        options: dict[str, Any] = {"key": lambda _batch: _BUCKET, "key_type": Types.INT()}
        self._operator = Operator(adapter, **options) if snapshot is None else Operator.restore(adapter, snapshot, **options)
        self._pack, self._codec = as_tuple(record), Codec(function)

    def process(self, key: Any, *records: R) -> None:
        """Process some records of one key, as one batch.

        Raises:
            ConfigurationError: When the key is none, or not of its type, or the function has returned something that is no result.
            FunctionFailed: When the function has raised something, which is its cause.
        """
        _buckets.key_group(key, 1)
        self._operator.process(dump([(_buckets.normal(key), [self._pack(record) for record in records])]))

    def advance_watermark(self, watermark: int) -> None:
        """Move event time on, in milliseconds; fires the timers up to it."""
        self._operator.advance_watermark(watermark)

    def advance_processing_time(self, time: int) -> None:
        """Move processing time, which begins at 0, on; fires the timers up to it."""
        self._operator.advance_processing_time(time)

    def end_of_input(self) -> None:
        """End a bounded input: every event-time timer fires."""
        self._operator.end_of_input()

    @property
    def output(self) -> list[str]:
        """What the main output has had so far; bytes that are no UTF-8 are in it as surrogates (`surrogateescape`)."""
        return [text.decode(errors="surrogateescape") for batch in self._operator.output for text in frames.split(batch)]

    def side_output(self, output_tag: OutputTag | str) -> list[bytes]:
        """Return what a side output has had so far."""
        return [text for batch in self._operator.side_output(output_tag) for text in frames.split(batch)]

    def state(self, key: Any) -> S | None:
        """Return what is kept of a key, as a snapshot would hold it; None when there is nothing."""
        packed = self._operator.state("states", key=_BUCKET).get(_buckets.normal(key))
        return None if packed is None else self._codec.unpack(packed)

    def timers(self, key: Any, domain: TimeDomain = TimeDomain.EVENT_TIME) -> list[int]:
        """Return the times of a key's timers that have not fired, in milliseconds."""
        name = TIMERS[EVENT_TIME if domain == TimeDomain.EVENT_TIME else PROCESSING_TIME]
        pending = self._operator.state(name, key=_BUCKET)
        return sorted(timestamp for timestamp, keys in pending.items() if key in keys)

    def snapshot(self) -> Snapshot:
        """Take a snapshot, which later steps do not change."""
        return self._operator.snapshot()
