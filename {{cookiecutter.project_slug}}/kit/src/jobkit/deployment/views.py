"""How instances look: tables, and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..errors import JobkitError
from ..lock import parse
from ..tables import changes
from .comparison import Comparison
from .instance import ABANDONED, FAILED, RUNNING, Instance, Operation, Specification

_STYLES = {RUNNING: "green", FAILED: "red", ABANDONED: "dim"}
_DIGITS = 12


def to_json(instance: Instance) -> dict[str, Any]:
    """Return an instance as `jobkit instances show --json` writes it."""
    return {
        "uid": instance.uid,
        "deployment": instance.deployment,
        "number": instance.number,
        "status": instance.status,
        "created": instance.created.isoformat(),
        "by": instance.by,
        "previous": instance.previous,
        "snapshot": instance.snapshot,
        "savepoint": instance.savepoint,
        "ended": instance.ended.isoformat() if instance.ended else None,
        "ending": instance.ending,
        "specification": instance.specification.to_json(),
    }


def table(instances: Sequence[Instance]) -> RenderableType:
    """Return the instances, the newest first."""
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("no.", "uid", "status", "begun", "by", "commit", "from", "how it ended"):
        found.add_column(name, overflow="fold", no_wrap=name in ("uid", "status", "begun"))
    for instance in instances:
        found.add_row(
            str(instance.number),
            instance.uid[:_DIGITS],
            Text(instance.status, style=_STYLES.get(instance.status, "")),
            _time(instance.created),
            instance.by,
            (instance.specification.commit or "")[:_DIGITS],
            (instance.snapshot or "").rpartition("/")[2],
            instance.ending or "",
        )
    return found


def operation_json(operation: Operation) -> dict[str, Any]:
    """Return what was done to an instance, and by whom."""
    return {
        "kind": operation.kind,
        "by": operation.by,
        "begun": operation.begun.isoformat(),
        "ended": operation.ended.isoformat() if operation.ended else None,
        "outcome": operation.outcome,
    }


def details(instance: Instance, before: Instance | None, operations: Sequence[Operation]) -> RenderableType:
    """Return what is known of an instance; all packages, the whole lock and Flink's defaults are in JSON.

    Args:
        instance: The instance.
        before: The one that it took over from, if the ledger still has it.
        operations: What was done to it.
    """
    what = instance.specification
    pairs: dict[str, str | None] = {
        "uid": instance.uid,
        "deployment": f"{instance.deployment}, number {instance.number}",
        "status": instance.status + (f": {instance.ending}" if instance.ending else ""),
        "begun": f"{_time(instance.created)} by {instance.by}",
        "ended": _time(instance.ended) if instance.ended else None,
        "from": instance.snapshot or "no snapshot",
        "stopped with": instance.savepoint,
        "after": instance.previous,
        "cluster": f"{what.url} ({what.mode} mode)",
        "code": what.artefact,
        "commit": what.commit,
        "versions": f"Flink {what.flink}, Python {what.python}, jobkit {what.kit}, {len(what.packages)} packages",
        "other packages": _packages(what, before) if before else None,
        "arguments": ", ".join(f"{name}: {value}" for name, value in what.arguments.items()),
        "lock": _lock(what.lock),
        "defaults": f"{len(what.defaults)} more options are as Flink has them: --json" if what.defaults else None,
    }
    for operation in operations:
        end = f", {operation.outcome} {_time(operation.ended)}" if operation.ended else ", not finished"
        pairs[f"{operation.kind} {_time(operation.begun)}"] = f"by {operation.by}{end}"
    grid = Table.grid(padding=(0, 2))
    for name, text in pairs.items():
        if text is not None:
            grid.add_row(Text(name, style="dim"), Text(text))
    return Group(grid, _pairs("setting", what.settings), _pairs("configuration", what.configuration))


def _packages(what: Specification, before: Instance) -> str:
    one, other = before.specification.packages, what.packages
    pairs = [(name, one.get(name, "-"), other.get(name, "-")) for name in sorted({*one, *other})]
    changed = [f"{name} {was} → {now}" for name, was, now in pairs if was != now]
    return f"than {before.uid[:_DIGITS]}: {', '.join(changed) or 'none'}"


def _lock(text: str | None) -> str | None:
    if not text:
        return None
    try:
        found = parse(text, "the ledger")
    except JobkitError:
        return "cannot be read by this kit: --json"
    states = [f"{operator.uid}: {', '.join(state.name for state in operator.states)}" for operator in found.operators if operator.states]
    return f"{len(found.operators)} operators, of which with state: {'; '.join(states) or 'none'}"


def differences(found: Comparison) -> RenderableType:
    """Return in what two instances differ."""
    compared = Table("", "first", "second", box=box.SIMPLE_HEAD, pad_edge=False)
    for entry in found.differences:
        if entry.path != "lock":
            compared.add_row(*(Text(text if text is not None else "-", overflow="fold") for text in (entry.path, entry.one, entry.other)))
    parts: list[RenderableType] = [compared]
    if found.lock:
        parts += [Text("flink.lock", style="bold"), changes(found.lock)]
    if found.files:
        parts += [Text("\ncode", style="bold"), *(Text(f"  {each.what:<8} {each.name}") for each in found.files)]
    parts += [Text(note, style="dim") for note in found.notes]
    return Group(*parts)


def committed(found: Mapping[str, Mapping[str, Mapping[str, int]]]) -> RenderableType:
    """Return what a version had committed that was then ended."""
    listed = Table("topic", "partition", "offsets", "records", box=box.SIMPLE_HEAD, pad_edge=False)
    for topic, partitions in found.items():
        for partition, entry in sorted(partitions.items(), key=lambda pair: int(pair[0])):
            listed.add_row(topic, partition, f"{entry['from']} to {entry['to'] - 1}", f"{entry['records']:,}")
    return listed


def _pairs(title: str, values: Mapping[str, str | None]) -> RenderableType:
    listed = Table(title, "value", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, value in values.items():
        listed.add_row(Text(name), Text(value, overflow="fold") if value is not None else Text("not set", style="dim"))
    return listed


def _time(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
