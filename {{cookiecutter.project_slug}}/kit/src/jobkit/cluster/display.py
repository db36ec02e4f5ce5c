"""How a local run looks in a terminal."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..errors import JobFailed, JobkitError
from ..terminal import facts, printed
from .run import Interrupted, Outcome
from .submission import JobRefused

_STATES: dict[type[JobkitError], str] = {Interrupted: "interrupted", JobRefused: "refused"}

_PASSING = ("building", "fetching", "starting")
"""What is of interest only while it lasts."""


class Display:
    """Shows phases as lines and progress as bars, on a console that is not stdout; a `local.Reporter`."""

    def __init__(self, console: Console) -> None:
        """Take the console to write to."""
        self._console = console
        columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Display:  # noqa: PYI034  (typing.Self came with Python 3.11)
        """Begin to show bars."""
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Remove the bars."""
        self.close()

    def close(self) -> None:
        """Remove the bars."""
        self._progress.stop()

    def phase(self, text: str) -> None:
        """Show that something was reached."""
        self._console.print(f"[green]✓[/green] {escape(text)}", highlight=False, soft_wrap=True)

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far something is; a bar goes away when it is full."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what)
        self._progress.update(self._tasks[what], completed=done, total=total or None)
        if total and done >= total:
            self._progress.remove_task(self._tasks.pop(what))
            if not what.startswith(_PASSING):
                self.phase(f"{what} {done:,}/{total:,}")


def show(outcome: Outcome, console: Console, *, as_json: bool) -> None:
    """Print what a run came to."""
    if as_json:
        _print_json(console, {"state": "different" if outcome.verdict.differences else "as expected", **_document(outcome)})
        return
    verdict = outcome.verdict
    table = Table(*verdict.columns, title=verdict.title, title_justify="left")
    for row in verdict.rows:
        table.add_row(*map(escape, row))
    console.print(table)
    pairs = Table.grid(padding=(0, 2))
    for name, count in verdict.counts.items():
        pairs.add_row(escape(name), f"{count:,}")
    console.print(pairs)
    console.print(f"Logs: {outcome.logs}\nSavepoint: {outcome.savepoint} (drained: not for resuming)", soft_wrap=True, markup=False)
    if verdict.differences:
        console.print(f"[red]✗ The result differs from the expected one, {len(verdict.differences)} times:[/red]")
        console.print("\n".join(verdict.differences), soft_wrap=True, markup=False)
    else:
        console.print("[green]✓ The result is what an independent computation gives.[/green]")


def show_failure(error: JobkitError, console: Console, notes: Console, *, as_json: bool) -> None:
    """Print why a run has no outcome.

    Args:
        error: What ended the run.
        console: For the JSON document.
        notes: For text.
        as_json: Whether a document is wanted.
    """
    if as_json:
        _print_json(console, {"state": _STATES.get(type(error), "failed"), **_facts(error), "error": facts(error)})
        return
    if isinstance(error, JobFailed) and error.python_traceback:
        notes.print(error.python_traceback, style="dim", soft_wrap=True, markup=False)
    if isinstance(error, Interrupted | JobRefused):
        notes.print(str(error), soft_wrap=True, markup=False)
    else:
        notes.print(f"error: {error}", soft_wrap=True, markup=False)


def _document(outcome: Outcome) -> dict[str, Any]:
    verdict = outcome.verdict
    return {
        "title": verdict.title,
        "columns": list(verdict.columns),
        "rows": [list(row) for row in verdict.rows],
        "counts": verdict.counts,
        "differences": verdict.differences,
        "checkpoints": outcome.checkpoints,
        "savepoint": str(outcome.savepoint),
        "logs": str(outcome.logs),
    }


def _facts(error: JobkitError) -> dict[str, Any]:
    facts: dict[str, Any] = {"message": str(error), "where": error.where}
    if isinstance(error, JobFailed):
        facts |= {"root_cause": error.root_cause, "python_traceback": error.python_traceback}
    if isinstance(error, Interrupted):
        facts |= {"checkpoint": str(error.checkpoint) if error.checkpoint else None}
    return facts


def _print_json(console: Console, content: dict[str, Any]) -> None:
    printed.append(True)
    console.file.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    console.file.flush()
