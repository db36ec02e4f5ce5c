"""The timers of many keys: each fires once, in the order of the times, however many of them are at hand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from jobkit.batches import Context, KeyedFunction, frames
from jobkit.batches._keyed import Keyed, load
from jobkit.batches.function import Result
from jobkit.batches.reading import dump
from jobkit.testing.operators import Operator, Snapshot
from pyflink.common import Types

BUCKETS = ("aceg", "bdf")


class Wish(NamedTuple):
    """What a record asks for."""

    registers: bool
    of_clock: bool
    time: int


@dataclass
class Fired:
    """What a key has seen."""

    times: list[int] = field(default_factory=list)


def wishes_at(key: str, time: int) -> list[Wish]:
    """Return what a key asks for when its timer fires: now and then another, also one that is due, or that one goes."""
    chance = random.Random(f"{key} {time}")  # noqa: S311
    return [
        Wish(chance.random() < 0.6, chance.random() < 0.1, time + chance.choice([0, 1, 2, 7, 60, 300]) + 1)
        for _ in range(chance.choice([0, 0, 1, 2]))
    ]


def follow(wish: Wish, context: Context) -> None:
    """Do what it asks for."""
    domain = "processing" if wish.of_clock else "event"
    getattr(context, f"{'register' if wish.registers else 'delete'}_{domain}_time_timer")(wish.time)


class Wishful(KeyedFunction[Wish, Fired]):
    """Registers and deletes what records and times ask for."""

    state = Fired

    def process(self, key: str, state: Fired, records: list[Wish], context: Context) -> None:  # noqa: ARG002
        """Follow the records."""
        for wish in records:
            follow(wish, context)

    def on_timer(self, key: str, state: Fired, timestamp: int, context: Context) -> Iterator[Result]:
        """Tell, and follow the time."""
        state.times.append(timestamp)
        yield f"{key} {timestamp} {len(state.times)} {sum(state.times)}"
        if timestamp % 11 == 5:
            context.clear_state()
        for wish in wishes_at(key, timestamp):
            follow(wish, context)


class Model:
    """What should come out: the timers of each key by themselves, as Flink would have them were each key its own."""

    def __init__(self) -> None:
        """Begin without timers."""
        self.timers: dict[bool, set[tuple[int, str]]] = {False: set(), True: set()}
        self._fired: dict[str, list[int]] = {}

    def follow(self, key: str, wish: Wish) -> None:
        """Register or delete."""
        change = self.timers[wish.of_clock].add if wish.registers else self.timers[wish.of_clock].discard
        change((wish.time, key))

    def advance(self, until: int, *, of_clock: bool) -> list[str]:
        """Fire what is due; return what comes out."""
        found = []
        pending = self.timers[of_clock]
        while due := [timer for timer in pending if timer[0] <= until]:
            time = min(due)[0]
            keys = sorted(key for each, key in due if each == time)
            pending.difference_update((time, key) for key in keys)
            for key in keys:
                times = self._fired.setdefault(key, [])
                times.append(time)
                found.append(f"{key} {time} {len(times)} {sum(times)}")
                if time % 11 == 5:
                    del self._fired[key]
            for key in keys:
                for wish in wishes_at(key, time):
                    self.follow(key, wish)
        return found


def bucket_of(key: str) -> int:
    """Return the bucket that a key, or an output, is of."""
    return int(key[0] in BUCKETS[1])


def by_bucket(outputs: list[str]) -> list[list[str]]:
    """Return the outputs of each bucket: between them there is no order."""
    return [[text for text in outputs if bucket_of(text) == bucket] for bucket in range(len(BUCKETS))]


def take(operator: Operator) -> list[list[str]]:
    """Return what came out since the last time."""
    return by_bucket([text.decode() for batch in operator.take() for text in frames.split(batch)])


def start(cached: int, snapshot: Snapshot | None = None) -> Operator:
    """Start the function."""
    adapter = Keyed(Wishful(), Wish, Types.STRING(), cached)
    options: dict[str, Any] = {"key": lambda batch: bucket_of(str(load(batch)[0][0])), "key_type": Types.INT()}
    return Operator(adapter, **options) if snapshot is None else Operator.restore(adapter, snapshot, **options)


@pytest.mark.parametrize("cached", [0, 1, 9, 40, 1_000])
@pytest.mark.parametrize("seed", range(4))
def test_each_fires_once_in_order(cached: int, seed: int) -> None:
    """Whatever is registered and deleted, by records and by timers; after a restore, too, with another bound."""
    chance = random.Random(seed)  # noqa: S311
    model, operator = Model(), start(cached)
    now = {False: 0, True: 0}
    fired = 0
    for _ in range(150):
        batch = []
        for key in chance.sample(chance.choice(BUCKETS), 3):
            wishes = [
                Wish(chance.random() < 0.7, of_clock := chance.random() < 0.3, now[of_clock] + chance.randrange(1, 400))
                for _ in range(chance.randrange(4))
            ]
            batch.append((key, [tuple(wish) for wish in wishes]))
            for wish in wishes:
                model.follow(key, wish)
        operator.process(dump(batch))
        if chance.random() < 0.4:
            of_clock = chance.random() < 0.3
            now[of_clock] += chance.choice([1, 5, 40, 250])
            advance = operator.advance_processing_time if of_clock else operator.advance_watermark
            advance(now[of_clock])
            expected = model.advance(now[of_clock], of_clock=of_clock)
            assert take(operator) == by_bucket(expected)
            fired += len(expected)
        if chance.random() < 0.05:
            operator = start(chance.choice([cached, 1_000]), operator.snapshot())
            operator.advance_watermark(now[False])
            assert take(operator) == by_bucket(model.advance(now[False], of_clock=False))
    assert fired > 200


def test_a_bucket_with_more_timers_than_are_kept_is_not_read_whole() -> None:
    """When the job is started anew: each of its times gets a timer of Flink's, and all fire."""
    times = range(100, 130)
    before = start(1_000)
    before.process(dump([("a", [tuple(Wish(True, False, time)) for time in times])]))  # noqa: FBT003
    assert before.timers() == [100]
    after = start(20, before.snapshot())
    after.process(dump([("c", [tuple(Wish(True, False, 500))])]))  # noqa: FBT003
    assert after.timers() == [*times, 500]
    after.advance_watermark(100)
    assert [text[:5] for text in take(after)[0]] == ["a 100"]
