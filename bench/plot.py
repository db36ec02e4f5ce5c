"""The picture of a benchmark, run in an environment of its own: `python plot.py results.json throughput.svg`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl  # type: ignore[import-not-found]

mpl.use("svg")
mpl.rcParams |= {"svg.hashsalt": "bench", "svg.fonttype": "none"}  # the same bytes each time
from matplotlib import pyplot as plt  # noqa: E402

_HEIGHT = 0.34
_COLOURS = {True: "#3b6ea5", False: "#b9c9da"}


def main(source: Path, target: Path) -> None:
    """Draw a panel for each number of keys: a bar for each contender, from the least to the most as a line."""
    document = json.loads(source.read_text(encoding="utf-8"))
    names = list(document["contenders"])
    counts = document["settings"]["keys"]
    figure, panels = plt.subplots(len(counts), 1, figsize=(8, 0.7 + len(counts) * (0.9 + _HEIGHT * len(names))), squeeze=False, sharex=True)
    for panel, keys in zip(panels[:, 0], counts, strict=True):
        for place, name in enumerate(reversed(names)):
            _bar(panel, place, [run for run in document["runs"] if _fits(run, keys, name)])
        panel.set_yticks(range(len(names)), list(reversed(names)))
        panel.set_ylim(-0.5, len(names) - 0.5)
        panel.margins(x=0.12)
        panel.set_title(f"{keys:,} keys", loc="left", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    panels[-1, 0].set_xlabel("records a second, median; the line spans all rounds")
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


def _fits(run: dict[str, Any], keys: int, name: str) -> bool:
    return (run["kind"], run["keys"], run["contender"]) == ("throughput", keys, name) and not run["error"]


def _bar(panel: Any, place: int, runs: list[dict[str, Any]]) -> None:
    rates = [run["figures"]["records_per_second"] for run in runs]
    if not rates:
        panel.text(0, place, " failed", va="center", fontsize=8)
        return
    panel.barh(place, median(rates), color=_COLOURS[all(run["complete"] for run in runs)], height=0.7)
    panel.plot([min(rates), max(rates)], [place, place], color="black", linewidth=1)
    panel.text(max(rates), place, f"  {median(rates):,.0f}", va="center", fontsize=8)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
