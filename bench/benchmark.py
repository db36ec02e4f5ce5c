"""All runs: the inputs are made once, and the contenders take turns on them."""

from __future__ import annotations

import gc
import logging
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jobkit.bench.resources import pinned
from jobkit.cluster.topics import Topics
from jobkit.errors import ClusterError

from . import feeding, flights, latency
from .contenders import takes_part
from .contenders.contender import Contender
from .errors import BenchmarkError
from .hours import ExpectedHours
from .latency import Pace
from .place import Place
from .runs import PARTITIONS, Input, Progress, Result, Surroundings, execute
from .tail import Tail
from .verify import Expected

_DAYS = {"retention.ms": "-1"}


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        records: How many records each input has.
        keys: How many keys each may have: one input for each number.
        rounds: How often each contender runs on each.
        seconds: How long a run may take, from its launch on.
        warm_up: See `Surroundings`.
        cores: Which processors the contenders and the broker may use.
        flights: The file of flights.
    """

    records: int
    keys: Sequence[int]
    rounds: int
    seconds: float
    warm_up: float
    cores: Sequence[int]
    flights: Path


@contextmanager
def surroundings(place: Place, plan: Plan, progress: Progress) -> Iterator[Surroundings]:
    """Start a broker for all runs, on their cores; end it, and remove its data.

    Args:
        place: What it runs with.
        plan: What is to be measured.
        progress: See `Surroundings`.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters is raised
    folder = place.cache / "run" / uuid.uuid4().hex[:8]
    with pinned(plan.cores):
        broker = place.broker(folder)
    try:
        servers = broker.wait()
        pid = broker.process.pid
        if pid is None:
            raise ClusterError("The broker has ended.", where=str(broker.process.log))
        yield Surroundings(servers, pid, plan.cores, folder, plan.seconds, progress, plan.warm_up)
    finally:
        broker.stop()
        for name in ("kafka", "tmp", "logs"):
            shutil.rmtree(folder / name, ignore_errors=True)
        with suppress(OSError):  # the logs of a run that failed stay
            folder.rmdir()


def inputs(place: Place, plan: Plan, around: Surroundings) -> Iterator[Input]:
    """Make the inputs one after another; the one before is removed."""
    for keys in plan.keys:
        topic = f"flights-{keys}"
        with closing(Topics(around.servers)) as client:
            client.create([topic], PARTITIONS, _DAYS)
        fed = partial(_fed, around.progress, keys, plan.records)
        feeding.feed(place, around.servers, topic, flights.records(plan.flights, plan.records, keys), fed)
        yield Input(topic, keys, _expected(topic, plan, around))
        with closing(Topics(around.servers)) as client:
            client.delete([topic])


def hours(place: Place, plan: Plan, around: Surroundings) -> Iterator[Input]:
    """Make the input for the template's own job: flights in the order of time, and a partition for each of its readers.

    One that reads two partitions at once takes from them as they come, and what is then late depends on chance.
    """
    topic = "flights-in-time"
    with closing(Topics(around.servers)) as client:
        client.create([topic], len(plan.cores), _DAYS)
    feeding.feed(
        place,
        around.servers,
        topic,
        flights.in_time(plan.flights, plan.records),
        partial(_fed, around.progress, flights.ORIGINS, plan.records),
    )
    with Tail(around.servers, topic) as tail:
        tail.read()
    yield Input(topic, flights.ORIGINS, ExpectedHours(part.values for part in tail.partitions.values()))
    with closing(Topics(around.servers)) as client:
        client.delete([topic])


def _fed(progress: Progress, keys: int, total: int, done: int) -> None:
    progress(f"{keys:,} keys: fed", min(done, total), total)


def _expected(topic: str, plan: Plan, around: Surroundings) -> Expected:
    """Compute from what is in the topic what every contender must write."""
    with Tail(around.servers, topic) as tail:
        tail.read()
    expected = Expected(part.values for part in tail.partitions.values())
    malformed = plan.records // flights.MALFORMED_EVERY
    if expected.total != plan.records or expected.rejects.total() != malformed:
        found = f"{expected.total:,} records, {expected.rejects.total():,} of them malformed"
        raise BenchmarkError("The input is not what was sent.", found=found, remedy=f"Sent were {plan.records:,} and {malformed:,}.")
    return expected


@dataclass(frozen=True)
class Turns:
    """Who runs, and when.

    Attributes:
        contenders: By name.
        where_shown: Whether each runs only where the page has it, see `contenders.takes_part`; and on every input otherwise.
        before: How many rounds there were.
        with_throughput: Whether throughput is measured.
    """

    contenders: Mapping[str, Contender]
    where_shown: bool = False
    before: int = 0
    with_throughput: bool = True

    def of(self, kind: str, *, few_keys: bool = True) -> list[Contender]:
        """Return who takes part in `throughput`, in `latency`, or in throughput over `hours`; see `contenders.takes_part`."""
        known = {name: each for name, each in self.contenders.items() if each.contract.is_of_hours == (kind == "hours")}
        return [each for name, each in known.items() if not self.where_shown or takes_part(name, kind, few_keys=few_keys)]

    def rounds(self, count: int) -> range:
        """Return the numbers of some rounds."""
        return range(self.before + 1, self.before + count + 1)


def runs(place: Place, plan: Plan, turns: Turns, pace: Pace | None, around: Surroundings) -> Iterator[Result]:
    """Run all contenders on all inputs, in rounds: what changes on the machine meanwhile strikes all of them.

    Args:
        place: What feeds them runs with.
        plan: What is to be measured.
        turns: Who runs.
        pace: How latency is measured, after throughput; or None.
        around: What all runs share.
    """
    for source in inputs(place, plan, around) if turns.with_throughput and turns.of("throughput") else ():
        few_keys = source.keys == flights.ORIGINS
        yield from _rounds(source, turns.rounds(plan.rounds), turns.of("throughput", few_keys=few_keys), around)
    own = turns.of("hours") if turns.with_throughput and flights.ORIGINS in plan.keys else []
    for source in hours(place, plan, around) if own else ():
        yield from _rounds(source, turns.rounds(plan.rounds), own, around)
    if pace is None:
        return
    for number in turns.rounds(plan.rounds):
        for contender in turns.of("latency"):
            yield latency.execute(contender, pace, number, around)


def _rounds(source: Input, numbers: Iterable[int], contenders: Sequence[Contender], around: Surroundings) -> Iterator[Result]:
    """Let contenders take turns on an input.

    What is known of that is left out of the search for garbage: to look through millions of records takes processors from what is measured.
    """
    gc.freeze()
    try:
        for number in numbers:
            for contender in contenders:
                yield execute(contender, source, number, around)
    finally:
        gc.unfreeze()
