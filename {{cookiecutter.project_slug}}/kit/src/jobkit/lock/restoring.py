"""The snapshot that a job is told to start from, as it starts: whether the job that took it left state that this one would lose.

`jobkit compat` compares with the snapshot itself, and asks before anything is stopped. This is the last look, for starts that nobody
has asked about: it reads one small file, the lock beside the snapshot.
"""

from __future__ import annotations

from ..errors import ConfigurationError
from ..filesystem import FileSystemError
from ..graph import JobGraph
from ..guardrails import LOCK_RULE, Result, waive
from ..project import LOCAL, Project
from . import beside, file
from .change import Change
from .model import lock_of
from .revision import Revision

PATH = "execution.state-recovery.path"
"""What `flink run --fromSavepoint`, and every platform, sets to the address of the snapshot."""

_WHY = "Flink restores what fits by uid and name, and misreads or leaves behind the rest."


def judge(project: Project, graph: JobGraph, environment: str) -> list[Result]:
    """Return a result for each loss that a start from the configured snapshot would be; nothing without such a snapshot.

    Args:
        project: The project, whose lock says what it gives up on purpose.
        graph: Its job, whose states were looked for.
        environment: What it starts in. Local runs try things out.
    """
    setting = graph.settings.get(PATH)
    snapshot = None if setting is None else setting.value
    is_named = all(operator.uid is not None and operator.id is not None for operator in graph.operators)
    if snapshot is None or environment == LOCAL or graph.batch or not is_named:
        return []
    checkpoints = graph.settings["execution.checkpointing.dir"].effective
    try:
        stored = beside.find(str(snapshot), None if checkpoints is None else str(checkpoints))
    except (ConfigurationError, FileSystemError) as error:
        return [_unknown(f"The lock of the job that took {snapshot} cannot be read: {beside.why_not(error)}")]
    if stored is None:
        return [_unknown(f"No lock was found for {snapshot}: whether the job can read its state is not known.")]
    kept = file.read(project.root / file.FILE) if project.pipeline is not None else None
    losses = Revision(stored.lock, lock_of(graph)).losses(kept.dropped if kept else ())
    return waive([_lost(change, str(snapshot)) for change in losses], project.waivers)


def _lost(change: Change, snapshot: str) -> Result:
    what = f"It would start from {snapshot}, and lose state: {change.what}"
    remedy = f"{change.remedy or ''} Compare the two: jobkit compat {snapshot}".strip()
    return Result(LOCK_RULE, "fail", "state", what, _WHY, remedy, change.uid)


def _unknown(what: str) -> Result:
    return Result(LOCK_RULE, "unknown", "state", what, _WHY, "Before a start: jobkit compat SNAPSHOT.")
