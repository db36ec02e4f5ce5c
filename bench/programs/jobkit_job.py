"""The benchmark's job as the template has one write it: plain Python over one key, its state and a list of records."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from operator import attrgetter

from jobkit import batches
from jobkit.batches import BYTES_AS_TEXT, Batching, Context, KeyedFunction
from pyflink.common import WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment

from .flight import MALFORMED, Flight, Rejected, Result, read, write
from .kafka import sink, source
from .settings import Settings


class Malformed(ValueError):
    """A record that is no flight."""


@dataclass
class Mean:
    """What is kept of a key."""

    count: int = 0
    total: int = 0


class RunningMean(KeyedFunction[Flight, Mean]):
    """Emits count and mean of the delays so far, for each flight."""

    state = Mean

    def process(self, key: str, state: Mean, records: list[Flight], context: Context) -> list[bytes]:  # noqa: ARG002  (jobkit's names)
        """Count some flights."""
        results = []
        for flight in records:
            state.count += 1
            state.total += flight.delay
            results.append(write(Result(key, state.count, state.total / state.count)))
        return results


class LatestMean(RunningMean):
    """Emits count and mean once for each batch of a key, after its last flight."""

    def process(self, key: str, state: Mean, records: list[Flight], context: Context) -> list[bytes]:  # noqa: ARG002  (jobkit's names)
        """Count some flights."""
        state.count += len(records)
        state.total += sum(flight.delay for flight in records)
        return [write(Result(key, state.count, state.total / state.count))]


def parse(value: bytes) -> Flight:
    """Read a flight."""
    try:
        return read(value)
    except MALFORMED as error:
        raise Malformed(str(error)) from None


def rejected(value: bytes, error: Exception) -> bytes:
    """Return the record for the topic of rejected ones."""
    return write(Rejected(str(error), base64.b64encode(value).decode()))


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Build the job."""
    _build(env, settings, RunningMean())


def build_latest(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Build the one that writes updates."""
    _build(env, settings, LatestMean())


def _build(env: StreamExecutionEnvironment, settings: Settings, function: RunningMean) -> None:
    """Build the job, from top to bottom."""
    env.set_max_parallelism(128)
    values = env.from_source(source(settings, BYTES_AS_TEXT), WatermarkStrategy.no_watermarks(), "input").uid("input")
    flights, no_flights = batches.read(
        values,
        parse,
        record=Flight,
        key=attrgetter("key"),
        malformed=Malformed,
        rejected=rejected,
        batching=Batching(within=int(os.environ.get("BENCH_WITHIN", Batching.within))),
        uid="parse",
    )
    means = flights.process(function, uid="running-mean")
    means.sink_to(sink(settings, settings.output, BYTES_AS_TEXT)).uid("output")
    no_flights.sink_to(sink(settings, settings.rejects, BYTES_AS_TEXT)).uid("rejects")
