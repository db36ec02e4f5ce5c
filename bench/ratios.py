"""How many times as fast: ratios of medians, over the rounds in which both took their turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .groups import Group, groups


@dataclass(frozen=True)
class Ratio:
    """A comparison.

    Attributes:
        contender: Who is compared.
        others: With whom: with the fastest of them.
        text: What that is, in words.
    """

    contender: str
    others: Sequence[str]
    text: str = ""


RATIOS = (
    Ratio("jobkit", ["pyflink-thread"], "plain PyFlink, thread mode, as many TaskManagers"),
    Ratio("jobkit-one-taskmanager", ["pyflink-thread-one-taskmanager"], "plain PyFlink, thread mode, both in one TaskManager"),
    Ratio("jobkit", ["pyflink-process"], "plain PyFlink, process mode"),
    Ratio("jobkit", ["quix", "quix-2"], "Quix Streams, exactly once"),
    Ratio("jobkit", ["bytewax"], "Bytewax, which has no transactions"),
    Ratio("jobkit", ["flink-sql", "flink-sql-group-by"], "Flink SQL"),
    Ratio("jobkit", ["jvm-pass-through"], "Java alone, with no work between Kafka and Kafka"),
    Ratio("jobkit-updates", ["pathway", "pathway-2"], "Pathway, both with updates only"),
    Ratio("template-job", ["pathway-hours"], "Pathway, both with the template's own aggregate"),
    Ratio("jobkit", ["jobkit-one-taskmanager"], "the same in one TaskManager"),
    Ratio("pyflink-thread", ["pyflink-thread-one-taskmanager"], "the same in one TaskManager"),
)


def ratios(document: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the cells of the table: keys, contender, against, the fastest of those, ratio, and over how many rounds."""
    there = {(group.keys, group.contender): group for group in groups(document)}
    for keys in document["settings"]["keys"]:
        for ratio in RATIOS:
            own = there.get((keys, ratio.contender))
            found = [each for name in ratio.others if own and (each := _against(own, there.get((keys, name))))]
            if found:
                value, name, count = min(found)
                text = f"{count}" if count else "none in common"
                yield [f"{keys:,}", ratio.contender, ratio.text, name, _written(value), text]


def _against(own: Group, other: Group | None) -> tuple[float, str, int] | None:
    """Return how many times as fast one is as another, its name, and in how many rounds both ran."""
    if other is None or not own.good or not other.good:
        return None
    common = own.rounds & other.rounds
    mine, others = (group.only(common) if common else group for group in (own, other))
    return mine.median("records_per_second") / others.median("records_per_second"), other.contender, len(common)


def _written(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"  # noqa: PLR2004
