"""The machine that the figures come from, in what matters and identifies nobody."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from jobkit.bench.resources import processors

from .place import Place

_GIB = 1 << 30


def cores(wanted: int) -> list[int]:
    """Return the processors that a run gets: the first ones that this process may use, so that what measures has the others."""
    return processors()[:wanted]


def describe(place: Place, used: Sequence[int], versions: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the machine's shape, and the versions of all that ran."""
    return {
        "processors": psutil.cpu_count(),
        "processors_of_a_run": len(used),
        "memory_gib": round(psutil.virtual_memory().total / _GIB),
        "model": _model(),
        "system": platform.system(),
        "python": platform.python_version(),
        "java": place.java.version,
        "kafka": place.project.kafka,
        "msgspec": importlib.metadata.version("msgspec"),
        "kafka-python": importlib.metadata.version("kafka-python"),
        "contenders": {name: dict(pins) for name, pins in versions.items()},
    }


def _model() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
