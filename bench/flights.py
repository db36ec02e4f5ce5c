"""The input: flights, one JSON object each, and now and then a record that is none."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain, islice, repeat
from pathlib import Path

import orjson
import pyarrow.compute  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]
from jobkit.cluster.sample import Record

from .errors import BenchmarkError

VARIABLE = "FLIGHTS"
NAME = "flights-3m.parquet"
ORIGINS = 229
MALFORMED_EVERY = 1_000
CLOSING = "ZZZ"
"""The destination of the flights that end an input in the order of time."""

_PACKAGE = "vega-datasets@3.2.1"
_MEMBER = f"package/data/{NAME}"
_SHA256 = "dbeb920c90f59b6ccaff823dcc3d08f25a97fa1ce128d93f40be4e931f5900b0"
_COLUMNS = ["date", "delay", "distance", "origin", "destination"]
_SECONDS_TO_FETCH = 300
_SPAN = dt.timedelta(days=182)
"""From the first flight of the file to the last one, with days on which there are some."""


def find(named: Path | None, cache: Path) -> Path:
    """Return the file of flights: the one that is named, by option or variable, or else the one in the cache; fetch that once.

    Args:
        named: What the user names, or None.
        cache: The folder to keep it in.

    Raises:
        BenchmarkError: When it is not there and cannot be fetched, or is another file.
    """
    named = named or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    file = named or cache / NAME
    if named is None and not file.is_file():
        _fetch(file)
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != _SHA256:
        raise BenchmarkError(
            "The flights are not there." if not file.is_file() else "The flights are other ones.",
            where=str(file),
            remedy=f"Take data/{NAME} out of the npm package {_PACKAGE} (npm pack {_PACKAGE}), and name it: --flights FILE.",
        )
    return file


def _fetch(file: Path) -> None:
    """Take the file out of its npm package, if npm is here."""
    npm = shutil.which("npm")
    if npm is None:
        return
    folder = file.with_name("npm")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        command = [npm, "pack", _PACKAGE, "--silent"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS_TO_FETCH, check=True)  # noqa: S603
        with tarfile.open(folder / done.stdout.split()[-1]) as archive:
            member = archive.extractfile(_MEMBER)
            if member is not None:
                file.write_bytes(member.read())
    except (OSError, KeyError, subprocess.SubprocessError, tarfile.TarError) as error:
        raise BenchmarkError("The flights cannot be fetched.", found=str(error), remedy="Name the file: --flights FILE.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def records(file: Path, count: int, keys: int) -> Iterator[Record]:
    """Yield flights as Kafka records, each thousandth malformed; the same arguments give the same bytes.

    Args:
        file: The Parquet file.
        count: How many. After the last one in the file comes the first again.
        keys: How many keys there may be: the origins, or origins with a number behind them.
    """
    for number, flight in enumerate(flights(file, count)):
        key = key_of(flight["origin"], number, keys)
        body = {**flight, "key": key}
        is_malformed = (number + 1) % MALFORMED_EVERY == 0
        yield Record(key.encode(), spoil(body, number) if is_malformed else encode(body))


def flights(file: Path, count: int) -> Iterator[dict[str, object]]:
    """Yield flights as they are in the file, from its beginning and as often as it takes, with the date as text."""
    source = pyarrow.parquet.ParquetFile(file)
    batches = chain.from_iterable(source.iter_batches(columns=_COLUMNS) for _ in repeat(None))
    return islice(chain.from_iterable(map(_rows, batches)), count)


def in_time(file: Path, count: int) -> Iterator[Record]:
    """Yield flights in the order of their time, each thousandth malformed; then for each origin one of a far later time.

    With that one every hour before it is over. When all flights were there they come again, as many days later as they span.

    Args:
        file: The Parquet file, whose flights are in order.
        count: How many flights, without the closing ones.
    """
    whole = pyarrow.parquet.ParquetFile(file).metadata.num_rows
    origins = set()
    for number, flight in enumerate(flights(file, count)):
        origin, date = str(flight["origin"]), str(flight["date"])
        origins.add(origin)
        body = {**flight, "date": _moved(date[:10], number // whole) + date[10:]}
        yield Record(origin.encode(), spoil(body, number) if (number + 1) % MALFORMED_EVERY == 0 else encode(body))
    for origin in sorted(origins):
        closing = {"date": "9999/01/01 00:00", "delay": 0, "distance": 0, "origin": origin, "destination": CLOSING}
        yield Record(origin.encode(), encode(closing))


@lru_cache(maxsize=1_000)
def _moved(day: str, times: int) -> str:
    """Return a day as many days later as the flights span, some times over."""
    year, month, date = map(int, day.split("/"))
    return (dt.date(year, month, date) + times * _SPAN).strftime("%Y/%m/%d")


def _rows(batch: pyarrow.RecordBatch) -> list[dict[str, object]]:
    dates = pyarrow.compute.strftime(batch.column("date"), format="%Y/%m/%d %H:%M")
    rows: list[dict[str, object]] = batch.set_column(batch.schema.get_field_index("date"), "date", dates).to_pylist()
    return rows


def key_of(origin: object, number: int, keys: int) -> str:
    """Return the key of a flight: its origin, or with more keys than origins, origin and a hash of its number.

    Each origin has as many keys; those of airports with few flights do not all occur.
    """
    return str(origin) if keys < 2 * ORIGINS else f"{origin}-{zlib.crc32(str(number).encode()) % (keys // ORIGINS)}"


def encode(body: dict[str, object]) -> bytes:
    """Return a record's bytes."""
    return orjson.dumps(body)


def spoil(body: dict[str, object], number: int) -> bytes:
    """Return a record that cannot be counted, in one of several ways; its number makes it unlike all others."""
    return _FLAWS[number // MALFORMED_EVERY % len(_FLAWS)]({**body, "number": number})


def _without(name: str) -> Callable[[dict[str, object]], bytes]:
    return lambda body: encode({field: value for field, value in body.items() if field != name})


def _with(name: str, value: object) -> Callable[[dict[str, object]], bytes]:
    return lambda body: encode({**body, name: value})


_FLAWS: list[Callable[[dict[str, object]], bytes]] = [
    lambda body: encode(body)[:-9],  # cut off
    _without("delay"),
    _with("delay", "six"),
    lambda body: f"no JSON at all, {body['number']}".encode(),
    _with("delay", None),
    _without("key"),
    lambda body: b"[" + encode(body) + b"]",
]
