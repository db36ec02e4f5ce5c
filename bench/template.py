"""A project that the template makes, with the default answers: its job is one of the contenders."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from . import environments
from .place import CACHE, PROJECT, ROOT


def render() -> None:
    """Make the project anew; its `src` is on the path of Flink's processes, see `place.BenchMachine`."""
    folder, home = PROJECT.parent, CACHE / "template-home"
    shutil.rmtree(folder, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    command = [
        str(Path(sys.executable).with_name("cookiecutter")),
        str(ROOT),
        "--no-input",
        "--default-config",
        "--output-dir",
        str(folder),
    ]
    environments.run(command, {**os.environ, "HOME": str(home), "TMPDIR": str(home)})  # cookiecutter keeps a copy of the answers at HOME
    shutil.rmtree(home, ignore_errors=True)
