"""The input of the benchmark is the same each time, and malformed where it says so."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from bench import flights
from bench.errors import BenchmarkError
from bench.verify import parse

from .conftest import COUNT


def test_a_record_is_a_flight_with_its_key(file: Path) -> None:
    """The fields, their order, and the form of the date."""
    first = next(flights.records(file, 1, 229))
    assert first.key == b"DTW"
    assert first.value == b'{"date":"2001/01/01 00:05","delay":-30,"distance":100,"origin":"DTW","destination":"JFK","key":"DTW"}'


def test_each_thousandth_record_is_malformed_and_like_no_other(file: Path) -> None:
    """No other one is; all kinds are there, and each still goes where its key belongs."""
    records = list(flights.records(file, COUNT, 229))
    bad = [number for number, record in enumerate(records, 1) if parse(record.value) is None]
    assert bad == list(range(1_000, COUNT + 1, 1_000))
    values = [records[number - 1].value for number in bad]
    assert len(set(values)) == len(values)
    assert not any(_is_json(value) for value in values if value.startswith(b"no JSON"))
    assert {records[number - 1].key for number in bad} <= {b"DTW", b"LAS", b"SFO"}


def test_more_keys_than_origins_have_a_number_behind_them(file: Path) -> None:
    """The number is the hash of the record's place, so that it is the same on every machine."""
    keys = [record.key for record in flights.records(file, 100, 20_000)]
    assert keys == [f"{('DTW', 'LAS', 'SFO')[number % 3]}-{zlib.crc32(str(number).encode()) % 87}".encode() for number in range(100)]


def test_there_are_about_as_many_keys_as_are_wanted(file: Path) -> None:
    """Here there are three origins, each with its share of the 229."""
    keys = {record.key for record in flights.records(file, COUNT, 20_000)}
    assert 0.95 < len(keys) / (3 * 20_000 / flights.ORIGINS) <= 1


def test_the_same_arguments_give_the_same_bytes(file: Path) -> None:
    """Otherwise rounds and machines could not be compared."""
    assert list(flights.records(file, 3_000, 500)) == list(flights.records(file, 3_000, 500))


def test_after_the_last_flight_comes_the_first_again(file: Path) -> None:
    """A fast contender needs more records than there are flights; malformed ones stay unlike all others."""
    records = list(flights.records(file, 2 * COUNT, 229))
    assert [record.value for record in records[COUNT : COUNT + 999]] == [record.value for record in records[:999]]
    bad = [record.value for record in records if parse(record.value) is None]
    assert len(set(bad)) == len(bad) == 2 * COUNT // 1_000


def test_another_file_is_refused_and_the_right_one_named(file: Path, tmp_path: Path) -> None:
    """A benchmark over other data would be another benchmark."""
    with pytest.raises(BenchmarkError, match=r"other ones.*npm pack vega-datasets"):
        flights.find(file, tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The one that was named is not replaced by another."""
    with pytest.raises(BenchmarkError, match=r"not there.*--flights FILE"):
        flights.find(tmp_path / "missing.parquet", tmp_path)


def _is_json(value: bytes) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True
