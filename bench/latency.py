"""Latency at an even pace: from when a record is sent until its result is written, and until readers of committed records see it."""

from __future__ import annotations

import json
import time
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobkit.bench import measure
from jobkit.bench.load import Behind, Load, Sent
from jobkit.bench.visibility import RESOLUTION_SECONDS, Visibility
from jobkit.cluster.sample import Record
from jobkit.cluster.topics import Topics

from . import flights
from .contenders.contender import Contender, Contract, Running, Task
from .errors import BenchmarkError
from .outputs import Outputs, follow, shown
from .runs import PARTITIONS, Result, Surroundings, launch, task_for, topics
from .tail import Tail
from .verify import Expected, parse

WARM_UP_SECONDS = 10.0
_TRICKLE = 200.0
_TRICKLE_SECONDS = 0.5
_SECONDS_TO_START = 240.0
_LINGER_MS = 1
_SECONDS_TO_CATCH_UP = 3.0
_SECONDS_TO_WAIT = 20.0
_ATTEMPTS = 3


@dataclass(frozen=True)
class Pace:
    """How records are sent.

    Attributes:
        flights: The file of flights.
        keys: How many keys there may be.
        rate: Records a second.
        warm_up: Seconds at that rate that do not count: compilers, caches and state get warm.
        seconds: Seconds that count.
    """

    flights: Path
    keys: int
    rate: float
    warm_up: float
    seconds: float


def execute(contender: Contender, pace: Pace, number: int, around: Surroundings) -> Result:
    """Run a contender at an even pace; what goes wrong is in the result.

    Args:
        contender: Who runs.
        pace: How records are sent.
        number: The number of the round.
        around: What all runs share.
    """
    result = Result(contender.name, pace.keys, number, kind="latency")
    with result.or_reason():
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                _measure(contender, pace, result, around)
                break
            except Behind:  # a host may have stood still for a second
                if attempt == _ATTEMPTS:
                    raise
    return result


def _measure(contender: Contender, pace: Pace, result: Result, around: Surroundings) -> None:
    """Run a contender once, in topics of its own."""
    task = task_for(contender, f"paced-{contender.name}-{time.time_ns()}", around)
    with closing(Topics(around.servers)) as client:
        client.create([task.input], PARTITIONS)
        try:
            with topics(task, around) as outputs:
                _Run(contender, pace, task, outputs, around).measure(result)
        finally:
            client.delete([task.input])


class _Run:
    """A contender on its way through records that come one by one."""

    def __init__(self, contender: Contender, pace: Pace, task: Task, outputs: Outputs, around: Surroundings) -> None:
        self._contender, self._pace, self._task, self._around = contender, pace, task, around
        self._outputs = outputs
        self._seen: Visibility | None = None
        self._source = _Source(pace)

    def measure(self, result: Result) -> None:
        """Start it, send, wait for all output, check it, and fill in the result."""
        running: Running | None = None
        try:
            running = launch(self._contender, self._task, self._around)
            begin, sent = self._send(running)
            expected = self._expected()
            contract, seconds = self._contender.contract, min(self._around.seconds, _SECONDS_TO_WAIT)
            result.complete = follow(contract, self._outputs, expected, seconds, lambda _: running.check())
        finally:
            if running is not None:
                running.stop()
            steps = self._seen.stop() if self._seen is not None else {}
        for tail in self._outputs:
            tail.read()
        times = shown(self._contender.contract, expected, self._outputs, is_complete=result.complete)
        # Of one that is still far behind, records that were never written would be missing from the percentiles.
        result.figures |= self._figures(begin, sent, times, steps) if result.complete else {"rate": self._pace.rate, "keeps_up": False}

    def _send(self, running: Running) -> tuple[float, Sent]:
        """Send a few records until the first one is through, then all at the pace; return when those begin that count."""
        source, deadline = iter(self._source), time.monotonic() + _SECONDS_TO_START
        with Load(self._task.servers, self._task.input, PARTITIONS, linger_ms=_LINGER_MS) as sender:
            with closing(Topics(self._task.servers)) as client:
                while not any(client.ends(self._task.output, committed=False).values()):
                    running.check()
                    sender.send_evenly(source, _TRICKLE, _TRICKLE_SECONDS)
                    if time.monotonic() > deadline:
                        raise BenchmarkError("Nothing was written in time.")
            self._seen = Visibility(self._task.servers, self._task.output)
            what = f"{self._contender.name}, {self._pace.rate:,.0f}/s: seconds"
            seconds = self._pace.warm_up + self._pace.seconds
            begin = time.time() + self._pace.warm_up
            total = round(seconds)
            sent = sender.send_evenly(
                source, self._pace.rate, seconds, lambda second: self._around.progress(what, min(second, total - 1), total)
            )
            self._around.progress(what, total, total)
        return begin, sent

    def _expected(self) -> Expected:
        """Read back what was sent, and keep when each record was."""
        with Tail(self._task.servers, self._task.input) as tail:
            tail.read()
        self._sent: dict[str, array[float]] = {}
        for value in tail.values():
            flight = parse(value)
            if flight is not None:
                self._sent.setdefault(flight[0], array("d")).append(json.loads(value)["sent"])
        return Expected(part.values for part in tail.partitions.values())

    def _figures(
        self, begin: float, sent: Sent, times: Sequence[int], steps: Mapping[int, tuple[array[float], array[int]]]
    ) -> dict[str, Any]:
        written, visible, last = [], [], 0.0
        for at, stamp, seen in self._pairs(steps):
            last = max(last, at)
            if at >= begin * 1000:
                written.append(stamp - at)
                visible.append(seen - at)
        behind = (times[-1] - last) / 1000
        return {
            "rate": self._pace.rate,
            "records": len(written),
            "written_ms": _percentiles(written),
            "visible_ms": _percentiles(visible),
            "visible_resolution_ms": RESOLUTION_SECONDS * 1000,
            "sender_behind_ms": sent.furthest_behind * 1000,
            "seconds_behind_at_the_end": behind,
            "keeps_up": behind < _SECONDS_TO_CATCH_UP,
        }

    def _pairs(self, steps: Mapping[int, tuple[array[float], array[int]]]) -> Iterator[tuple[float, int, float]]:
        """Yield for each record when it was sent, when its result was written, and when that was visible; in milliseconds."""
        rows = []
        for number, part in self._outputs.output.partitions.items():
            moments, ends = steps[number]
            for value, stamp, offset in zip(part.values, part.times, part.offsets, strict=True):
                place = bisect_right(ends, offset)
                rows.append((stamp, value, moments[min(place, len(moments) - 1)] * 1000))
        last: dict[str, int] = {}
        for stamp, value, seen in sorted(rows):
            if self._contender.contract is Contract.SAME:
                if parse(value) is not None:
                    yield json.loads(value)["sent"], stamp, seen
                continue
            record = json.loads(value)
            key, count = record["key"], record["count"]
            first = last.get(key, 0) if self._contender.contract is Contract.FINAL else count - 1
            for place in range(first, count):
                yield self._sent[key][place], stamp, seen
            last[key] = max(count, last.get(key, 0))


class _Source:
    """Flights, all made ready beforehand, so that the pace can be kept; each gets the time at which it is taken."""

    def __init__(self, pace: Pace) -> None:
        """Make ready as many as can be needed."""
        count = int(_TRICKLE * _SECONDS_TO_START + pace.rate * (pace.warm_up + pace.seconds))
        self._ready = list(flights.records(pace.flights, count, pace.keys))

    def __iter__(self) -> Iterator[Record]:
        """Yield them, with `sent` in milliseconds since the epoch; a malformed one does without."""
        for key, value in ((record.key, record.value) for record in self._ready):
            yield Record(key, value[:-1] + b',"sent":%.3f}' % (time.time() * 1000) if value.endswith(b"}") else value)


def _percentiles(values: list[float]) -> dict[str, float]:
    if not values:
        raise BenchmarkError("No record was sent in the time that counts.")
    ordered = sorted(values)
    return {"p50": measure.percentile(ordered, 0.5), "p99": measure.percentile(ordered, 0.99), "max": ordered[-1]}
