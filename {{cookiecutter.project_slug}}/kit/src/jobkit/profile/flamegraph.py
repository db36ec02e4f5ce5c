"""A flame graph that a browser shows, drawn by the converter of async-profiler, a jar of 150 kB."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..cluster import java
from ..cluster.repository import connect
from ..errors import ConfigurationError

_CONVERTER = "tools.profiler:jfr-converter:4.5"
_SECONDS = 60
FOLDED = ".folded"
FORMATS = (".html", FOLDED)
"""What a file can be, by the end of its name."""


class Drawing:
    """A file to come."""

    def __init__(self, file: Path) -> None:
        """Get ready all that is needed, so that nothing is missing once there is something to draw.

        Raises:
            ConfigurationError: When the file cannot be written or is of an unknown kind, or the converter or a Java is missing.
        """
        self.file = file
        if file.suffix not in FORMATS:
            what = "The flame graph can be a page for a browser, or the stacks as text."
            raise ConfigurationError(what, found=str(file), remedy=f"Let the file's name end in {' or '.join(FORMATS)}.")
        if not file.resolve().parent.is_dir():
            raise ConfigurationError("There is no such folder.", where=str(file.resolve().parent), remedy="Make it, or take another --out.")
        self._command = [] if file.suffix == FOLDED else [str(java.find().executable), "-XX:-UsePerfData", "-jar", str(_converter())]

    def draw(self, title: str, folded: Iterable[str]) -> None:
        """Write the file.

        Args:
            title: Stands above it.
            folded: The stacks, as `outermost;…;innermost count`.

        Raises:
            ConfigurationError: When it cannot be written.
        """
        text = "\n".join([*folded, ""])
        try:
            if self.file.suffix == FOLDED:
                self.file.write_text(text, encoding="utf-8")
                return
            with tempfile.TemporaryDirectory() as folder:
                source = Path(folder) / "profile.collapsed"
                source.write_text(text, encoding="utf-8")
                self._convert("--title", title, str(source), str(self.file.resolve()))
        except OSError as error:
            raise ConfigurationError("The flame graph cannot be written.", found=error.strerror, where=str(self.file)) from error

    def _convert(self, *arguments: str) -> None:
        command = [*self._command, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603
        if done.returncode != 0 or not self.file.is_file():
            said = (done.stderr or done.stdout).strip().splitlines()[:1]
            raise ConfigurationError("The flame graph could not be drawn.", found=" ".join(said), where=str(self.file))


def _converter() -> Path:
    """Return the converter's jar, fetched once."""
    from jgo.parse import Coordinate

    context = connect(lambda _name, _done, _total: None)
    try:
        return Path(context.create_dependency(Coordinate.parse(_CONVERTER)).artifact.resolve())
    except ConfigurationError as error:
        remedy = f"Have {_CONVERTER} in reach, or write the stacks alone: --out profile{FOLDED}."
        raise ConfigurationError(error.what, found=error.found, where=error.where, remedy=remedy) from error
