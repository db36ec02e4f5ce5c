"""The pictures of a benchmark, drawn in an environment of its own: `python plot.py FOLDER`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl  # type: ignore[import-not-found]
from groups import Group, groups  # type: ignore[import-not-found]

mpl.use("svg")
mpl.rcParams |= {"svg.hashsalt": "bench", "svg.fonttype": "none"}  # the same bytes each time
from matplotlib import pyplot as plt  # noqa: E402

_HEIGHT = 0.34
_COLOURS = {True: "#3b6ea5", False: "#b9c9da"}
_OWN = ("jobkit", "template-job")
"""Contenders that are drawn darker begin with one of these."""

_BOUND = "jobkit-"


def main(folder: Path) -> None:
    """Draw what the document in a folder has figures for."""
    document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    if any(run["kind"] == "throughput" for run in document["runs"]):
        throughput(document, folder / "throughput.svg")
        memory(document, folder / "memory.svg")
    if len(list(_bounds(document))) > 1:
        bounds(document, folder / "bounds.svg")


def throughput(document: dict[str, Any], target: Path) -> None:
    """Draw a panel for each number of keys: a bar for each contender, from the least to the most as a line."""
    rows: dict[int, list[Group]] = {}
    for group in groups(document):
        rows.setdefault(group.keys, []).append(group)
    heights = [len(each) for each in rows.values()]
    size = (8, 0.7 + sum(0.9 + _HEIGHT * height for height in heights))
    figure, panels = plt.subplots(len(rows), 1, figsize=size, squeeze=False, sharex=True, height_ratios=heights)
    for panel, (keys, upwards) in zip(panels[:, 0], ((keys, row[::-1]) for keys, row in rows.items()), strict=True):
        for place, group in enumerate(upwards):
            _bar(panel, place, group)
        panel.set_yticks(range(len(upwards)), [group.contender for group in upwards])
        panel.set_ylim(-0.5, len(upwards) - 0.5)
        panel.margins(x=0.12)
        panel.set_title(f"{keys:,} keys", loc="left", fontsize=10)
        _plain(panel)
    panels[-1, 0].set_xlabel("records a second, median; the line spans all rounds")
    _save(figure, target)


def memory(document: dict[str, Any], target: Path) -> None:
    """Draw the memory of each run of jobkit over the records that it has written."""
    figure, panel = _lines("records written", "MiB, all processes")
    for group in (group for group in groups(document) if group.contender == "jobkit"):
        for place, figures in enumerate(group.good):
            written = list(accumulate(figures["by_second"]))
            points = []
            for second, held in figures["memory_mib"]:
                moment = int(second - figures["startup_seconds"])
                if 0 <= moment < len(written):
                    points.append((written[moment], held))
            label = None if place else f"{group.keys:,} keys"
            panel.plot(*zip(*points, strict=True), label=label, color=f"C{document['settings']['keys'].index(group.keys)}", linewidth=1)
    _save_lines(figure, panel, target)


def bounds(document: dict[str, Any], target: Path) -> None:
    """Draw latency over the time for which records are collected."""
    figure, panel = _lines("records are collected for, ms", "until written, ms")
    points = sorted(_bounds(document))
    for place, name in ((1, "p50"), (2, "p99")):
        panel.plot([point[0] for point in points], [point[place] for point in points], marker="o", label=name)
    _save_lines(figure, panel, target)


def _bounds(document: dict[str, Any]) -> Iterator[tuple[int, float, float]]:
    """Yield bound, p50 and p99, in milliseconds, each the median of all rounds."""
    for name in document["contenders"]:
        bound = name.removeprefix(_BOUND).removesuffix("ms")
        runs = [
            run["figures"]["written_ms"]
            for run in document["runs"]
            if (run["kind"], run["contender"]) == ("latency", name) and not run["error"]
        ]
        if name.startswith(_BOUND) and bound.isdecimal() and runs:
            yield int(bound), median(run["p50"] for run in runs), median(run["p99"] for run in runs)


def _bar(panel: Any, place: int, group: Group) -> None:
    rates = group.figures("records_per_second")
    if not rates:
        panel.text(0, place, " failed", va="center", fontsize=8)
        return
    panel.barh(place, median(rates), color=_COLOURS[group.contender.startswith(_OWN)], height=0.7)
    panel.plot([min(rates), max(rates)], [place, place], color="black", linewidth=1)
    panel.text(max(rates), place, f"  {median(rates):,.0f}", va="center", fontsize=8)


def _lines(across: str, up: str) -> tuple[Any, Any]:
    """Begin a picture of lines."""
    figure, panel = plt.subplots(figsize=(8, 3.5))
    panel.set_xlabel(across)
    panel.set_ylabel(up)
    return figure, panel


def _save_lines(figure: Any, panel: Any, target: Path) -> None:
    panel.set_ylim(bottom=0)
    panel.legend(frameon=False)
    _plain(panel)
    _save(figure, target)


def _plain(panel: Any) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _save(figure: Any, target: Path) -> None:
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
