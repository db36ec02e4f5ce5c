"""What the commands print with: tables and documents on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from .errors import JobkitError

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
_ENV = "The environment: the file in conf/ that is laid over base.yaml."
Env = Annotated[str, typer.Option("--env", help=_ENV)]
OptionalEnv = Annotated[str | None, typer.Option("--env", help=f"{_ENV} By default what JOBKIT_ENV names, or else prod.")]

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""

out = Console(highlight=False)
notes = Console(stderr=True, highlight=False)
debugging: list[bool] = []
"""Whether the traceback of an error is wanted."""
printed: list[bool] = []
"""Whether a JSON document was printed: there is one at most."""


def wide() -> Console:
    """Return a console for tables; a pipe has no width of its own."""
    return Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 140)


def document(content: object) -> None:
    """Print one JSON document."""
    printed.append(True)
    print(json.dumps(content, indent=2, ensure_ascii=False))


def facts(error: JobkitError) -> dict[str, Any]:
    """Return what the JSON of any failure says."""
    return {"message": str(error), **{name: getattr(error, name) for name in ("what", "found", "where", "remedy")}}


def failed(error: JobkitError) -> None:
    """Print a failure as the command's JSON document, unless it has printed one."""
    if not any(printed):
        document({"error": facts(error)})


@contextlib.contextmanager
def reading(quiet: bool) -> Iterator[None]:
    """Show that work is going on, and keep what user code, libraries and the JVM print away from stdout."""
    status = contextlib.nullcontext() if quiet or not notes.is_terminal else notes.status("Reading the job …")
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)  # also for what is started meanwhile
    try:
        with status, contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
