"""What every program in Python reads and writes, and how: the same library for all of them, so that none is measured by its own."""

from __future__ import annotations

import msgspec


class Flight(msgspec.Struct):
    """What the job needs of a record of the input; whatever else is in one is not looked at."""

    key: str
    delay: int


class Result(msgspec.Struct):
    """A record of the output."""

    key: str
    count: int
    mean: float


class Rejected(msgspec.Struct):
    """A record of the topic for malformed ones, with the bytes in base64."""

    reason: str
    value: str


MALFORMED = (msgspec.DecodeError, UnicodeDecodeError)
"""What `read` raises for bytes that are no flight."""

read = msgspec.json.Decoder(Flight).decode
write = msgspec.json.Encoder().encode
