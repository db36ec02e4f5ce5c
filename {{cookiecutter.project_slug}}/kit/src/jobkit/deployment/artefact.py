"""What of a project is deployed: its files as a zip that is the same for the same content, and the folder that a cluster runs it from."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigurationError
from ..project import Project

_FILES = ("pyproject.toml", "flink.lock", "requirements.lock")
_FOLDERS = ("conf", "src", "kit/src")
_MADE_BY_TOOLS = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_SECONDS_FOR_GIT = 30


@dataclass(frozen=True)
class Artefact:
    """The deployable files of a project.

    Attributes:
        content: A zip of them; it depends on nothing but their paths and contents.
        commit: The git commit that the project is at, with `+changes` when its files differ from it; None outside of git.
    """

    content: bytes
    commit: str | None

    @property
    def sha256(self) -> str:
        """The zip's digest, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def build(project: Project) -> Artefact:
    """Collect a project's pyproject.toml, locks, conf/, src/ and kit/src/.

    Raises:
        ConfigurationError: When a file cannot be read, or has a name that an archive cannot have.
    """
    packed = io.BytesIO()
    try:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in _files(project.root):
                entry = zipfile.ZipInfo(_name(file, project.root), _FIRST_DAY)
                entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
    except OSError as error:
        raise ConfigurationError("A file of the project cannot be read.", found=str(error.strerror), where=str(error.filename)) from error
    return Artefact(packed.getvalue(), _commit(project.root))


def unpack(content: bytes, folder: Path) -> Path:
    """Unpack an artefact into a folder, which is emptied; return where the project is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    return folder


def importable(unpacked: Path, folder: Path) -> Path:
    """Put the packages of an artefact, the job's and the kit's, into one folder that Python can import them from; return it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in ("src", "kit/src"):
        if (unpacked / source).is_dir():
            shutil.copytree(unpacked / source, folder, dirs_exist_ok=True)
    return folder


def shipped_as(uid: str) -> str:
    """Return the name of the folder that an instance's code is shipped to a session cluster as."""
    return f"job-{uid[:12]}"


def _files(root: Path) -> Iterator[Path]:
    for name in _FILES:
        if (root / name).is_file():
            yield root / name
    for name in _FOLDERS:
        for file in sorted((root / name).rglob("*")):
            parts = file.relative_to(root).parts
            made = (
                _MADE_BY_TOOLS.intersection(parts) or any(part.endswith(".egg-info") for part in parts) or file.suffix in {".pyc", ".pyo"}
            )
            if file.is_file() and not made:
                yield file


def _name(file: Path, root: Path) -> str:
    name = file.relative_to(root).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(name).decode(errors="backslashreplace")
        raise ConfigurationError("The name of a file of the project is not UTF-8.", found=shown, remedy="Rename it.") from error
    return name


def _commit(root: Path) -> str | None:
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return None
    return f"{head}+changes" if _git(root, "status", "--porcelain", "--", ".") else head


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(root), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=_SECONDS_FOR_GIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
