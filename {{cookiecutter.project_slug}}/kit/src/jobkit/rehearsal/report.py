"""How a rehearsal looks in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from .outcome import OperatorRow, Outcome, StateRow

_UNKNOWN = Text("unknown", style="dim")


def table(outcome: Outcome) -> RenderableType:
    """Return what was restored, operator by operator and state by state, and the facts of the run."""
    rows = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    rows.add_column("operator, state", overflow="fold")
    for head in ("keys", "restored", "snapshot", "1st checkpoint"):
        rows.add_column(head, justify="right", no_wrap=True)
    rows.add_column("", overflow="fold")
    for row in outcome.operators:
        rows.add_row(
            Text(row.fate.label, style="bold"), "", "", decimal(row.fate.bytes), _size(row.checkpoint_bytes), _verdict(row, outcome)
        )
        for state in row.states:
            rows.add_row(Text(f"  {state.name}"), *_counts(state), _size(state.bytes), _size(state.restored_bytes), _remark(state))
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(outcome):
        facts.add_row(name, Text(value))
    return Group(rows, facts, *_end(outcome))


def _verdict(row: OperatorRow, outcome: Outcome) -> Text:
    if row.fate.id in outcome.copied.left_out:
        return Text("transactions, left out", style="dim")
    return Text(row.fate.verdict, style="red" if row.fate.loses_state else "dim")


def _counts(state: StateRow) -> tuple[Text, Text]:
    if state.kind == "operator":
        return Text(""), Text("")
    keys, restored = (Text(f"{count:,}") if count is not None else _UNKNOWN for count in (state.keys, state.restored_keys))
    return keys, restored


def _size(count: int | None) -> str:
    return "" if count is None else decimal(count)


def _remark(state: StateRow) -> Text:
    if state.loss:
        return Text(state.loss, style="red")
    return Text(state.note or {"positions": "partitions", "operator": ""}.get(state.kind, state.kind), style="dim")


def _facts(outcome: Outcome) -> Iterator[tuple[str, str]]:
    copied = outcome.copied
    shared = f", {copied.shared} of them from outside of the snapshot's folder" if copied.shared else ""
    files = "1 file" if copied.files == 1 else f"{copied.files:,} files"
    yield "copied", f"{files}, {decimal(copied.bytes)}{shared}; nothing was read in place"
    yield "running after", f"{outcome.seconds_to_running:.1f} s"
    for name, taken in (("first checkpoint", outcome.first), ("second checkpoint", outcome.second)):
        yield name, f"{taken.seconds:.2f} s, {decimal(taken.bytes)} of state"
    for what, counts in (("read", outcome.read), ("written", outcome.written)):
        yield what, ", ".join(f"{topic} {count:,}" for topic, count in counts.items()) or "nothing"
    if outcome.allows_non_restored:
        yield "started with", "--allowNonRestoredState, for what flink.lock gives up; the deploy needs it too"
    yield "logs", str(outcome.logs)


def _end(outcome: Outcome) -> Iterator[Text]:
    for note in outcome.notes:
        yield Text(note, style="dim")
    if outcome.losses:
        yield Text(f"✗ State was not restored: {' '.join(outcome.losses)}", style="red")
    else:
        processed = "processed" if any(outcome.read.values()) else "has read nothing"
        style = "green" if any(outcome.read.values()) else "yellow"
        yield Text(f"✓ It has started, restored all that could be compared, {processed}, and taken two checkpoints.", style=style)
