"""What a guardrail is, and what it says."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from ..graph import JobGraph, Operator
from ..origins import shown

Status = Literal["pass", "fail", "waived", "unknown", "not-applicable"]


@dataclass(frozen=True)
class Job:
    """What the rules judge.

    Attributes:
        graph: The job as Flink will run it.
        environment: The environment that it is for; `local` is the only one that is judged more mildly.
        again: The same job built a second time, to find what is random; None when that was not possible.
    """

    graph: JobGraph
    environment: str
    again: JobGraph | None = None


@dataclass(frozen=True)
class Violation:
    """One thing that a rule found.

    Attributes:
        message: What was found.
        remedy: What to write instead.
        operator: The operator's uid, or its name when it has none; None for the whole job.
        file: The Python or configuration file, or None.
        line: The line in it, or None.
        evidence: What the finding rests on, such as a value or a line of code.
        proved: False when the rule could not prove it: then it is reported as `unknown`, and does not stop the job.
    """

    message: str
    remedy: str
    operator: str | None = None
    file: str | None = None
    line: int | None = None
    evidence: str | None = None
    proved: bool = True


class Rule(ABC):
    """One guardrail: its class docstring is its title, the docstring of `check` says why it is there."""

    box: ClassVar[str]
    """The part of the production checklist that it belongs to, such as `operators` or `checkpoints`."""

    @property
    def id(self) -> str:
        """The name by which a waiver names it: the class name in kebab case."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", type(self).__name__).lower()

    @property
    def title(self) -> str:
        """What must hold, in one line."""
        return (type(self).__doc__ or "").strip().splitlines()[0]

    @property
    def why(self) -> str:
        """What happens when it does not hold."""
        return " ".join((type(self).check.__doc__ or "").split())

    def not_applicable(self, job: Job) -> str | None:  # noqa: ARG002 - for those that override it
        """Return why the rule does not apply to a job, or None when it does."""
        return None

    @abstractmethod
    def check(self, job: Job) -> Iterable[Violation]:
        """Yield what breaks the rule."""

    @staticmethod
    def at(operator: Operator, message: str, remedy: str, **more: Any) -> Violation:
        """Return a violation at an operator, with its file and line unless others are given."""
        place = {"file": operator.file, "line": operator.line, **more}
        return Violation(message, remedy, operator=operator.uid or operator.name, **place)


@dataclass(frozen=True)
class Result:
    """What one rule came to, once for each finding, or once when all is well.

    Attributes:
        rule: The rule's id.
        status: `pass`, `fail`, `waived`, `unknown` or `not-applicable`.
        box: The part of the production checklist.
        message: What was found; the rule's title when all is well.
        why: What would happen; empty when all is well.
        remedy: What to write instead.
        reason: Of a waiver: the reason that the project gave.
    """

    rule: str
    status: Status
    box: str
    message: str
    why: str = field(default="")
    remedy: str | None = None
    operator: str | None = None
    file: str | None = None
    line: int | None = None
    evidence: str | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the result as `jobkit check --json` shows it."""
        return {**asdict(self), "file": None if self.file is None else shown(self.file)}
