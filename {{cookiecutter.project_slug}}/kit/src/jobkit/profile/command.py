"""The command `jobkit profile`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..project import LOCAL, find_project
from ..terminal import Json, document, notes, reading, wide

if TYPE_CHECKING:
    from ..graph import JobGraph


def profile(
    url: Annotated[str, typer.Option("--url", help="The JobManager's address: that of the web UI.")] = "http://127.0.0.1:8081",
    job: Annotated[str | None, typer.Option("--job", help="The job's id, when more than one runs.")] = None,
    seconds: Annotated[int, typer.Option("--seconds", min=1, max=3600, help="For how long to sample.")] = 20,
    out: Annotated[Path, typer.Option("--out", help="The flame graph: .html, or .folded for the stacks as text.")] = Path("profile.html"),
    as_json: Json = False,
) -> None:
    """Show where the Python of a running job spends its time, by operator: a table, and a flame graph for the browser."""
    from ..cluster import display, interruption
    from .flamegraph import Drawing
    from .profiling import Profiling

    drawing = Drawing(out)
    found = Profiling(url, job)
    with interruption.listening(), reading(quiet=True), display.Display(notes) as shown:
        outcome = found.run(seconds, _graphs, shown)
        drawing.draw(outcome.profile.job.name, outcome.profile.lines())
    if as_json:
        document({**outcome.profile.to_json(), "file": str(out), "notes": outcome.notes})
        return
    wide().print(outcome.profile.table())
    for note in outcome.notes:
        notes.print(note, style="dim", markup=False)
    notes.print(f"The flame graph is in {out}.", markup=False)


def _graphs() -> list[JobGraph]:
    """Return the graphs of the project that one stands in."""
    from .. import analysis
    from ..configuration import load

    project = find_project(Path.cwd())
    configuration = load(project.conf, LOCAL)
    analysis.prepare(project)
    return analysis.of_project(project, LOCAL, configuration, judged=False).jobs
