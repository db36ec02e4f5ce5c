"""What flows through the job, and what numbers it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from jobkit.batches import Context, KeyedFunction
from jobkit.batches.function import Result
from pyflink.common import Types
from pyflink.datastream import OutputTag

EVEN = OutputTag("even", Types.STRING())
END = 10**12
"""When every word's timer fires, if there are watermarks; if there are none, each has one that the clock fires."""
POISON = 666
"""A time that the function cannot take."""

_WORD = re.compile(rb"(\w+) ([0-9]+)", re.ASCII)


class Word(NamedTuple):
    """A word and its time."""

    text: str
    time: int


@dataclass
class Count:
    """What is kept of a word."""

    count: int = 0
    latest: int = 0


class Number(KeyedFunction[Word, Count]):
    """Number the occurrences of each word; those with an even number go aside."""

    state = Count

    def __init__(self, *, has_watermarks: bool) -> None:
        """Say whether there are watermarks, for which timers wait."""
        self._has_watermarks = has_watermarks

    def process(self, key: str, state: Count, records: list[Word], context: Context) -> Iterator[Result]:
        """Number some."""
        if state.count == 0:
            if self._has_watermarks:
                context.register_event_time_timer(END)
            else:
                context.register_processing_time_timer(context.processing_time + 1)
        for word in records:
            state.count += word.time // (word.time - POISON) * 0 + 1
            state.latest = max(state.latest, word.time)
            yield (EVEN, f"{key} {state.count}") if state.count % 2 == 0 else f"{key} {state.count}"

    def on_timer(self, key: str, state: Count, timestamp: int, context: Context) -> Iterator[Result]:  # noqa: ARG002
        """Say that the clock has ticked for a word, or give its last number and time."""
        if timestamp != END:
            yield f"{key} ticked"
        else:
            yield f"{key} ended at {state.count}, {state.latest}"


def parse(value: bytes) -> Word:
    """Read a word and its time; refuse everything else."""
    match = _WORD.fullmatch(value)
    if match is None:
        raise ValueError("no word")
    return Word(match[1].decode(), int(match[2]))


def rejected(value: bytes, reason: Exception) -> bytes:  # noqa: ARG001
    """Give back what was refused."""
    return value
