"""The command: `python -m bench`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from jobkit.bench.resources import step_aside
from jobkit.cluster import interruption
from jobkit.cluster.display import Display
from jobkit.errors import ConfigurationError, JobkitError
from kafka.errors import KafkaError
from rich.console import Console

from . import benchmark, environments, flights, machine, page, report, sessions, tables
from .benchmark import Plan, Turns
from .contenders import everyone, variants
from .contenders.contender import Contender
from .contenders.flink import FlinkContender
from .latency import WARM_UP_SECONDS, Pace
from .place import CACHE, ROOT, Place
from .report import Report

_NOTES = Console(stderr=True)


def main(  # noqa: PLR0913, PLR0917  (options are arguments)
    records: Annotated[int, typer.Option(help="Records of each input.", min=1_000)] = 15_000_000,
    keys: Annotated[str, typer.Option(help="Numbers of keys, one input for each, separated by commas.")] = "229,20000,1000000",
    rounds: Annotated[int, typer.Option(help="How often each contender runs on each input.", min=1)] = 3,
    contenders: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    with_variants: Annotated[bool, typer.Option("--all", help="The variants, too, each where the page has it.")] = False,  # noqa: FBT002
    flink: Annotated[list[str] | None, typer.Option(help="One more job on Flink, as NAME=MODULE:FUNCTION.")] = None,
    cores: Annotated[int, typer.Option(help="Processors for contender and broker.", min=1)] = 2,
    limit: Annotated[float, typer.Option(help="Seconds from its launch after which a run is stopped, and measured as far as it got.")] = 75,
    warm_up: Annotated[float, typer.Option(help="Seconds after its first output in which a contender is not measured.", min=0)] = 20,
    throughput: Annotated[bool, typer.Option(help="Measure throughput.")] = True,  # noqa: FBT002
    latency: Annotated[bool, typer.Option("--latency", help="Measure latency, too, on the first input.")] = False,  # noqa: FBT002
    rate: Annotated[float, typer.Option(help="Records a second, for --latency.")] = 10_000,
    seconds: Annotated[float, typer.Option(help="Seconds of that pace.")] = 20,
    flights_file: Annotated[Path | None, typer.Option("--flights", help="The Parquet file of flights.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder for results.json, its plots and its page.")] = None,
    add: Annotated[bool, typer.Option("--add", help="Add to what is in that folder.")] = False,  # noqa: FBT002
    may_mix: Annotated[bool, typer.Option("--mixed", help="Add, even if kit or benchmark have changed; the page says so.")] = False,  # noqa: FBT002
) -> None:
    """Measure PyFlink and its peers on one job, and check every record that they write."""
    place = Place(CACHE)
    place.cache.mkdir(parents=True, exist_ok=True)
    chosen = _choose(contenders, flink or [], place, with_variants=with_variants)
    plan = Plan(records, _numbers(keys), rounds, limit, warm_up, machine.cores(cores), flights.find(flights_file, place.cache))
    versions = {}
    for name, contender in chosen.items():
        _NOTES.print(f"[dim]preparing {name}[/dim]", highlight=False)
        versions[name] = contender.prepare()
    pace = Pace(plan.flights, plan.keys[0], rate, WARM_UP_SECONDS, seconds) if latency else None
    earlier = report.read(out) if add and out is not None else None
    shape, made_with = machine.describe(place, plan.cores, versions), sessions.session(sys.argv[1:])
    findings = Report.begin(plan, pace, chosen, shape, made_with, earlier, may_mix=may_mix)
    turns = Turns(chosen, with_variants, sessions.rounds(findings.document), throughput)
    step_aside(plan.cores)
    with Display(_NOTES) as display, benchmark.surroundings(place, plan, display.progress) as around:
        for result in benchmark.runs(place, plan, turns, pace, around):
            findings.add(result)
            display.phase(tables.line(result))
            if out is not None:
                findings.write(out)
    tables.show(findings.document, Console())
    if out is not None:
        _illustrate(out, place)
    if findings.has_errors:
        sys.exit(1)


def _illustrate(out: Path, place: Place) -> None:
    """Draw the plots and write the page, from the JSON that is there."""
    page.write(out)
    python = environments.provide("plot", place.cache)
    environments.run([str(python), str(ROOT / "bench" / "plot.py"), str(out)])
    _NOTES.print(f"[green]✓[/green] written: {report.RESULTS}, {page.PAGE} and plots in {out}", highlight=False, soft_wrap=True)


def _choose(names: str, more: list[str], place: Place, *, with_variants: bool) -> dict[str, Contender]:
    usual = {**everyone(place), **(variants(place) if with_variants else {})}
    known = {**usual, **variants(place)}
    for entry in more:
        name, separator, build = entry.partition("=")
        if not separator or ":" not in build:
            raise ConfigurationError("--flink takes NAME=MODULE:FUNCTION.", found=entry)
        usual[name] = known[name] = FlinkContender(name, build, place)
    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(usual)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ConfigurationError("There is no such contender.", found=", ".join(unknown), remedy=f"Known: {', '.join(known)}.")
    return {name: known[name] for name in wanted}


def _numbers(text: str) -> list[int]:
    """Return the numbers of keys, each once."""
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isdecimal()]
    if len(numbers) < len(parts) or min(numbers) < flights.ORIGINS:
        raise ConfigurationError(f"--keys takes numbers of {flights.ORIGINS} or more, separated by commas.", found=text)
    return list(dict.fromkeys(numbers))


def run() -> None:
    """Run the command; an error is one paragraph."""
    try:
        with interruption.listening():
            typer.run(main)
    except JobkitError as error:
        _NOTES.print(f"error: {error}", soft_wrap=True, markup=False)
        sys.exit(error.exit_code)
    except KafkaError as error:
        _NOTES.print(f"error: The broker does not do as it is told. Found: {error!r}.", soft_wrap=True, markup=False)
        sys.exit(2)


if __name__ == "__main__":
    run()
