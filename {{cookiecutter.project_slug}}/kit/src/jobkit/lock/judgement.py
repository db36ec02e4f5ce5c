"""What the lock says to a job that is about to start, or to be checked: as the guardrails say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..graph import JobGraph
from ..guardrails import LOCK_RULE, Result, waive
from ..project import LOCAL, PRODUCTION, Project
from . import file
from .change import Change
from .model import Lock, lock_of
from .revision import Revision

_TITLE = f"{file.FILE} is that of the job."
_WHY = "A change that nobody has seen may drop or misread the state that the job before it has left, and Flink would say nothing."


def judge(project: Project, graph: JobGraph, environment: str, *, at_start: bool) -> list[Result]:
    """Return a result for each change that the project's lock does not have, or one when it is that of the job.

    Args:
        project: The project.
        graph: Its job, whose states were looked for.
        environment: What it is judged for. Local runs need no lock.
        at_start: Let harmless changes pass, with a warning: a name may depend on a setting of the environment.

    Raises:
        ConfigurationError: When the lock cannot be read.
    """
    if project.pipeline is None:
        what = "There is no project above the job's file, and so no lock: whether it can read the state that is there is not known."
        return [Result(LOCK_RULE, "unknown", "state", what, _WHY, "Put pyproject.toml and flink.lock above the file of the job.")]
    reason = "Local runs need none." if environment == LOCAL else "In batch mode no state is restored." if graph.batch else None
    if reason is not None:
        return [Result(LOCK_RULE, "not-applicable", "state", f"{_TITLE} {reason}")]
    if any(operator.uid is None or operator.id is None for operator in graph.operators):
        return []  # which other rules say; nothing can be compared
    place = project.root / file.FILE
    revision = _revision(file.read(place), lock_of(graph), environment)
    doubts = [_changed(change, place, at_start=at_start) for change in revision.changes if not change.proved]
    if revision.is_current:
        return waive(doubts, project.waivers) or [Result(LOCK_RULE, "pass", "state", _TITLE)]
    if revision.old is None:
        found = [_failed(f"There is no {file.FILE} beside pyproject.toml.", place)]
    else:
        found = [_changed(change, place, at_start=at_start) for change in _weighty(revision.changes)]
        rest = _failed(f"It is not {file.FILE} as `jobkit lock` would write it.", place)
        found = found or [replace(rest, status="unknown") if at_start else rest]
    return waive(found, project.waivers)


def _revision(old: Lock | None, new: Lock, environment: str) -> Revision:
    """Compare the lock with the job. There is one lock, made for production: elsewhere state may be kept in another backend."""
    if old is None or environment == PRODUCTION:
        return Revision(old, new)
    return Revision(old, replace(new, backend=old.backend))


def _weighty(changes: Sequence[Change]) -> Sequence[Change]:
    """Return the changes that somebody must look at, or all when there are none of these."""
    return [change for change in changes if change.verdict != "harmless"] or changes


def _changed(change: Change, place: Path, *, at_start: bool) -> Result:
    remedy = f"{change.remedy} Then: jobkit lock" if change.remedy else None
    result = _failed(f"It does not have this change ({change.verdict}): {change.what}", place, remedy, change.uid)
    # What is found of the code depends on how it was installed: that alone keeps no job from starting.
    is_doubt = not change.proved or (at_start and (change.verdict == "harmless" or (change.of_code and change.verdict == "cautious")))
    return replace(result, status="unknown") if is_doubt else result


def _failed(message: str, place: Path, remedy: str | None = None, operator: str | None = None) -> Result:
    remedy = remedy or "Run `jobkit lock`, and commit what it has written with the change."
    return Result(LOCK_RULE, "fail", "state", message, _WHY, remedy, operator, str(place))
