"""The benchmark's job as the template has one write it: plain Python over one key, its state and a list of records."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

import orjson
from jobkit import batches
from jobkit.batches import BYTES_AS_TEXT, Batching, Context, KeyedFunction
from pyflink.common import WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment

from .kafka import sink, source
from .settings import Settings


class Malformed(ValueError):
    """A record that is no flight."""


class Flight(NamedTuple):
    """What the job needs of a flight."""

    key: str
    delay: int


@dataclass
class Mean:
    """What is kept of a key."""

    count: int = 0
    total: int = 0


class RunningMean(KeyedFunction[Flight, Mean]):
    """Emits count and mean of the delays so far, for each flight."""

    state = Mean

    def process(self, key: str, state: Mean, records: list[Flight], context: Context) -> list[str]:  # noqa: ARG002  (jobkit's names)
        """Count some flights."""
        results = []
        for flight in records:
            state.count += 1
            state.total += flight.delay
            results.append(f'{{"key":"{key}","count":{state.count},"mean":{state.total / state.count}}}')
        return results


class LatestMean(RunningMean):
    """Emits count and mean once for each batch of a key, after its last flight."""

    def process(self, key: str, state: Mean, records: list[Flight], context: Context) -> list[str]:  # noqa: ARG002  (jobkit's names)
        """Count some flights."""
        state.count += len(records)
        state.total += sum(flight.delay for flight in records)
        return [f'{{"key":"{key}","count":{state.count},"mean":{state.total / state.count}}}']


def parse(value: bytes) -> Flight:
    """Read a flight."""
    try:
        fields = orjson.loads(value)
        key, delay = fields["key"], fields["delay"]
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from None
    if type(key) is not str or type(delay) is not int:
        raise Malformed("wrong type")
    return Flight(key, delay)


def rejected(value: bytes, error: Exception) -> str:
    """Return the record for the topic of rejected ones."""
    return json.dumps({"reason": str(error), "value": base64.b64encode(value).decode()})


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
