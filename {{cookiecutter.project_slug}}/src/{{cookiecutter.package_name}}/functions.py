"""The job's functions: Flink's side of records.py, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from jobkit.batches import Context, KeyedFunction
from pyflink.common import Types
from pyflink.datastream import OutputTag

from .records import HOUR, NONE, Delays, Flight, add

LATE = OutputTag("late", Types.STRING())


@dataclass
class Hours:
    """What is kept of an airport.

    Attributes:
        delays: The hours that are not over yet, each with the fields of its `Delays` so far.
        emitted: The last hour that was emitted, or None.
    """

    delays: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    emitted: int | None = None


class DelaysByHour(KeyedFunction[Flight, Hours]):
    """Count the delays of one airport's flights, and emit each hour once it is over.

    An hour is over when the watermark has passed it; a flight that comes after that goes to `LATE`, as it was read.
    Snapshots do not hold the watermark: after a restart it begins anew. So the last hour that was emitted is part of the
    state, and no hour is emitted twice.
    """

    state = Hours

    def process(self, key: str, state: Hours, records: list[Flight], context: Context) -> Iterator[tuple[OutputTag, bytes]]:
        """Add flights to their hours."""
        for flight in records:
            hour = flight.hour
            end = hour + HOUR - 1
            if end <= context.watermark or (state.emitted is not None and hour <= state.emitted):
                yield LATE, flight.original
                continue
            so_far = state.delays.get(hour)
            if so_far is None:
                context.register_event_time_timer(end)
            state.delays[hour] = add(so_far or NONE, flight.delay)

    def on_timer(self, key: str, state: Hours, timestamp: int, context: Context) -> Iterator[bytes]:
        """Emit the hour that is over, and forget it."""
        hour = timestamp + 1 - HOUR
        yield Delays(*state.delays.pop(hour)).to_json(key, hour)
        state.emitted = hour
