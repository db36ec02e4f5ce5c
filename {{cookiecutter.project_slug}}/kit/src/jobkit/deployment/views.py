"""How instances look: tables, and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .instance import ABANDONED, FAILED, RUNNING, Difference, Instance

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


def details(instance: Instance) -> RenderableType:
    """Return all that is known of an instance but its packages, which JSON has."""
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
        "arguments": ", ".join(f"{name}: {value}" for name, value in what.arguments.items()),
    }
    grid = Table.grid(padding=(0, 2))
    for name, text in pairs.items():
        if text is not None:
            grid.add_row(Text(name, style="dim"), Text(text))
    return Group(grid, _pairs("setting", what.settings), _pairs("configuration", what.configuration))


def differences(found: Sequence[Difference]) -> RenderableType:
    """Return in what two instances differ."""
    compared = Table("", "first", "second", box=box.SIMPLE_HEAD, pad_edge=False)
    for entry in found:
        one, other = entry.one, entry.other
        if entry.path == "lock":
            one, other = "flink.lock", "another flink.lock"
        compared.add_row(*(Text(text if text is not None else "-", overflow="fold") for text in (entry.path, one, other)))
    return compared


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
