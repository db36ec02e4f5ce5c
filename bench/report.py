"""What the runs came to: every figure as JSON, and the medians as a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .benchmark import Plan
from .contenders.contender import Contender
from .errors import BenchmarkError
from .latency import Pace
from .runs import COMMIT_SECONDS, PARTITIONS, Result

RESULTS = "results.json"
_MILLION = 1_000_000
_DISTURBED = 0.05
"""The share of a run's processors that may go to other processes: what is measured beyond it says little."""


@dataclass
class Report:
    """All results, as they come.

    Attributes:
        document: What is written as JSON.
    """

    document: dict[str, Any]
    _results: list[Result] = field(default_factory=list)

    @classmethod
    def begin(
        cls,
        plan: Plan,
        pace: Pace | None,
        contenders: Mapping[str, Contender],
        machine: Mapping[str, Any],
        earlier: Mapping[str, Any] | None = None,
    ) -> Report:
        """Begin with what is known before the first run.

        Args:
            plan: What will be measured.
            pace: How latency will be measured, or None.
            contenders: Who will run.
            machine: See `machine.describe`.
            earlier: A document to which the runs are added.

        Raises:
            BenchmarkError: When that was measured on another machine, or in another way.
        """
        facts = {
            name: {"guarantee": each.guarantee, "output": each.contract.value, "workers": each.workers} for name, each in contenders.items()
        }
        settings = {
            "records": plan.records,
            "keys": list(plan.keys),
            "rounds": plan.rounds,
            "partitions": PARTITIONS,
            "commit_seconds": COMMIT_SECONDS,
            "latency_rate": pace.rate if pace else None,
            "latency_seconds": pace.seconds if pace else None,
            "limit_seconds": plan.seconds,
            "warm_up_seconds": plan.warm_up,
        }
        document = {"machine": dict(machine), "settings": settings, "contenders": facts, "runs": []}
        return cls(joined(earlier, document) if earlier else document)

    @property
    def has_errors(self) -> bool:
        """Whether a run has failed."""
        return any(result.error for result in self._results)

    def add(self, result: Result) -> None:
        """Add a run."""
        self._results.append(result)
        entry = asdict(result)
        del entry["detail"]
        self.document["runs"].append(entry)

    def write(self, folder: Path) -> None:
        """Write all as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RESULTS).write_text(json.dumps(self.document, indent=1) + "\n", encoding="utf-8")


_MAY_DIFFER = ("keys", "rounds", "limit_seconds", "latency_rate", "latency_seconds")


def joined(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Return an earlier document, ready for the runs of a later one.

    Raises:
        BenchmarkError: When they cannot be compared.
    """
    old, new = _flat(earlier), _flat(later)
    different = [f"{name} was {old[name]}, and is {value}" for name, value in new.items() if name in old and old[name] != value]
    if different:
        raise BenchmarkError(
            "These runs cannot be added to those that are there: they were measured differently.",
            found="; ".join(different),
            remedy="Measure in the same way, or into another folder.",
        )
    settings = {**later["settings"], **{name: value for name, value in earlier["settings"].items() if value is not None}}
    settings["keys"] = list(dict.fromkeys([*earlier["settings"]["keys"], *later["settings"]["keys"]]))
    settings["rounds"] = max(earlier["settings"]["rounds"], later["settings"]["rounds"])
    pins = {**earlier["machine"]["contenders"], **later["machine"]["contenders"]}
    return {
        "machine": {**earlier["machine"], "contenders": pins},
        "settings": settings,
        "contenders": {**earlier["contenders"], **later["contenders"]},
        "runs": list(earlier["runs"]),
    }


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must be equal in documents whose runs are compared, by name."""
    machine = {name: value for name, value in document["machine"].items() if name != "contenders"}
    settings = {name: value for name, value in document["settings"].items() if name not in _MAY_DIFFER}
    return {**machine, **settings, **{f"{name}'s version": pins for name, pins in document["machine"]["contenders"].items()}}


def read(folder: Path) -> dict[str, Any] | None:
    """Return the document that is in a folder, or None."""
    file = folder / RESULTS
    document: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    return document


@dataclass(frozen=True)
class Group:
    """The runs of one contender on one kind of input.

    Attributes:
        keys: How many keys the input may have.
        contender: Its name.
        runs: The runs, as in the JSON document.
    """

    keys: int
    contender: str
    runs: list[dict[str, Any]]

    @property
    def good(self) -> list[dict[str, Any]]:
        """The figures of the runs that have not failed; of those that were not disturbed, where there are some."""
        found = [run["figures"] for run in self.runs if not run["error"]]
        return [figures for figures in found if not _is_disturbed(figures)] or found

    @property
    def disturbed(self) -> bool:
        """Whether other processes took much of the processors in all of them."""
        return any(map(_is_disturbed, self.good))

    @property
    def with_startup(self) -> bool:
        """Whether one of them was measured from its launch on."""
        return any(figures.get("with_startup") for figures in self.good)

    @property
    def complete(self) -> bool:
        """Whether no run was stopped before its end."""
        return all(run["complete"] for run in self.runs if not run["error"])

    def figures(self, *path: str) -> list[float]:
        """Return one figure of every good run."""
        found = []
        for entry in self.good:
            value: Any = entry
            for name in path:
                value = value[name]
            found.append(float(value))
        return found

    def median(self, *path: str) -> float:
        """Return the median of one figure."""
        return median(self.figures(*path))


def _is_disturbed(figures: Mapping[str, Any]) -> bool:
    return bool(figures.get("foreign_share", 0.0) > _DISTURBED)


def groups(document: Mapping[str, Any], kind: str = "throughput") -> Iterator[Group]:
    """Yield the runs of one kind, by number of keys and contender."""
    for keys in document["settings"]["keys"]:
        for name in document["contenders"]:
            found = [run for run in document["runs"] if (run["kind"], run["keys"], run["contender"]) == (kind, keys, name)]
            if found:
                yield Group(keys, name, found)


def line(result: Result) -> str:
    """Return a run as one line of text."""
    head = f"{result.contender}, {result.keys:,} keys, round {result.round}: "
    if result.error:
        return escape(f"{head}FAILED. {result.detail}")
    figures = result.figures
    if result.kind == "latency":
        written, visible = figures["written_ms"], figures["visible_ms"]
        text = f"p50 {written['p50']:,.0f} ms, p99 {written['p99']:,.0f} ms until written, p50 {visible['p50']:,.0f} ms until visible"
        return escape(f"{head}{text}" + ("" if figures["keeps_up"] else "; it does not keep up"))
    stopped = "" if result.complete else f", stopped after {figures['records']:,} records"
    rate, start = figures["records_per_second"], figures["startup_seconds"]
    disturbed = f"; DISTURBED: others took {figures['foreign_share']:.0%} of its processors" if _is_disturbed(figures) else ""
    return escape(f"{head}{rate:,.0f} records/s, first output after {start:.1f} s, output as it must be{stopped}{disturbed}")


def show(report: Report, console: Console) -> None:
    """Print the medians."""
    columns = ["keys", "contender", "records/s", "min - max (runs)", "start, s", "CPU s/million", "peak MiB"]
    rows = list(throughput(report.document))
    if rows:
        _print(console, "Medians of all rounds", columns, rows)
    rows = list(latency(report.document))
    if rows:
        _print(console, "Latency at an even pace, ms", ["keys", "contender", "p50", "p99", "max", "visible p50", "visible p99"], rows)
    if any(not (run["complete"] or run["error"]) for run in report.document["runs"]):
        console.print("* stopped at the time limit, and measured as far as it got")
    if any(group.with_startup for group in groups(report.document)):
        console.print("+ over the whole run, start-up included: it was over before there was a pace to measure")
    if any(group.disturbed for group in groups(report.document)):
        console.print("! other processes took more than a twentieth of the processors: measure again on an idle machine")


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
            f"{median(rates):,.0f}"
            + ("" if group.complete else " *")
            + (" !" if group.disturbed else "")
            + (" +" if group.with_startup else ""),
            f"{min(rates):,.0f} - {max(rates):,.0f} ({len(rates)})",
            f"{group.median('startup_seconds'):.1f}",
            f"{group.median('cpu_seconds_per_million'):.1f}",
            f"{group.median('peak_mib'):,.0f}",
        ]


def latency(document: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the cells of the table of latency."""
    for group in groups(document, "latency"):
        if not group.good:
            yield [f"{group.keys:,}", group.contender, "failed", "", "", "", ""]
            continue
        written = [f"{group.median('written_ms', name):,.0f}" for name in ("p50", "p99", "max")]
        visible = [f"{group.median('visible_ms', name):,.0f}" for name in ("p50", "p99")]
        keeps_up = all(figures["keeps_up"] for figures in group.good)
        yield [f"{group.keys:,}", group.contender + ("" if keeps_up else " (does not keep up)"), *written, *visible]


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
