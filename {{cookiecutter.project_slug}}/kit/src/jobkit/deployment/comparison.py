"""In what two instances differ: their specifications, what their locks say of state, and the files of their code."""

from __future__ import annotations

import difflib
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import JobkitError
from ..lock import Change, compare, parse
from .instance import Specification, difference


@dataclass(frozen=True)
class FileChange:
    """A file of the code that differs.

    Attributes:
        name: Its path within the project.
        what: `changed`, `added` or `removed`.
        lines: The difference, as `diff -u` writes it; nothing for a file that is no text.
    """

    name: str
    what: str
    lines: str


class Comparison:
    """Two instances, compared.

    Attributes:
        differences: The entries of their specifications that differ.
        files: The files that do.
        lock: What has changed from the first one's lock to the second one's, in the words of `jobkit lock`.
        notes: What could not be compared.
    """

    def __init__(self, one: Specification, other: Specification, artefact: Callable[[str], bytes]) -> None:
        """Compare.

        Args:
            one: The first one.
            other: The second one.
            artefact: Returns the content of an artefact.
        """
        self.differences, self.notes = difference(one, other), list[str]()
        self.files: list[FileChange] = []
        self.lock: list[Change] = []
        try:
            if one.artefact != other.artefact:
                self.files = list(_files(artefact(one.artefact), artefact(other.artefact)))
        except (JobkitError, zipfile.BadZipFile) as error:
            self.notes.append(f"The code was not compared: {error}")
        try:
            if one.lock and other.lock and one.lock != other.lock:
                self.lock = compare(parse(one.lock, "the first lock"), parse(other.lock, "the second lock"))
        except JobkitError as error:
            self.notes.append(f"The locks were not compared: {error}")

    @cached_property
    def code(self) -> str:
        """The lines of code that differ."""
        return "\n".join(each.lines for each in self.files if each.lines)

    def to_json(self, *, code: bool) -> dict[str, Any]:
        """Return what `jobkit instances diff --json` writes."""
        return {
            "differences": [{"path": each.path, "first": each.one, "second": each.other} for each in self.differences],
            "lock": [change.to_json() for change in self.lock],
            "files": [{"file": each.name, "change": each.what, **({"lines": each.lines} if code else {})} for each in self.files],
            "notes": self.notes,
        }


def _files(one: bytes, other: bytes) -> Iterator[FileChange]:
    first, second = _contents(one), _contents(other)
    for name in sorted(first.keys() | second.keys()):
        before, after = first.get(name), second.get(name)
        if before != after:
            what = "added" if before is None else "removed" if after is None else "changed"
            yield FileChange(name, what, _lines(name, before or b"", after or b""))


def _contents(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {entry.filename: opened.read(entry) for entry in opened.infolist() if not entry.is_dir()}


def _lines(name: str, before: bytes, after: bytes) -> str:
    try:
        one, other = before.decode().splitlines(), after.decode().splitlines()
    except UnicodeDecodeError:
        return ""
    return "\n".join(difflib.unified_diff(one, other, f"first/{name}", f"second/{name}", lineterm=""))
