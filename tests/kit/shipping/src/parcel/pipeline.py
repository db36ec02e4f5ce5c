"""Three functions, from which each record comes pickled as an object of the job's own class."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyflink.common import Types
from pyflink.datastream import MapFunction, StreamExecutionEnvironment

from .records import Parcel

VERSION = "a"


@dataclass(frozen=True)
class Settings:
    """How many records there are, and the file that ends the wait for it."""

    count: int
    signal: str
    job_name: str = "parcel"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the environment's variables."""
        return cls(int(environ["PARCEL_COUNT"]), environ["PARCEL_SIGNAL"])


class Pack(MapFunction):
    """Makes records, one at once and then, when the signal is there, the others."""

    def __init__(self, signal: str) -> None:
        """Take the file."""
        self._signal = signal

    def map(self, value: int) -> Parcel:
        """Make a record."""
        end = time.monotonic() + 120
        while value and not Path(self._signal).exists() and time.monotonic() < end:
            time.sleep(0.05)
        return Parcel(value, VERSION)


class Label(MapFunction):
    """Writes down versions."""

    def map(self, parcel: Parcel) -> str:
        """Name the version of the function before, of this one, of the record's class, and of what is imported here."""
        if not parcel.number:
            return f"{parcel.packed_by} {VERSION} {parcel.seal()} . {parcel.number}"
        from . import late
        from .late import LATE

        return f"{parcel.packed_by} {VERSION} {parcel.seal()} {LATE[: len(late.LATE)]} {parcel.number}"


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Build the job."""
    env.set_parallelism(1)
    env.set_max_parallelism(16)
    numbers = env.from_collection(list(range(settings.count)), Types.INT()).uid("numbers")
    parcels = numbers.map(Pack(settings.signal)).uid("pack")
    labels = parcels.map(lambda parcel: parcel).uid("pass").map(Label(), Types.STRING()).uid("label")
    labels.print().uid("out")
