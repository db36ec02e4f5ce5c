"""How the figures of `jobkit bench` look in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from .job import Figures


def table(figures: Figures) -> RenderableType:
    """Return the figures, and the tasks of the job by how busy they were."""
    pairs = Table.grid(padding=(0, 2))
    for name, value, note in _figures(figures):
        pairs.add_row(name, f"[bold]{value}[/bold]", f"[dim]{note}[/dim]")
    tasks = Table("task", "busy", "waits for the next", title="The tasks, in parts of the measured time", title_justify="left")
    for vertex in figures.vertices:
        tasks.add_row(escape(vertex.name), f"{vertex.busy:.0%}", f"{vertex.held_up:.0%}")
    return Group(pairs, tasks)


def _figures(figures: Figures) -> Iterator[tuple[str, str, str]]:
    """Yield name, value, and what it means."""
    yield "records/s", f"{figures.records_per_second:,.0f}", f"read in {figures.measured_seconds:.0f} s, when the job was warm"
    yield "CPU s/million", f"{figures.cpu_seconds_per_million:.1f}", "of JobManager and TaskManagers"
    yield (
        "peak memory",
        f"{figures.peak_mib:,.0f} MiB",
        f"JobManager and {figures.task_managers} TaskManagers, parallelism {figures.parallelism}",
    )
    done = figures.checkpoints
    if done.count:
        size = f"{median(done.bytes) / 1e6:,.1f} MB each, {done.state_bytes / 1e6:,.1f} MB of state"
        yield "checkpoints", f"{done.count}", f"{median(done.seconds):.2f} s, {done.seconds[-1]:.2f} s the longest; {size}"
    else:
        yield "checkpoints", "none", "the run was shorter than their interval"


def notes(figures: Figures) -> Iterator[str]:
    """Yield what one should know of the figures."""
    if not figures.complete:
        yield f"The time was over: {figures.records:,} records were read."
    if figures.repeated:
        yield "The sample was repeated as it is: to a job in event time the repeats are late. Give it a method endless()."
    busiest = max(figures.vertices, key=lambda vertex: vertex.busy, default=None)
    if busiest is not None:
        yield f"The busiest task is {busiest.name}. What its Python spends the time on, `jobkit profile` tells while a job runs."
