"""The command `jobkit run`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..errors import JobkitError
from ..project import find_project
from ..terminal import Env, Json, debugging, notes


def run(
    env: Env = "local",
    snapshot: Annotated[
        str | None, typer.Option("--from", metavar="SNAPSHOT", help="Resume from a checkpoint or savepoint of the last run.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the cluster and its web UI up until Ctrl-C.")] = False,
    parallelism: Annotated[int | None, typer.Option("--parallelism", "-p", min=1, help="The job's parallelism (default 2).")] = None,
    as_json: Json = False,
) -> None:
    """Run the job on a local cluster and broker over the sample, and judge what comes out."""
    from . import display, interruption
    from .local import Options
    from .run import Interrupted, LocalRun

    stdout = Console(file=sys.stdout, highlight=False)
    options = Options(environment=env, snapshot=snapshot, parallelism=parallelism)
    try:
        with interruption.listening(), contextlib.redirect_stdout(sys.stderr), display.Display(notes) as shown:
            local = LocalRun(find_project(Path.cwd()), options, shown)
            with local.execute() as outcome:
                shown.close()
                display.show(outcome, stdout, as_json=as_json)
                if keep:
                    notes.print(f"The web UI is up at {outcome.url} until Ctrl-C.")
                    interruption.wait()
    except (JobkitError, KeyboardInterrupt) as caught:
        error = caught if isinstance(caught, JobkitError) else Interrupted(Path(snapshot) if snapshot else None)
        if any(debugging):
            raise
        display.show_failure(error, stdout, notes, as_json=as_json)
        raise typer.Exit(error.exit_code) from error
    raise typer.Exit(1 if outcome.verdict.differences else 0)
