"""A small file of flights."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]
import pytest

from bench import flights

COUNT = 8_000


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Parquet file like that of the flights, with a few origins."""
    begin = dt.datetime(2001, 1, 1, 0, 5)  # noqa: DTZ001  (local time, as in the file)
    table = pa.table(
        {
            "date": pa.array([begin + dt.timedelta(minutes=number) for number in range(COUNT)], pa.timestamp("us")),
            "delay": [number % 61 - 30 for number in range(COUNT)],
            "distance": [100 + number % 7 for number in range(COUNT)],
            "origin": [("DTW", "LAS", "SFO")[number % 3] for number in range(COUNT)],
            "destination": ["JFK"] * COUNT,
        }
    )
    target = tmp_path_factory.mktemp("flights") / flights.NAME
    pyarrow.parquet.write_table(table, target)
    return target
