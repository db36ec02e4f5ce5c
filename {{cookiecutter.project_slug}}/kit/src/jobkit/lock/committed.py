"""The lock as it is in Git: of the last commit, or of any other, such as the one that was last deployed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ..errors import ConfigurationError
from .file import FILE, parse
from .model import Lock

HEAD = "HEAD"


def last(root: Path) -> Lock | None:
    """Return the lock of the last commit; None when it has none, or there is no Git.

    Raises:
        ConfigurationError: When it cannot be read.
    """
    shown = _show(root, HEAD)
    return None if shown is None or shown.returncode != 0 else parse(shown.stdout, f"{HEAD}:{FILE}")


def of(root: Path, revision: str) -> Lock:
    """Return the lock of a Git revision.

    Args:
        root: The project's folder.
        revision: A commit, tag or branch.

    Raises:
        ConfigurationError: When there is none, or it cannot be read.
    """
    shown = _show(root, revision)
    if shown is None:
        raise ConfigurationError("There is no git on this machine.", remedy="Install it, or leave --against out.")
    if shown.returncode != 0:
        lines = shown.stderr.strip().splitlines()
        raise ConfigurationError(f"Git has no {FILE} of that revision.", found=lines[-1] if lines else revision, where=revision)
    return parse(shown.stdout, f"{revision}:{FILE}")


def _show(root: Path, revision: str) -> subprocess.CompletedProcess[str] | None:
    command = ["git", "-C", str(root), "show", "--end-of-options", f"{revision}:./{FILE}"]
    try:
        return subprocess.run(command, capture_output=True, check=False, encoding="utf-8", errors="replace")  # noqa: S603
    except OSError:
        return None
