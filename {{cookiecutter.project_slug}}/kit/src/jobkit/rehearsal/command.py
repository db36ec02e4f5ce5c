"""The command `jobkit rehearse`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import JobkitError
from ..project import environment_name, find_project
from ..terminal import Json, debugging, document, notes, out, reading, wide

_ENV = "The environment that the snapshot is of. By default what JOBKIT_ENV names, or else prod."


def rehearse(
    snapshot: Annotated[
        str, typer.Option("--from", metavar="SNAPSHOT", help="Production's checkpoint or savepoint: a folder or an address.")
    ],
    env: Annotated[str | None, typer.Option("--env", help=_ENV)] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0, help="For how long the job processes, between two checkpoints.")] = 15,
    production_input: Annotated[
        bool, typer.Option("--production-input", help="Read production's topics, and commit no offsets, instead of the sample.")
    ] = False,
    allow: Annotated[
        list[str] | None, typer.Option("--allow", metavar="UID", help="A source or sink that runs for real; may be repeated.")
    ] = None,
    topic: Annotated[list[str] | None, typer.Option("--topic", help="One more topic for the local broker; may be repeated.")] = None,
    lock_file: Annotated[Path | None, typer.Option("--lock", help="The lock of the job that took the snapshot, as for compat.")] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Start from an incompatible snapshot, too.")] = False,
    parallelism: Annotated[int | None, typer.Option("--parallelism", "-p", min=1, help="The job's parallelism (default 2).")] = None,
    within: Annotated[
        float, typer.Option("--within", min=1, help="Seconds for the restore, for each checkpoint and for each savepoint.")
    ] = 600,
    as_json: Json = False,
) -> None:
    """Start the job on a local cluster from a copy of a snapshot of production, with its sinks redirected, and show what was restored."""
    from ..cluster import display, interruption
    from . import report
    from .rehearsal import Stopped
    from .stages import Stages
    from .wishes import Wishes

    wishes = Wishes(snapshot, seconds, production_input, tuple(allow or ()), tuple(topic or ()), parallelism, within)
    try:
        with interruption.listening(), reading(quiet=True), display.Display(notes) as shown:
            stages = Stages(find_project(Path.cwd()), env or environment_name(), wishes, shown)
            found = stages.check(lock_file)
            if not as_json:
                notes.print(stages.table())
            outcome = stages.rehearse() if found.is_compatible or anyway else None
    except (JobkitError, KeyboardInterrupt) as caught:
        if any(debugging):
            raise
        error = caught if isinstance(caught, JobkitError) else Stopped("Interrupted. Nothing was started.")
        display.show_failure(error, out, notes, as_json=as_json)
        raise typer.Exit(error.exit_code) from error
    if outcome is None:
        if as_json:
            document({"state": "incompatible", "compatibility": found.to_json()})
        notes.print("Nothing was started: state would be lost. --anyway starts it and shows what happens.", style="red")
        raise typer.Exit(1)
    if as_json:
        document(outcome.to_json())
    else:
        wide().print(report.table(outcome))
    raise typer.Exit(1 if outcome.losses else 0)
