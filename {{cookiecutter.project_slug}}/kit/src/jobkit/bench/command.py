"""The command `jobkit bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..project import find_project
from ..terminal import Env, Json, document, notes, reading, wide


def bench(
    env: Env = "local",
    records: Annotated[int, typer.Option("--records", min=1, help="How many records the job is fed, before it starts.")] = 2_000_000,
    warm_up: Annotated[
        float, typer.Option("--warm-up", min=0, help="Seconds from its first record on in which the job is not measured.")
    ] = 10,
    limit: Annotated[float, typer.Option("--limit", min=1, help="Seconds after which it is measured as far as it got.")] = 180,
    parallelism: Annotated[int | None, typer.Option("--parallelism", "-p", min=1, help="The job's parallelism (default 2).")] = None,
    as_json: Json = False,
) -> None:
    """Measure how fast the job goes on this machine over the sample without end, what it needs, and which task holds it up."""
    from ..cluster import display, interruption
    from ..cluster.local import Options
    from . import report
    from .job import JobBench, Load

    options, load = Options(environment=env, parallelism=parallelism), Load(records, warm_up, limit)
    with interruption.listening(), reading(quiet=True), display.Display(notes) as shown:
        figures = JobBench(find_project(Path.cwd()), options, load, shown).run()
    if as_json:
        document(figures.to_json())
        return
    wide().print(report.table(figures))
    for note in report.notes(figures):
        notes.print(note, style="dim", markup=False)
