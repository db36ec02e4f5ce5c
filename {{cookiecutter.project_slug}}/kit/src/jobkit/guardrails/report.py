"""What a judgement looks like as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from ..origins import shown
from .rule import Result

_WIDTH = 110


def refusal(results: Sequence[Result]) -> str:
    """Return why a job was not started: every broken guardrail with its place, reason and remedy."""
    broken = [result for result in results if result.status == "fail"]
    rules = len({result.rule for result in broken})
    held = len({result.rule for result in results}) - rules
    head = f"The job was not started: {_count(len(broken), 'finding')}, {_count(rules, 'guardrail')} broken, {held} held."
    return "\n".join([head, *(_finding(number, result) for number, result in enumerate(broken, 1))])


def waived(results: Sequence[Result]) -> Iterator[str]:
    """Yield a line for each finding that the project waives."""
    for result in results:
        if result.status == "waived":
            yield f"waived: {result.rule}: {result.message} Reason: {result.reason}"


def place(result: Result) -> str | None:
    """Return the file and line of a finding, the file relative to the working folder where it is below it."""
    if result.file is None:
        return None
    file = shown(result.file)
    return file if result.line is None else f"{file}:{result.line}"


def _finding(number: int, result: Result) -> str:
    where = place(result)
    title = f"{number}. {result.rule}" + (f"  {where}" if where else "")
    lines = [("", result.message), ("Why:   ", result.why), ("Write: ", result.remedy or "")]
    return "\n".join(["", title, *(_paragraph("   " + label, text) for label, text in lines if text)])


def _paragraph(label: str, text: str) -> str:
    """Return a text in lines, in which commands and addresses stay whole: they are to be copied."""
    return textwrap.fill(text, _WIDTH, initial_indent=label, subsequent_indent="          ", break_on_hyphens=False, break_long_words=False)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
