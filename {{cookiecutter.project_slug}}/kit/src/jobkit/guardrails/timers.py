"""A rule about timers that a checkpoint misses."""

from __future__ import annotations

from collections.abc import Iterator

from ..graph import Operator
from ..timers import Registration, registrations
from ..transformations import KEYED_KINDS
from .rule import Job, Violation
from .state import RestoredStateRule

_REMEDY = "Set python.execution-mode: thread in conf/base.yaml (it starts from empty state: it sees none of process mode's), or {}."


class TimersInProcessMode(RestoredStateRule):
    """No operator with timers runs in process mode, whose checkpoints miss some of them."""

    def check(self, job: Job) -> Iterator[Violation]:
        """In process mode, PyFlink's default, the timers of the records right before a checkpoint reach Flink after it: a restart brings back what the function stored, and not the timer, which never fires, without an error. Windows in Python live by such timers."""
        for operator in job.graph.operators:
            if operator.kind in KEYED_KINDS and operator.execution_mode == "process":
                found = registrations(operator)
                if found is not None:
                    yield self._violation(operator, found)

    def _violation(self, operator: Operator, found: Registration) -> Violation:
        message = f"{operator.label} runs in process mode, and {found.what}."
        remedy = _REMEDY.format("do without the window" if operator.kind == "window" else "register no timer")
        place = {"file": found.file, "line": found.line} if found.file else {}
        return self.at(operator, message, remedy, evidence=found.code, proved=found.proved, **place)
