"""What the command line shows people: tables of operators and of what the rules found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .graph import JobGraph, Operator
from .guardrails import Result
from .guardrails.report import place
from .guardrails.rule import Status
from .lock import Change, Verdict
from .state.fates import Compatibility, Fate, Outcome

_STYLES: dict[Status, str] = {"fail": "bold red", "unknown": "yellow", "waived": "magenta", "pass": "green", "not-applicable": "dim"}
_SIGNS: dict[Status, str] = {"fail": "✗", "unknown": "?", "waived": "~", "pass": "✓", "not-applicable": "·"}
_VERDICTS: dict[Verdict, tuple[str, str, str]] = {
    "loses-state": ("✗", "loses state", "bold red"),
    "cautious": ("!", "cautious", "yellow"),
    "harmless": ("✓", "harmless", "green"),
}

_OUTCOMES: dict[Outcome, tuple[str, str]] = {
    "incompatible": ("✗", "bold red"),
    "dropped": ("✗", "bold red"),
    "unknown": ("?", "yellow"),
    "rescaled": ("✓", "green"),
    "new": ("+", "cyan"),
    "restored": ("✓", "green"),
}


def operators(graph: JobGraph) -> RenderableType:
    """Return a table of the operators that Flink runs, sources first."""
    table = Table(title=graph.name, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("uid, operator", overflow="fold")
    table.add_column("kind", overflow="fold")
    table.add_column("p/max", justify="right", no_wrap=True)
    table.add_column("state", overflow="fold")
    table.add_column("written in", overflow="fold")
    for operator in graph.operators:
        uid = Text(operator.uid or "no uid", style="dim" if operator.hidden else ("bold" if operator.uid else "bold red"))
        name = Text(f"\n{operator.name}", style="dim") if operator.name != operator.uid else Text("")
        states = ", ".join(state.name for state in operator.states) or ("?" if operator.states_unknown else "")
        table.add_row(uid + name, operator.kind, _parallelism(operator), Text(states), Text((operator.where or "").rpartition("/")[2]))
    hidden = sum(operator.hidden for operator in graph.operators)
    note = f"{len(graph.operators)} operators; {hidden} made by PyFlink or the SQL planner, with uids that jobkit derived (dim)."
    return Group(table, Text(note, style="dim"))


def _parallelism(operator: Operator) -> str:
    limit = "?" if operator.max_parallelism is None else str(operator.max_parallelism)
    return f"{operator.parallelism}/{limit}"


def findings(results: Sequence[Result]) -> RenderableType:
    """Return what the rules found: the failures first, with place, reason and remedy; what holds, in a line each."""
    order: list[Status] = ["fail", "unknown", "waived"]
    details = [_finding(result) for status in order for result in results if result.status == status]
    held = Table.grid(padding=(0, 1))
    for result in results:
        if result.status in ("pass", "not-applicable"):
            held.add_row(_sign(result), result.rule, Text(result.message, style="dim"))
    counts = Counter(result.status for result in results)
    summary = ", ".join(f"{counts[status]} {status}" for status in _STYLES if counts[status])
    return Group(*details, held, Text(f"\n{summary}", style="bold"))


def _finding(result: Result) -> RenderableType:
    head = Text.assemble(_sign(result), " ", (result.rule, "bold"), "  ", (place(result) or "", "cyan"))
    return Group(head, *(Padding(line, (0, 0, 0, 4)) for line in _lines(result)), Text(""))


def _lines(result: Result) -> Iterator[Text]:
    yield Text(result.message)
    if result.status == "waived":
        yield Text(f"Waived: {result.reason}", style="magenta")
        return
    if result.why:
        yield Text(f"Why:   {result.why}", style="dim")
    if result.remedy:
        yield Text.assemble(("Write: ", "bold"), result.remedy)


def changes(found: Sequence[Change]) -> RenderableType:
    """Return what has changed between two locks, the worst first, each with what to do."""
    lines: list[RenderableType] = []
    for change in found:
        sign, verdict, style = _VERDICTS[change.verdict]
        place = "/".join(filter(None, (change.uid, change.state)))
        lines.append(Text.assemble((f"{sign} ", style), (verdict, style), "  ", (place, "cyan")))
        lines.append(Padding(Text(change.what), (0, 0, 0, 4)))
        if change.remedy:
            lines.append(Padding(Text.assemble(("Do: ", "bold"), change.remedy), (0, 0, 0, 4)))
    counts = Counter(change.verdict for change in found)
    summary = ", ".join(f"{counts[verdict]} {words}" for verdict, (_, words, _) in _VERDICTS.items() if counts[verdict])
    return Group(*lines, Text(f"\n{summary}", style="bold"))


def fates(found: Compatibility) -> RenderableType:
    """Return a table of the operators of a job and a snapshot, and what becomes of the state of each, the worst first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("operator", overflow="fold")
    table.add_column("state", justify="right", no_wrap=True)
    table.add_column("why, and what to do", overflow="fold")
    shown = [fate for fate in found.fates if fate.verdict != "restored" or fate.bytes or fate.reason]
    for fate in shown:
        sign, style = ("~", "magenta") if fate.allowed else _OUTCOMES[fate.verdict]
        size = decimal(fate.bytes) if fate.bytes else ""
        table.add_row(Text(f"{sign} {fate.verdict}", style=style), Text(fate.label), size, _why(fate))
    counts = {verdict: [fate for fate in found.fates if fate.verdict == verdict] for verdict in _OUTCOMES}
    summary = ", ".join(_amount(verdict, group) for verdict, group in counts.items() if group)
    hidden = len(found.fates) - len(shown)
    note = [Text(f"{hidden} operators that hold nothing, in the snapshot and here, are not shown.", style="dim")] if hidden else []
    return Group(*([changes(found.changes)] if found.changes else []), table, *note, Text(summary, style="bold"))


def _why(fate: Fate) -> Text:
    lines = [Text(fate.reason)] if fate.reason else []
    if fate.allowed:
        lines.append(Text(f"Given up in flink.lock: {fate.allowed}", style="magenta"))
    elif fate.remedy:
        lines.append(Text.assemble(("Do: ", "bold"), fate.remedy))
    return Text("\n").join(lines)


def _amount(verdict: Outcome, group: Sequence[Fate]) -> str:
    size = sum(fate.bytes for fate in group)
    return f"{len(group)} {verdict}" + (f" ({decimal(size)})" if size else "")


def _sign(result: Result) -> Text:
    return Text(_SIGNS[result.status], style=_STYLES[result.status])
