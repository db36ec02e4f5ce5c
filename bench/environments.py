"""The virtual environments of the peers: each has its own, with the versions that its requirements pin."""

from __future__ import annotations

import hashlib
import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import BenchmarkError

_SECONDS_TO_INSTALL = 900
_FOLDER = Path(__file__).parent


def provide(name: str, cache: Path) -> Path:
    """Return the Python of an environment that has what `requirements-<name>.txt` pins; make it once.

    Args:
        name: The peer.
        cache: The folder of all environments.

    Raises:
        BenchmarkError: When something cannot be installed.
    """
    pins = _pins(name)
    mark = hashlib.sha256("\n".join([*pins, sys.version]).encode()).hexdigest()[:12]
    folder = cache / "environments" / f"{name}-{mark}"
    python = folder / "bin" / "python"
    if (folder / "complete").is_file():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.is_file() else shutil.which("uv")
    if uv:
        run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        run([uv, "pip", "install", "--quiet", "--python", str(python), *pins])
    else:
        run([sys.executable, "-m", "venv", str(folder)])
        run([str(python), "-m", "pip", "install", "--quiet", *pins])
    (folder / "complete").touch()
    return python


def versions(name: str) -> dict[str, str]:
    """Return what the requirements of a peer pin."""
    pins = [pin.partition("==") for pin in _pins(name)]
    return {package.partition("[")[0]: version for package, _, version in pins}


def _pins(name: str) -> list[str]:
    """Return what the requirements of a peer pin; what has no version there gets the one that the jobs on Flink have."""
    lines = (_FOLDER / f"requirements-{name}.txt").read_text(encoding="utf-8").split()
    return [line if "==" in line else f"{line}=={importlib.metadata.version(line)}" for line in lines]


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run a command, in this environment or another one.

    Raises:
        BenchmarkError: When it fails.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS_TO_INSTALL, check=False, env=environment)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchmarkError("A command has failed.", found=str(error), where=" ".join(command)) from error
    if done.returncode != 0:
        last = "".join(done.stderr.strip().splitlines()[-1:])
        raise BenchmarkError("A command has failed.", found=last, where=" ".join(command))
