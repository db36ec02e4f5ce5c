"""The kit's files as they were released: `kit/SHA256SUMS`, and what has changed since."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from .errors import ConfigurationError

FILE = "SHA256SUMS"
"""The list's name, in the format of `sha256sum`: `sha256sum --check SHA256SUMS` works in the kit's folder."""

_MADE_BY_TOOLS = {"__pycache__", "build", "dist", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


@dataclass(frozen=True)
class Changes:
    """How a folder differs from its list.

    Attributes:
        edited: Files whose content is another.
        missing: Files of the list that are gone.
        added: Files that the list does not have.
    """

    edited: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]

    def __bool__(self) -> bool:
        """True when anything differs."""
        return bool(self.edited or self.missing or self.added)

    def __str__(self) -> str:
        """Name the files, the first few of each kind."""
        kinds = {"edited": self.edited, "missing": self.missing, "added": self.added}
        return "; ".join(f"{kind}: {_some(files)}" for kind, files in kinds.items() if files)


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a kit, by its path in the folder.

    Line ends count as LF, so that a checkout on another system is no edit.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file() and _is_ours(file.relative_to(folder)))
    return {file.relative_to(folder).as_posix(): _digest(file) for file in files}


def write(folder: Path) -> Path:
    """Write the list of a kit's files; part of a release."""
    file = folder / FILE
    text = "".join(f"{digest}  {name}\n" for name, digest in checksums(folder).items())
    file.write_text(text, encoding="utf-8", newline="\n")
    return file


def changes(folder: Path) -> Changes:
    """Compare a kit's files with its list.

    Raises:
        ConfigurationError: When there is no list or it cannot be read.
    """
    file = folder / FILE
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError) as error:
        raise ConfigurationError("The list of the kit's files cannot be read.", found=str(error), where=str(file)) from error
    found = checksums(folder)
    return Changes(
        edited=tuple(name for name in found if name in listed and found[name] != listed[name]),
        missing=tuple(name for name in listed if name not in found),
        added=tuple(name for name in found if name not in listed),
    )


def differing(source: Path, installed: Path) -> list[str]:
    """Return the Python files that are not the same in two copies of the package."""
    here, there = (checksums(folder) for folder in (source, installed))
    return sorted(name for name in {**here, **there} if here.get(name) != there.get(name))


def _is_ours(path: Path) -> bool:
    made = _MADE_BY_TOOLS.intersection(path.parts) or any(part.endswith(".egg-info") for part in path.parts)
    return not made and path.name != FILE and path.suffix not in {".pyc", ".pyo"}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _some(files: tuple[str, ...]) -> str:
    return ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")  # noqa: PLR2004
