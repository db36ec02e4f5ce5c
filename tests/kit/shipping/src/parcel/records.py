"""The class of the records."""

from __future__ import annotations

from dataclasses import dataclass

VERSION = "a"


@dataclass
class Parcel:
    """A record."""

    number: int
    packed_by: str

    def seal(self) -> str:
        """Name the version of this class."""
        return VERSION
