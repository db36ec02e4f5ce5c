"""What flows through the job, in plain Python: flights in, delays of an airport's hour out."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

HOUR = 3_600_000
"""Milliseconds in the hours that delays are counted by."""

DELAYED = 15
"""Minutes from which on a flight counts as delayed, as the US Bureau of Transportation Statistics has it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DATE = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2}) ([0-9]{2}):([0-9]{2})")
_AIRPORT = re.compile(r"[A-Z]{3}")
_FIELDS: dict[str, type[Any]] = {"date": str, "delay": int, "distance": int, "origin": str, "destination": str}
_LARGEST = 2**31


class Malformed(ValueError):
    """A record that is no flight; the message says why, and begins with the kind of mistake."""


class Flight(NamedTuple):
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

    @classmethod
    def of(cls, delay: int) -> Delays:
        """Return the delays of a single flight."""
        return cls(1, delay, delay, int(delay >= DELAYED))

    def __add__(self, other: Delays) -> Delays:  # type: ignore[override]
        """Return the delays of both sets of flights; it is a tuple only because none is made faster."""
        longest = max(self.longest, other.longest)
        return Delays(self.flights + other.flights, self.total + other.total, longest, self.delayed + other.delayed)

    def to_json(self, origin: str, hour: int) -> str:
        """Return the row for `delay-stats`; equal delays give equal text."""
        row = {
            "origin": origin,
            "hour": format_date(hour),
            "flights": self.flights,
            "mean_delay": self.total / self.flights,
            "max_delay": self.longest,
            "late_share": self.delayed / self.flights,
        }
        return orjson.dumps(row).decode()


def parse(value: bytes) -> Flight:
    """Read a flight from JSON.

    Args:
        value: A record of the topic of flights, as Kafka holds it.

    Raises:
        Malformed: When it is no flight. Every other value is a flight, however unlikely.
    """
    try:
        fields = orjson.loads(value)
    except ValueError:
        fields = _object(value)  # slower, and says what is wrong
    if type(fields) is not dict:
        raise Malformed("wrong type: not an object")
    for name, kind in _FIELDS.items():
        found = fields.get(name)
        if type(found) is not kind:  # not isinstance: to Python, true is an int
            raise Malformed(_mistake(fields, name, kind))
        if kind is int and not -_LARGEST <= fields[name] < _LARGEST:
            raise Malformed(f"wrong type: {name} is not an integer of 32 bits")
    for name in ("origin", "destination"):
        if not _is_airport(fields[name]):
            raise Malformed(f"wrong type: {name} is not an airport's code")
    return Flight(fields["origin"], _milliseconds(fields["date"]), fields["delay"], value)


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


def _mistake(fields: dict[str, Any], name: str, kind: type) -> str:
    if name not in fields:
        return f"missing field: {name}"
    if fields[name] is None:
        return f"null field: {name}"
    return f"wrong type: {name} is not {'a text' if kind is str else 'an integer'}"


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
