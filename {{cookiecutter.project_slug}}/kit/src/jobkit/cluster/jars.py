"""The jars that Flink and Kafka run with, fetched once from Maven repositories."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..project import Project
from . import distribution

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes that have arrived, and all its bytes (0 when not known)."""

_KAFKA = "org.apache.kafka:kafka_2.13"
_KAFKA_LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl"


def _silent(_name: str, _done: int, _total: int) -> None:
    pass


def library(project: Project, progress: Progress = _silent) -> Path:
    """Make the folder for FLINK_LIB_DIR: Flink's own jars and the project's, as links; return it.

    The second time nothing is fetched, and the network is not touched.

    Args:
        project: Its `jars` are taken as they are: what one of them needs must be listed too.
        progress: Called as bytes arrive.

    Raises:
        ConfigurationError: When a jar is unknown, cannot be fetched or is damaged, or PyFlink is missing.
    """
    home = distribution.home()
    # PyFlink's own jar is in opt/, and comes with each job. Thread mode needs it here: the native library that runs Python can
    # be loaded once for each process, not once for each job, or each restart of one.
    own = [*sorted((home / "lib").glob("*.jar")), *sorted((home / "opt").glob("flink-python-*.jar"))]
    wanted = [*own, *fetch(project, project.jars, transitive=False, progress=progress)]
    folder = project.work / "flink" / "lib"
    folder.mkdir(parents=True, exist_ok=True)
    links = {folder / jar.name: jar for jar in wanted}
    for entry in folder.iterdir():
        if links.get(entry) != _target(entry):
            entry.unlink()
    for link, jar in links.items():
        if not link.is_symlink():
            link.symlink_to(jar)
    return folder


def broker_classpath(project: Project, progress: Progress = _silent) -> list[Path]:
    """Return the jars of the Kafka broker whose version the project names.

    Raises:
        ConfigurationError: As for `library`, and when the project names no version.
    """
    if project.kafka is None:
        raise ConfigurationError(
            "The project does not say which Kafka broker local runs start.",
            where=f"{project.root / 'pyproject.toml'}, [tool.jobkit]",
            remedy='Write kafka = "4.1.1", or the version that you run.',
        )
    broker = fetch(project, [f"{_KAFKA}:{project.kafka}"], transitive=True, progress=progress)
    cores = [jar.stem.removeprefix("log4j-core-") for jar in broker if jar.name.startswith("log4j-core-")]
    logging = [f"{_KAFKA_LOGGING}:{version}" for version in cores]  # Kafka's own pom leaves the binding out
    return [*broker, *fetch(project, logging, transitive=False, progress=progress)]


def _target(entry: Path) -> Path | None:
    return entry.readlink() if entry.is_symlink() else None


def fetch(project: Project, coordinates: Sequence[str], *, transitive: bool = False, progress: Progress = _silent) -> list[Path]:
    """Return the files of Maven coordinates; `.jobkit/flink/jars.json` remembers them.

    Args:
        project: Whose memory is used.
        coordinates: `group:artifact:version`, each.
        transitive: Whether what they need comes with them.
        progress: Called as bytes arrive.

    Raises:
        ConfigurationError: When one is unknown, cannot be fetched or is damaged.
    """
    if not coordinates:
        return []
    memory = project.work / "flink" / "jars.json"
    known = _read(memory)
    key = " ".join([*coordinates, "+" if transitive else ""]).strip()
    files = {Path(name): size for name, size in known.get(key, {}).items()}
    if not files or any(not file.is_file() or file.stat().st_size != size for file, size in files.items()):
        paths = _resolve(coordinates, transitive=transitive, progress=progress)
        files = {path: path.stat().st_size for path in paths}
        memory.parent.mkdir(parents=True, exist_ok=True)
        part = memory.with_suffix(".part")
        part.write_text(json.dumps({**known, key: {str(path): size for path, size in files.items()}}, indent=1))
        part.replace(memory)
    return list(files)


def _read(memory: Path) -> dict[str, dict[str, int]]:
    try:
        known: dict[str, dict[str, int]] = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return known


def _resolve(coordinates: Sequence[str], *, transitive: bool, progress: Progress) -> list[Path]:
    from jgo.parse import Coordinate

    from .repository import connect

    context = connect(progress)
    wanted = [context.create_dependency(replace(Coordinate.parse(text), scope="compile")) for text in coordinates]
    artifacts = [dependency.artifact for dependency in wanted]
    if transitive:
        _, needed = context.resolver.resolve(wanted)
        artifacts += [dependency.artifact for dependency in needed if dependency.scope in ("compile", "runtime")]
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(_whole, artifacts))


def _whole(artifact: Any) -> Path:
    """Return the file of an artifact; fetch it again when the one in the local repository is damaged."""
    path = Path(artifact.resolve())
    if not _is_sound(path):
        path = Path(artifact.context.resolver.download(artifact))
        if not _is_sound(path):
            raise ConfigurationError(
                "A jar is damaged.", found=f"{path.name} is no complete jar", where=str(path), remedy="Delete the file and try again."
            )
    return path


def _is_sound(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as jar:
            return jar.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False
