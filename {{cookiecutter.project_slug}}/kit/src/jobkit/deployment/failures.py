"""How a failed change of a deployment is shown."""

from __future__ import annotations

from typing import Any

from .. import terminal
from ..errors import JobFailed, JobkitError
from ..terminal import document, notes, wide
from . import views
from .examiner import Refused
from .rolled_back import RolledBack


def facts(error: JobkitError) -> dict[str, Any]:
    """Return what a failure's JSON says."""
    found = terminal.facts(error)
    if isinstance(error, JobFailed | RolledBack):
        found |= {"root_cause": error.root_cause, "python_traceback": error.python_traceback}
    if isinstance(error, Refused):
        found |= {"details": error.details}
    if isinstance(error, RolledBack):
        found |= {"savepoint": error.savepoint, "instance": error.back, "committed": error.committed, "uncounted": error.uncounted}
    return found


def show(error: JobkitError, *, as_json: bool) -> None:
    """Show a failure: as JSON on stdout, or as a text on stderr."""
    if as_json:
        document({"error": facts(error)})
        return
    traceback = getattr(error, "python_traceback", None)
    if traceback:
        notes.print(traceback, style="dim", soft_wrap=True, markup=False)
    notes.print(f"error: {error}", soft_wrap=True, markup=False)
    if isinstance(error, RolledBack):
        _show_committed(error.committed)
        if error.uncounted:
            notes.print(f"Not counted: what {', '.join(error.uncounted)} wrote, which do not say where they write to.", markup=False)


def _show_committed(committed: dict[str, dict[str, dict[str, int]]] | None) -> None:
    if committed is None:
        notes.print("What the new version had committed to Kafka could not be counted.")
    elif committed:
        notes.print("The new version had committed these records, and the old one writes them again:")
        wide().print(views.committed(committed))
    else:
        notes.print("The new version had committed nothing to Kafka.")
