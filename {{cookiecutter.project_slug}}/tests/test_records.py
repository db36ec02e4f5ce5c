"""What is a flight, what is none, and how delays add up."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from random import Random
from statistics import fmean

import msgspec
import pytest

from {{ cookiecutter.package_name }} import records
from {{ cookiecutter.package_name }}.records import HOUR, NONE, Delays, Malformed, add, format_date, original, parse, rejected

FLIGHT = {"date": "2001/01/05 10:47", "delay": 66, "distance": 1750, "origin": "DTW", "destination": "LAS"}


def test_flight_is_read() -> None:
    """A flight keeps its origin, its delay, its time as if local time were UTC, and its bytes."""
    value = json.dumps(FLIGHT).encode()
    flight = parse(value)
    departure = datetime(2001, 1, 5, 10, 47, tzinfo=timezone.utc)
    assert (flight.origin, flight.delay, flight.original) == ("DTW", 66, value)
    assert flight.departure == departure.timestamp() * 1000
    assert flight.hour == departure.replace(minute=0).timestamp() * 1000


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff", "invalid UTF-8"),
        (b"[]", "wrong type"),
    ],
)
def test_what_is_no_object_is_refused(value: bytes, reason: str) -> None:
    """Whatever the topic holds, the reason begins with the kind of mistake."""
    with pytest.raises(Malformed, match=f"^{reason}"):
        parse(value)


@pytest.mark.parametrize("name", FLIGHT)
def test_every_field_is_needed(name: str) -> None:
    """A field that is missing or null is named."""
    with pytest.raises(Malformed, match=f"^missing field: {name}$"):
        parse(json.dumps({key: value for key, value in FLIGHT.items() if key != name}).encode())
    with pytest.raises(Malformed, match=f"^null field: {name}$"):
        parse(json.dumps({**FLIGHT, name: None}).encode())


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("delay", "66", "wrong type: delay"),
        ("delay", True, "wrong type: delay"),
        ("delay", 66.0, "wrong type: delay"),
        ("delay", 2**31, "wrong type: delay"),
        ("distance", -(2**31) - 1, "wrong type: distance"),
        ("origin", 3, "wrong type: origin"),
        ("origin", "\ud800", "wrong type: origin"),
        ("destination", "las", "wrong type: destination"),
        ("date", 2001, "wrong type: date"),
        ("date", "2001/02/29 10:00", "impossible date"),
        ("date", "2001/01/05 24:00", "impossible date"),
        ("date", "2001-01-05T10:00", "impossible date"),
        ("date", "2001/01/05 10:00 ", "impossible date"),
    ],
)
def test_field_must_be_of_its_type(name: str, value: object, reason: str) -> None:
    """A value of another type, or out of its bounds, is named."""
    with pytest.raises(Malformed, match=f"^{reason}"):
        parse(json.dumps({**FLIGHT, name: value}).encode())


def test_what_is_read_fast_is_what_is_read_with_care(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a record that is bent in any way, msgspec accepts nothing that the field by field examination refuses, and gives the same."""
    random = Random(7)  # noqa: S311  (the same records each time)
    values = [bent(random) for _ in range(3_000)]
    fast = [outcome(value) for value in values]
    monkeypatch.setattr(records, "_read", refuse)
    assert [outcome(value) for value in values] == fast
    kinds = {found.split(":")[0] for found in fast if isinstance(found, str)}
    assert kinds >= {"not JSON", "invalid UTF-8", "wrong type", "missing field", "null field", "impossible date"}
    assert sum(isinstance(found, tuple) for found in fast) > len(fast) / 10


def bent(random: Random) -> bytes:
    """Return a record with a field, or a few bytes, replaced by something else."""
    body: dict[str, object] = dict(FLIGHT)
    odd: list[object] = [None, True, 66.0, 2**31, 2**64, 10**30, "\ud800", "", "é", [], {}, [[["x"]]], float("inf"), "2001/02/29 10:00"]
    name = random.choice([*FLIGHT, "more"])
    if random.random() < 0.1:
        body.pop(name, None)
    elif random.random() < 0.6:
        body[name] = random.choice(odd)
    value = bytearray(json.dumps(body, ensure_ascii=random.random() < 0.5).encode(errors="surrogatepass"))
    for _ in range(random.choice([0, 0, 0, 1, 2])):
        place = random.randrange(len(value))
        value[place : place + random.randrange(3)] = random.choice([b"", b"\xff", b"0", b"\n", b'"', b",", b"e9", b"\\", b"\x00"])
    return bytes(value)


def outcome(value: bytes) -> str | tuple[object, ...]:
    """Return the fields of a flight, or the reason why it is none."""
    try:
        flight = parse(value)
    except Malformed as reason:
        return str(reason)
    return flight.origin, flight.departure, flight.delay, flight.original


def refuse(text: str) -> None:
    """Read nothing."""
    raise msgspec.DecodeError(text)


def test_delays_add_up() -> None:
    """One flight after another gives what the statistics module computes."""
    minutes = [-7, 0, 14, 15, 66]
    delays = NONE
    for delay in minutes:
        delays = add(delays, delay)
    row = json.loads(Delays(*delays).to_json("DTW", 978_688_800_000))
    assert row["mean_delay"] == pytest.approx(fmean(minutes))
    assert (row["origin"], row["flights"], row["max_delay"], row["late_share"]) == ("DTW", 5, 66, 0.4)
    assert row["hour"] == "2001/01/05 10:00"


@pytest.mark.parametrize("hour", [0, -HOUR, 978_688_800_000])
def test_date_is_read_back(hour: int) -> None:
    """A time that was written is read as the same time."""
    assert parse(json.dumps({**FLIGHT, "date": format_date(hour)}).encode()).departure == hour


def test_rejected_record_gives_its_bytes_back() -> None:
    """No byte is lost on the way through the topic of rejected records."""
    value = bytes(range(256))
    record = rejected(value, "not JSON")
    assert json.loads(record) == {"reason": "not JSON", "value": base64.b64encode(value).decode()}
    assert original(record.encode()) == value
    with pytest.raises(Malformed, match="not a rejected record"):
        original(b"{}")
