"""What flows through the job, in plain Python: flights in, delays of an airport's hour out."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec

HOUR = 3_600_000
"""Milliseconds in the hours that delays are counted by."""

DELAYED = 15
"""Minutes from which on a flight counts as delayed, as the US Bureau of Transportation Statistics has it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DATE = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2}) ([0-9]{2}):([0-9]{2})")
_AIRPORT = re.compile(r"[A-Z]{3}")
_LARGEST = 2**31
_KINDS: dict[str, type[Any]] = {"date": str, "delay": int, "distance": int, "origin": str, "destination": str}


class Malformed(ValueError):
    """A record that is no flight; the message says why, and begins with the kind of mistake."""


class Departure(msgspec.Struct):
    """A record of the topic of flights, with what is needed of it: msgspec reads it from JSON, and checks the types."""

    date: str
    delay: Annotated[int, msgspec.Meta(ge=-_LARGEST, lt=_LARGEST)]
    distance: Annotated[int, msgspec.Meta(ge=-_LARGEST, lt=_LARGEST)]
    origin: str
    destination: str


class Row(msgspec.Struct):
    """A record of the topic of delays."""

    origin: str
    hour: str
    flights: int
    mean_delay: float
    max_delay: int
    late_share: float


_read = msgspec.json.Decoder(Departure).decode
_write = msgspec.json.Encoder().encode


class Flight(msgspec.Struct):
    """A departure.

    Attributes:
        origin: The airport that it left, as its IATA code.
        departure: When it should have left, local time as if it were UTC, in milliseconds since 1970.
        delay: Minutes late; negative when it left early.
        original: The bytes that it was read from.
    """

    origin: str
    departure: int
    delay: int
    original: bytes

    @property
    def hour(self) -> int:
        """The beginning of the hour that it counts in, in milliseconds since 1970."""
        return self.departure - self.departure % HOUR


class Delays(NamedTuple):
    """The delays of the flights of one airport and one hour.

    Attributes:
        flights: How many there were.
        total: The sum of their delays, in minutes.
        longest: The largest of their delays, in minutes.
        delayed: How many were `DELAYED` minutes late or more.
    """

    flights: int
    total: int
    longest: int
    delayed: int

    def to_json(self, origin: str, hour: int) -> bytes:
        """Return the row for `delay-stats`; equal delays give equal bytes."""
        mean, share = self.total / self.flights, self.delayed / self.flights
        return _write(Row(origin, format_date(hour), self.flights, mean, self.longest, share))


def parse(value: bytes) -> Flight:
    """Read a flight from JSON.

    Args:
        value: A record of the topic of flights, as Kafka holds it.

    Raises:
        Malformed: When it is no flight. Every other value is a flight, however unlikely.
    """
    try:
        departure = _read(value.decode())  # decoded, so that all of it is UTF-8, and not only what is needed
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        departure = _examined(value)  # slower, and says what is wrong
    for name, code in ("origin", departure.origin), ("destination", departure.destination):
        if not _is_airport(code):
            raise Malformed(f"wrong type: {name} is not an airport's code")
    return Flight(departure.origin, _milliseconds(departure.date), departure.delay, value)


NONE = (0, 0, -_LARGEST, 0)
"""The fields of `Delays` before the first flight."""


def add(so_far: tuple[int, int, int, int], delay: int) -> tuple[int, int, int, int]:
    """Return the fields of `Delays` with one flight more; as a plain tuple, which is what a state holds, and quick to make."""
    flights, total, longest, delayed = so_far
    return flights + 1, total + delay, max(longest, delay), delayed + (delay >= DELAYED)


@lru_cache(maxsize=10_000)
def format_date(milliseconds: int) -> str:
    """Return a time as the topics write it, `YYYY/MM/DD HH:MM`."""
    date = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{date.year:04}/{date.month:02}/{date.day:02} {date.hour:02}:{date.minute:02}"


def rejected(value: bytes, reason: object) -> str:
    """Return the record for the topic of rejected records: why, and its bytes in base64."""
    return json.dumps({"reason": str(reason), "value": base64.b64encode(value).decode("ascii")}, separators=(",", ":"))


def original(value: bytes) -> bytes:
    """Return the bytes that a record of the topic of rejected records was made from.

    Raises:
        Malformed: When it is no such record.
    """
    try:
        return base64.b64decode(_object(value)["value"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"not a rejected record: {error}") from error


def _object(value: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(value.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Malformed(f"invalid UTF-8: byte {error.start}") from error
    except (ValueError, RecursionError) as error:
        raise Malformed("not JSON") from error
    if not isinstance(fields, dict):
        raise Malformed("wrong type: not an object")
    return fields


def _examined(value: bytes) -> Departure:
    """Read a record with Python's own module, field by field, and say which one is wrong."""
    fields = _object(value)
    for name, kind in _KINDS.items():
        found = fields.get(name)
        if name not in fields:
            raise Malformed(f"missing field: {name}")
        if found is None:
            raise Malformed(f"null field: {name}")
        if type(found) is not kind:  # not isinstance: to Python, true is an int
            raise Malformed(f"wrong type: {name} is not {'a text' if kind is str else 'an integer'}")
        if kind is int and not -_LARGEST <= found < _LARGEST:
            raise Malformed(f"wrong type: {name} is not an integer of 32 bits")
    return Departure(**{name: fields[name] for name in _KINDS})


@lru_cache(maxsize=10_000)
def _is_airport(code: str) -> bool:
    return _AIRPORT.fullmatch(code) is not None


@lru_cache(maxsize=100_000)
def _milliseconds(date: str) -> int:
    match = _DATE.fullmatch(date)
    if match is None:
        raise Malformed("impossible date: not YYYY/MM/DD HH:MM")
    try:
        year, month, day, hour, minute = map(int, match.groups())
        parsed = datetime(year, month, day, hour, minute, tzinfo=timezone.utc)
    except ValueError as error:
        raise Malformed(f"impossible date: {date}") from error
    return (parsed - _EPOCH) // timedelta(milliseconds=1)
