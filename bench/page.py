"""The page about a benchmark, made from its JSON document alone: `python -m bench.page FOLDER`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import report

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
{records:,} records, {partitions} partitions, commits every {commit:g} s; the median of the runs, in which the contenders took turns.
Start-up is counted apart, from the launch of the first process to the first record that is written. Processor time is that of the
contender's processes at full pace, for a million records; memory is the most that they had at one time. Keys are as many as there may
be; in the records there are {distinct}.
A contender that writes one update for each key and commit, not one for each record, does less.
"""

_LATENCY = """\
## Latency

At {rate:,.0f} records a second, evenly spaced: from when a record is sent until its result is in Kafka, and until a reader of committed
records sees it. The latter includes the wait for the next commit: there is one every {commit:g} s. Milliseconds.
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
    parts = [_HEAD.format(**facts), _throughput(document)]
    latency = list(report.latency(document))
    if latency:
        parts += [
            _LATENCY.format(rate=settings["latency_rate"], **facts),
            _table(["keys", "contender", "p50", "p99", "max", "visible p50", "visible p99"], latency),
        ]
        if sum(re.search(r"-\d+ms\b", row[1]) is not None for row in latency) > 1:
            parts.append(_BOUNDS.format(plot=BOUNDS))
    grown = list(report.memory(document))
    if grown:
        parts += [_MEMORY, _table(["keys", "contender", "MiB at a million", "MiB at the end", "MiB for each million more"], grown)]
    parts += ["## Contenders\n", _contenders(document), "## Checkpoints\n", _checkpoints(document), "## Machine\n", _machine(machine)]
    return "\n".join(parts)


def _distinct(document: Mapping[str, Any]) -> str:
    seen = {run["keys"]: run["figures"]["distinct_keys"] for run in document["runs"] if "distinct_keys" in run["figures"]}
    return ", ".join(f"{found:,} of {keys:,}" for keys, found in seen.items()) or "none"


def _throughput(document: Mapping[str, Any]) -> str:
    columns = ["keys", "contender", "records/s", "min - max (runs)", "start-up, s", "CPU s/million", "peak MiB"]
    table = _table(columns, report.throughput(document))
    if any(not (run["complete"] or run["error"]) for run in document["runs"]):
        table += "\n\\* stopped at the time limit, and measured as far as it got; what it had written was right.\n"
    if any(run["figures"].get("with_startup") for run in document["runs"]):
        table += "\n+ over the whole run, start-up included: it was over before there was a pace to measure.\n"
    if any(group.disturbed for group in report.groups(document)):
        table += "\n! other processes took more than a twentieth of the processors.\n"
    return table


def _contenders(document: Mapping[str, Any]) -> str:
    pins = document["machine"]["contenders"]
    rows = [
        [name, each["workers"], each["output"], each["guarantee"], ", ".join(f"{part} {version}" for part, version in pins[name].items())]
        for name, each in document["contenders"].items()
        if name in {run["contender"] for run in document["runs"]}
    ]
    return _table(["name", "two cores as", "writes", "guarantee", "versions"], rows)


def _checkpoints(document: Mapping[str, Any]) -> str:
    rows = []
    for group in report.groups(document):
        runs = [figures["checkpoints"] for figures in group.good if figures.get("checkpoints", {}).get("count")]
        if not runs:
            continue
        seconds = sorted(value for run in runs for value in run["seconds"])
        sizes = sorted(value for run in runs for value in run["bytes"])
        row = [f"{len(seconds):,}", f"{seconds[len(seconds) // 2]:.2f}", f"{seconds[-1]:.2f}", f"{sizes[len(sizes) // 2] / 1e6:,.1f}"]
        rows.append([f"{group.keys:,}", group.contender, *row])
    return _table(["keys", "contender", "checkpoints", "median, s", "longest, s", "median, MB"], rows)


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
