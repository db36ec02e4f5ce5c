"""What is installed here, and so what each version that is started from here runs with."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from pyflink.version import __version__


def versions() -> dict[str, Any]:
    """Return the entries of a specification that are of this environment, not of the version: Flink, Python, kit and packages."""
    return {
        "flink": __version__,
        "python": platform.python_version(),
        "kit": importlib.metadata.version("flink-jobkit"),
        "packages": {entry.name: entry.version for entry in importlib.metadata.distributions() if entry.name},
    }
