"""Numbers without end, through a function that works a little and one that works a lot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import KeyedProcessFunction, MapFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors.base import Sink
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.java_gateway import get_gateway

_LAST = 10**12
_LIGHT, _HEAVY = 500, 5_000


@dataclass(frozen=True)
class Settings:
    """How the job is called, and whether there is any Python in it."""

    job_name: str
    python: bool

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the environment variables."""
        return cls(environ.get("JOB_NAME", "burner"), environ.get("BURNER_PYTHON", "yes") == "yes")


class Light(MapFunction):
    """Work a little for each number."""

    def map(self, value: int) -> int:
        """Return the number."""
        flicker(_LIGHT)
        return value


class Heavy(KeyedProcessFunction):
    """Work ten times as much."""

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[int]:  # noqa: ARG002
        """Return nothing, after a while."""
        if blaze(_HEAVY) < 0:
            yield value


def flicker(rounds: int) -> int:
    """Burn time."""
    total = 0
    for number in range(rounds):
        total += number % 7
    return total


def blaze(rounds: int) -> int:
    """Burn time."""
    total = 0
    for number in range(rounds):
        total += number % 7
    return total


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Add the operators."""
    env.set_max_parallelism(128)
    numbers = env.from_source(NumberSequenceSource(1, _LAST), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()).uid("numbers")
    if settings.python:
        light = numbers.map(Light(), Types.LONG()).name("light").uid("light")
        numbers = light.key_by(lambda number: number % 8, Types.LONG()).process(Heavy(), Types.LONG()).name("heavy").uid("heavy")
    nowhere = get_gateway().jvm.org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink()
    numbers.sink_to(Sink(nowhere)).uid("nowhere")
