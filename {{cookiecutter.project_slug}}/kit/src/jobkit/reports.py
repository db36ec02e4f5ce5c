"""What `jobkit config` and `jobkit doctor` show, as tables and as JSON; secrets are never among it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .configuration import Configuration, Entry
from .doctor import Check
from .findings import Finding
from .known_options import Options

_STYLES = {"ok": "green", "warn": "yellow", "unknown": "yellow", "fail": "bold red"}
_LONGEST = 90  # characters of a value in the table; JSON has all
_SIGNS = {"ok": "✓", "warn": "!", "unknown": "?", "fail": "✗"}


def configuration_json(configuration: Configuration, options: Options, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the effective configuration as one JSON document."""
    return {
        "environment": configuration.environment,
        "values": [_value_json(key, entry, options) for key, entry in configuration.entries.items()],
        "findings": [finding.to_json() for finding in findings],
    }


def _value_json(key: str, entry: Entry, options: Options) -> dict[str, Any]:
    base = entry.overridden
    return {
        "key": key,
        "value": options.shown(key, entry.value),
        "origin": entry.origin,
        "default": _default(key, options),
        "overrides": None if base is None else {"value": options.shown(key, base.value), "origin": base.origin},
    }


def _default(key: str, options: Options) -> str | None:
    option = options.find(key)
    return None if option is None else option.default


def configuration_table(configuration: Configuration, options: Options, findings: Sequence[Finding]) -> RenderableType:
    """Return the effective values, where each is written and Flink's default beside it, then what was found."""
    statuses = {finding.key: "fail" if finding.is_wrong else "unknown" for finding in findings}
    table = Table(title=f"Flink configuration of {configuration.environment}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "key", "value", "written in", "Flink's default"):
        table.add_column(column, overflow="fold", no_wrap=column == "key")
    for key, entry in configuration.entries.items():
        status = statuses.get(key, "ok")
        place = Text(entry.origin)
        if entry.overridden is not None:
            value = options.shown(key, entry.overridden.value)
            place.append(f"\noverrides {value} ({entry.overridden.origin})", style="dim")
        default = _default(key, options)
        table.add_row(_sign(status), Text(key), Text(_short(options.shown(key, entry.value))), place, Text(default or "", style="dim"))
    ordered = sorted(findings, key=lambda finding: not finding.is_wrong)
    return Group(table, *(_finding(finding) for finding in ordered), _summary(findings))


def _short(value: str) -> str:
    return textwrap.shorten(value, _LONGEST, placeholder=" …") if len(value) > _LONGEST else value


def _finding(finding: Finding) -> RenderableType:
    head = Text.assemble(_sign("fail" if finding.is_wrong else "unknown"), " ", (finding.kind, "bold"), "  ", (finding.origin, "cyan"))
    return Group(head, Padding(Text(f"{finding.message} {finding.remedy}"), (0, 0, 0, 4)))


def _summary(findings: Sequence[Finding]) -> Text:
    wrong = sum(finding.is_wrong for finding in findings)
    unknown = len(findings) - wrong
    return Text(f"\n{wrong} wrong, {unknown} that Flink cannot check" if findings else "\nNothing is wrong.", style="bold")


def doctor_table(checks: Sequence[Check]) -> RenderableType:
    """Return what was looked at, with what to do about it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "what", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for check in checks:
        table.add_row(_sign(check.status), Text(check.name), Text(check.found), Text(check.remedy))
    failed = sum(check.status == "fail" for check in checks)
    closing = f"{failed} of these must be mended first." if failed else "This machine is fit."
    return Group(table, Text(closing, style="bold red" if failed else "bold green"))


def _sign(status: str) -> Text:
    return Text(_SIGNS[status], style=_STYLES[status])
