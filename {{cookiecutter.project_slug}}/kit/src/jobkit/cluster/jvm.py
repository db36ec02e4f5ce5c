"""The environment that every JVM of a local cluster gets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .java import Java

_FOREIGN = ("FLINK_", "_FLINK_", "JVM_ARGS", "PYFLINK_", "PYTHONSTARTUP", "PYTHON_LOOPBACK_")
"""Variables that would point Flink's scripts at another installation, or its workers at another process: PyFlink sets the last
one where a job has run on the mini cluster, and a TaskManager that inherits it runs its Python there."""

_SHORT_LIVED = "-XX:TieredStopAtLevel=1"
"""Compile quickly, not well: a local run is over in a minute, and a third of its processor time went into optimising. A
benchmark takes it back with `FULL_COMPILER`."""

FULL_COMPILER = "-XX:TieredStopAtLevel=4"
"""Compile as well as Java can. Of two such options the later one counts: Flink's env.java.opts.all comes after the environment's."""


def environment(java: Java, temporary: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables for a child process that runs Java.

    Args:
        java: Becomes JAVA_HOME.
        temporary: Takes all temporary files, those of Python workers too. Nothing is left in the system's own
            folder: -XX:-UsePerfData keeps each JVM from writing /tmp/hsperfdata_<user>.
        environ: The variables to start from.
    """
    temporary.mkdir(parents=True, exist_ok=True)
    inherited = clean(environ)
    options = f'{_SHORT_LIVED} -XX:-UsePerfData "-Djava.io.tmpdir={temporary}" {inherited.get("JAVA_TOOL_OPTIONS", "")}'
    return {**inherited, "JAVA_HOME": str(java.home), "JAVA_TOOL_OPTIONS": options.strip(), "TMPDIR": str(temporary)}


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables without those that belong to another Flink."""
    return {name: value for name, value in environ.items() if not name.startswith(_FOREIGN)}
