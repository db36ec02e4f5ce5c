"""The graph of a project's job, read in a process of its own: this one's JVM may have other jars."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from ..errors import ConfigurationError
from ..project import Project

_COMMAND = "from jobkit.cli import main; main()"


def read(project: Project, environment: str) -> list[dict[str, Any]]:
    """Return a project's jobs as `jobkit graph --json` shows them.

    Args:
        project: The project.
        environment: Whose configuration the job is built with.

    Raises:
        ConfigurationError: When the job cannot be built.
    """
    command = [sys.executable, "-W", "ignore", "-c", _COMMAND, "graph", "--json", "--env", environment]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise ConfigurationError("The job's graph cannot be read.", found=done.stderr.strip()[-500:], where=str(project.root))
    jobs: list[dict[str, Any]] = json.loads(done.stdout)["jobs"]
    return jobs
