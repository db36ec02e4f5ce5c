"""The tables of a benchmark: their cells, which page and terminal share, and how they look in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from statistics import linear_regression, median
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .groups import Group, groups, is_disturbed
from .runs import Result

_MILLION = 1_000_000


def line(result: Result) -> str:
    """Return a run as one line of text."""
    head = f"{result.contender}, {result.keys:,} keys, round {result.round}: "
    if result.error:
        return escape(f"{head}FAILED. {result.detail}")
    figures = result.figures
    if result.kind == "latency" and "written_ms" not in figures:
        return escape(f"{head}it does not keep up")
    if result.kind == "latency":
        written, visible = figures["written_ms"], figures["visible_ms"]
        text = f"p50 {written['p50']:,.0f} ms, p99 {written['p99']:,.0f} ms until written, p50 {visible['p50']:,.0f} ms until visible"
        return escape(f"{head}{text}" + ("" if figures["keeps_up"] else "; it does not keep up"))
    stopped = "" if result.complete else f", stopped after {figures['records']:,} records"
    rate, start = figures["records_per_second"], figures["startup_seconds"]
    disturbed = f"; DISTURBED: others took {figures['foreign_share']:.0%} of its processors" if is_disturbed(figures) else ""
    return escape(f"{head}{rate:,.0f} records/s, first output after {start:.1f} s, output as it must be{stopped}{disturbed}")


def show(document: Mapping[str, Any], console: Console) -> None:
    """Print the medians of a document's runs."""
    columns = ["keys", "contender", "records/s", "min - max (runs)", "start, s", "CPU s/million", "peak MiB"]
    rows = list(throughput(document))
    if rows:
        _print(console, "Medians of all rounds", columns, rows)
    for note in notes(document):
        console.print(note)
    rows = list(latency(document))
    if rows:
        _print(console, "Latency at an even pace, ms", ["keys", "contender", "p50", "p99", "max", "visible p50", "visible p99"], rows)


def throughput(document: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the cells of the table of throughput."""
    for group in groups(document):
        if not group.good:
            yield [f"{group.keys:,}", group.contender, "failed", "", "", "", ""]
            continue
        rates = group.figures("records_per_second")
        yield [
            f"{group.keys:,}",
            group.contender,
            " ".join([f"{median(rates):,.0f}", *marks(group, document["settings"]["warm_up_seconds"])]),
            f"{min(rates):,.0f} - {max(rates):,.0f} ({len(rates)})",
            f"{group.median('startup_seconds'):.1f}",
            f"{group.median('cpu_seconds_per_million'):.1f}",
            f"{group.median('peak_mib'):,.0f}",
        ]


_NOTES = {
    "*": "stopped at the time limit, and measured as far as it got; what it had written was right",
    "!": "other processes took more than a twentieth of the processors: measure again on an idle machine",
    "+": "over the whole run, start-up included: it was over before there was a pace to measure",
    "^": "given half the time to get warm: else less than five seconds would have been left to measure",
    "~": "at full pace for less than five seconds, which is too short for a finding: it needs more records",
}


def marks(group: Group, warm_up: float) -> list[str]:
    """Return the marks of a figure of throughput, each of which has a note.

    Args:
        group: The runs that it is the median of.
        warm_up: The time that contenders are given to get warm.
    """
    halved = not group.with_startup and group.warm_up is not None and group.warm_up < warm_up
    marked = {"*": not group.complete, "!": group.disturbed, "+": group.with_startup, "^": halved, "~": group.is_short}
    return [mark for mark, is_there in marked.items() if is_there]


def notes(document: Mapping[str, Any]) -> list[str]:
    """Return what the marks mean that are there."""
    warm_up = document["settings"]["warm_up_seconds"]
    there = {mark for group in groups(document) if group.good for mark in marks(group, warm_up)}
    return [f"{mark} {note}" for mark, note in _NOTES.items() if mark in there]


def latency(document: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the cells of the table of latency."""
    for group in groups(document, "latency"):
        if not group.good:
            yield [f"{group.keys:,}", group.contender, "failed", "", "", "", ""]
            continue
        keeps_up = all(figures["keeps_up"] for figures in group.good)
        head = [f"{group.keys:,}", group.contender + ("" if keeps_up else " (does not keep up)")]
        if not all("written_ms" in figures for figures in group.good):
            yield [*head, "", "", "", "", ""]
            continue
        written = [f"{group.median('written_ms', name):,.0f}" for name in ("p50", "p99", "max")]
        visible = [f"{group.median('visible_ms', name):,.0f}" for name in ("p50", "p99")]
        yield [*head, *written, *visible]


def memory(document: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the cells of the table of memory: how it grows once a million records are written."""
    for group in groups(document):
        courses = [course for figures in group.good if len(course := _after_the_first_million(figures)) > 1]
        if courses:
            slopes = [linear_regression(*zip(*course, strict=True)).slope * 1_000_000 for course in courses]
            first, last = median(course[0][1] for course in courses), median(course[-1][1] for course in courses)
            yield [f"{group.keys:,}", group.contender, f"{first:,.0f}", f"{last:,.0f}", f"{median(slopes):+,.1f}"]


def _after_the_first_million(figures: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Return how many records were written, and the memory in MiB, at each moment after the first million and before the end."""
    written = list(accumulate(figures["by_second"]))
    moments = ((int(second - figures["startup_seconds"]), held) for second, held in figures["memory_mib"])
    points = [(written[moment], held) for moment, held in moments if 0 <= moment < len(written)]
    return [point for point in points if point[0] >= _MILLION]


def _print(console: Console, title: str, columns: list[str], rows: list[list[str]]) -> None:
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
