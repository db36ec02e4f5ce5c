"""What a measurement was made with: the command, the version of the kit, and the sources of all that was measured."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from .place import ROOT, TEMPLATE

_SHOWN_ONLY = {"groups.py", "page.py", "plot.py", "ratios.py", "report.py", "tables.py"}
"""Modules of this package that only show what was measured."""

_WITH_A_PATH = ("--out", "--flights")
_LENGTH = 12
_SECONDS = 30


def session(arguments: Sequence[str]) -> dict[str, Any]:
    """Return what the runs of this command are known by; no path is in it.

    Args:
        arguments: Of the command.
    """
    return {"command": command(arguments), "kit": kit_version(), "commit": commit(), "sources": digest()}


def command(arguments: Sequence[str]) -> str:
    """Return the command without what names a place on this machine."""
    kept, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in _WITH_A_PATH:
            skip = True
        elif not argument.startswith(tuple(f"{option}=" for option in _WITH_A_PATH)):
            kept.append(argument)
    return " ".join(["python -m bench", *kept])


def kit_version() -> str:
    """Return the kit's version."""
    text = (TEMPLATE / "kit" / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    return found[1] if found else "unknown"


def digest() -> str:
    """Return a digest of all sources that have a say in the figures: the kit, the template's job and configuration, and the benchmark."""
    folders = [(ROOT / "bench", "*"), *((TEMPLATE / name, "*") for name in ("kit/src", "conf", "src"))]
    files = [file for folder, pattern in folders for file in folder.rglob(pattern) if _counts(file.name, file.suffix) and file.is_file()]
    found = hashlib.sha256()
    for file in sorted(file for file in files if "__pycache__" not in file.parts and "flink_jobkit.egg-info" not in file.parts):
        found.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()[:_LENGTH]


def _counts(name: str, suffix: str) -> bool:
    return suffix in {".py", ".java", ".yaml", ".txt"} and name not in _SHOWN_ONLY


def commit() -> str:
    """Return the commit that is checked out, marked where bench or template differ from it."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    head = _output([git, "rev-parse", f"--short={_LENGTH}", "HEAD"])
    changes = _output([git, "status", "--porcelain", "--", "bench", TEMPLATE.name])
    return head + (" and changes" if changes else "") if head else "unknown"


def _output(arguments: Sequence[str]) -> str:
    try:
        return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""


def rounds(document: Mapping[str, Any]) -> int:
    """Return how many rounds there are in a document: those of a command come after those of the ones before."""
    return max((int(run["round"]) for run in document["runs"]), default=0)


def mixed(document: Mapping[str, Any]) -> bool:
    """Return whether a document's runs were made with different sources."""
    return len({each["sources"] for each in document.get("sessions", [])}) > 1
