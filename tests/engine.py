"""The Docker engine for tests, with the images that they need: the official ones, or stand-ins that are built on the spot."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from jobkit.cluster import engine
from jobkit.errors import ConfigurationError

ROOT = Path(__file__).parents[1]
VERSIONS = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["_flink_versions"]
BUILD_OPTIONS = "--network host"
"""For `docker build` in tests: this machine's network, since stand-ins know its proxies and certificates."""


def images(version: str = "2.2") -> list[str]:
    """Return the names of the images that the generated project of a Flink version refers to."""
    pins = VERSIONS[version]
    return [pins["image"], f"apache/kafka:{pins['kafka']}", "maven:3-eclipse-temurin-17", "astral/uv:0.9"]


@functools.cache
def require(version: str = "2.2") -> engine.Engine:
    """Return the engine, once it has the images; skip the test where that cannot be, and fail it in continuous integration."""
    absence = engine.absence()
    if absence is not None:
        _give_up(f"there is no Docker engine: {absence}")
    found = engine.require()
    lock = ROOT / "build" / "stand-ins.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:  # of several workers, one builds
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        built = subprocess.run(
            [sys.executable, ROOT / "tests" / "images" / "build.py", version],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if built.returncode != 0:
        try:
            for name in images(version):
                found.image(name, option="--flink-image", variable="JOBKIT_FLINK_IMAGE")
        except ConfigurationError as error:
            _give_up(f"{error.what} No stand-in can be built: {built.stdout.strip()}")
    return found


def _give_up(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"In continuous integration tests run with Docker, and {reason}")
    pytest.skip(reason)
