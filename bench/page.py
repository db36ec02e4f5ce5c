"""The page about a benchmark, made from its JSON document alone: `python -m bench.page FOLDER`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from . import report, sessions, tables
from .groups import groups
from .programs.producer import PRODUCER
from .ratios import ratios

PAGE = "index.md"
PLOT, BOUNDS, MEMORY = "throughput.svg", "bounds.svg", "memory.svg"

_HEAD = """\
# The benchmark, over {records:,} records

One job, written for PyFlink in several ways and for its peers. It reads flights from Kafka as JSON, keeps a count and a mean delay for
each key, and writes one record for each record that it reads; malformed records go to a topic of their own, with their bytes.
After every run, each record of the output is compared with what an independent computation over the input gives: none may be missing,
wrong, out of order, or there twice. A run that fails this has no figures here.

`make bench` measures again, and writes this page.

## Throughput

![Throughput of each contender]({plot})

Records a second at full pace: those from {warm_up:g} s after the first output (Java's compiler needs that time, caches fill) to the last
twentieth of the output, by the broker's time, divided by the time that they took. Broker and contender share {cores} processors.
A run that lost more than a twentieth of them to other processes counts where there is no other only.
{records:,} records, {partitions} partitions, commits every {commit:g} s; the median of the runs. The contenders of a round took turns.
Start-up is counted apart, from the launch of the first process to the first record that is written. Processor time is that of the
contender's processes at full pace, for a million records; memory is the most that they had at one time, from launch to last output.
Keys are as many as there may be; in the records there are {distinct}.
A contender that writes updates of a key now and then, not one record for each record, does less.
"""

_LATENCY = """\
## Latency

At {rate:,.0f} records a second, evenly spaced, of which those of the last {seconds:g} s count: from when a record is sent until its
result is in Kafka, and until a reader of committed records sees it. The latter includes the wait for the next commit: there is one every
{commit:g} s. Milliseconds. Of a contender that was still far behind when all was sent there are no figures.
"""

_BOUNDS = """\
![Latency over the time for which records are collected]({plot})

`jobkit-<n>ms` is the job with `Batching(within=<n>)`; the default is 100.
"""

_MEMORY = f"""\
## Memory

![Memory over the records that were written]({MEMORY})

All processes of a run, once a million records are written: the slope is of the line that fits best.
"""


_HOURS = """\
`template-job` and `pathway-hours` have another job: flights, mean and greatest delay and the share of late ones, for each airport and
hour of departure. The first is the job that the template comes with: it writes a row once its hour is over in event time, and late
flights to a topic of their own, exactly once. The second writes a row's changes as they come. A row counts for as many flights as are
in it. Their input are the flights in the order of time, in {cores} partitions.
"""

_RATIOS = """\
## Ratios

Of the medians above, over the rounds in which both ran. Of several ways to run the other one it is the fastest that counts.
"""

_SETTINGS = """\
Jobs on Flink share all of it: the template's `conf/base.yaml`, two slots, and a producer with `batch.size` {batch} KiB and Kafka's defaults
besides. So Flink's network sends after 10 ms at the latest (`execution.buffer-timeout.interval`; Flink's default is 100), object reuse is
off, and PyFlink's own settings (`python.fn-execution.bundle.*`, `python.state.cache-size`, `python.map-state.*`) are at their defaults.
The peers' client is librdkafka with its defaults; its requests hold up to 1,000,000 bytes. What is in Python reads JSON with msgspec, and
writes it so where the engine takes bytes: Pathway makes its JSON itself.
"""

_CHECKPOINTS = """\
## Checkpoints

Those that began at full pace: while a run gets warm, and when it is done, they are others. Median size is what one adds to the storage;
state is what the last of them refers to in all.
"""

_MIXED = """\
**These runs were made with different sources of kit or benchmark** (`--mixed`): figures of different rounds may differ for that alone.
"""


def write(folder: Path) -> None:
    """Write the page for the document that is in a folder."""
    document = json.loads((folder / report.RESULTS).read_text(encoding="utf-8"))
    (folder / PAGE).write_text(text(document), encoding="utf-8")


def text(document: Mapping[str, Any]) -> str:
    """Return the page as Markdown."""
    settings, machine = document["settings"], document["machine"]
    facts = {
        "plot": PLOT,
        "warm_up": settings["warm_up_seconds"],
        "cores": machine["processors_of_a_run"],
        "records": settings["records"],
        "partitions": settings["partitions"],
        "commit": settings["commit_seconds"],
        "distinct": _distinct(document),
    }
    hours = [_HOURS.format(**facts)] if any("late" in run["figures"] for run in document["runs"]) else []
    parts = [_HEAD.format(**facts), _throughput(document), *hours, *_ratios(document)]
    latency = list(tables.latency(document))
    if latency:
        parts += [
            _LATENCY.format(rate=settings["latency_rate"], seconds=settings["latency_seconds"], **facts),
            _table(["keys", "contender", "p50", "p99", "max", "visible p50", "visible p99"], latency),
        ]
        if sum(re.search(r"-\d+ms\b", row[1]) is not None for row in latency) > 1:
            parts.append(_BOUNDS.format(plot=BOUNDS))
    grown = list(tables.memory(document))
    if grown:
        parts += [_MEMORY, _table(["keys", "contender", "MiB at a million", "MiB at the end", "MiB for each million more"], grown)]
    parts += ["## Contenders\n", _contenders(document), _SETTINGS.format(batch=int(PRODUCER["batch.size"]) // 1024)]
    checkpoints = list(_checkpoints(document))
    if checkpoints:
        columns = ["keys", "contender", "checkpoints", "median, s", "longest, s", "median, MB", "state, MB"]
        parts += [_CHECKPOINTS, _table(columns, checkpoints)]
    parts += [*_sessions(document), "## Machine\n", _machine(machine)]
    return "\n".join(parts)


def _distinct(document: Mapping[str, Any]) -> str:
    seen = {run["keys"]: run["figures"]["distinct_keys"] for run in document["runs"] if "distinct_keys" in run["figures"]}
    return ", ".join(f"{found:,} of {keys:,}" for keys, found in seen.items()) or "none"


def _throughput(document: Mapping[str, Any]) -> str:
    columns = ["keys", "contender", "records/s", "min - max (runs)", "start-up, s", "CPU s/million", "peak MiB"]
    return _table(columns, tables.throughput(document)) + "".join(f"\n{_escaped(note)}\n" for note in tables.notes(document))


def _escaped(note: str) -> str:
    """Return a note so that its mark begins no list."""
    return f"\\{note}" if note[0] in "*+" else note


def _ratios(document: Mapping[str, Any]) -> list[str]:
    rows = list(ratios(document))
    return [_RATIOS, _table(["keys", "contender", "times as fast as", "which is", "ratio", "rounds"], rows)] if rows else []


def _sessions(document: Mapping[str, Any]) -> list[str]:
    """Return what the runs were made with."""
    rows = []
    for number, each in enumerate(document["sessions"], 1):
        rounds = sorted({run["round"] for run in document["runs"] if run.get("session") == number})
        shown = f"{rounds[0]} - {rounds[-1]}" if len(rounds) > 1 else "".join(map(str, rounds))
        rows.append([f"`{each['command']}`", shown, each["kit"], each["commit"], each["sources"]])
    parts = ["## Runs\n", _table(["command", "rounds", "kit", "commit", "sources"], rows)]
    return [*parts, _MIXED] if sessions.mixed(document) else parts


def _contenders(document: Mapping[str, Any]) -> str:
    pins = document["machine"]["contenders"]
    rows = [
        [name, each["workers"], each["output"], each["guarantee"], ", ".join(f"{part} {version}" for part, version in pins[name].items())]
        for name, each in document["contenders"].items()
        if name in {run["contender"] for run in document["runs"]}
    ]
    return _table(["name", "two cores as", "writes", "guarantee", "versions"], rows)


def _checkpoints(document: Mapping[str, Any]) -> Iterator[list[str]]:
    for group in groups(document):
        runs = [figures["checkpoints"] for figures in group.good if figures.get("checkpoints", {}).get("count")]
        if not runs:
            continue
        seconds = sorted(value for run in runs for value in run["seconds"])
        sizes = sorted(value for run in runs for value in run["bytes"])
        yield [
            f"{group.keys:,}",
            group.contender,
            f"{len(seconds):,}",
            f"{median(seconds):.2f}",
            f"{seconds[-1]:.2f}",
            f"{median(sizes) / 1e6:,.1f}",
            f"{median(run['state_bytes'] for run in runs) / 1e6:,.1f}",
        ]


def _machine(machine: Mapping[str, Any]) -> str:
    names = {
        "model": "processor",
        "processors": "processors",
        "memory_gib": "memory, GiB",
        "system": "system",
        "python": "Python",
        "java": "Java",
        "kafka": "Kafka",
        "msgspec": "msgspec, which reads JSON in Python",
    }
    return _table(["", ""], [[shown, str(machine[name])] for name, shown in names.items() if name in machine])


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
