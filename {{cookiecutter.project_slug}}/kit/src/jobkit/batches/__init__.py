"""Write a keyed, stateful job as plain Python that is called once for many records.

PyFlink calls Python for each record, and each call costs more than what most jobs do in it. Here, Flink collects
records into short batches, and Python gets a list:

    flights, rejected = read(values, parse, key=..., event_time=..., watermarks=..., malformed=..., rejected=..., uid="parse")
    delays = flights.process(DelaysByHour(), uid="delays-by-hour")
    delays.sink_to(...)
    delays.get_side_output(LATE).sink_to(...)

`DelaysByHour` is a `KeyedFunction`: one key, its state, and a list of records. It is PyFlink all the way: the state is
Flink's keyed state, timers are Flink's timers, and a batch never outlives a checkpoint barrier, so exactly-once holds.
"""

from __future__ import annotations

from .context import Context
from .function import KeyedFunction, RecordFunction
from .reading import BYTES_AS_TEXT, Batching, KeyedBatches, read
from .results import Results

__all__ = ["BYTES_AS_TEXT", "Batching", "Context", "KeyedBatches", "KeyedFunction", "RecordFunction", "Results", "read"]
