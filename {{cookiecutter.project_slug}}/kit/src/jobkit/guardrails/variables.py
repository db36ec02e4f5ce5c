"""Rules about state that Flink does not know of: attributes of a function's object, variables of a module."""

from __future__ import annotations

from collections.abc import Iterator

from ..batches import KeyedFunction
from ..functions import entries, operators_functions
from ..graph import Operator
from ..mutations import Mutation, mutations
from ..transformations import KEYED_KINDS
from .rule import Job, Rule, Violation


class InstanceVariables(Rule):
    """No keyed function keeps state in attributes of its own object."""

    box = "state"

    def check(self, job: Job) -> Iterator[Violation]:
        """Flink snapshots only the states that a function asks it for: an attribute is lost at each restart, is shared by all the keys of a subtask, and stays behind when the job is rescaled."""
        for operator in job.graph.operators:
            if operator.kind in KEYED_KINDS:
                # Only the head of a fused operator is keyed.
                for found, state in _mutations(operator, 1):
                    if found.kind == "attribute":
                        message = f"{found.function} keeps something in {found.name} from one record to the next."
                        remedy = f"If a result depends on it, keep it in {state}."
                        yield _unproved(self, operator, found, message, remedy)


class ModuleVariables(Rule):
    """No function keeps state in variables of a module or of an enclosing function."""

    box = "state"

    def check(self, job: Job) -> Iterator[Violation]:
        """Such a variable is lost at each restart, and each Python process of the job has one of its own."""
        for operator in job.graph.operators:
            for found, state in _mutations(operator):
                if found.kind != "attribute":
                    where = "the module's" if found.kind == "module" else "the enclosing function's"
                    message = f"{found.function} keeps something in {where} variable {found.name} from one record to the next."
                    remedy = f"If a result depends on it, key the stream and keep it in {state}."
                    yield _unproved(self, operator, found, message, remedy)


def _mutations(operator: Operator, first: int | None = None) -> Iterator[tuple[Mutation, str]]:
    """Yield what functions keep, and in words where they should."""
    for _, users in list(operators_functions(operator))[:first]:
        own = next((user.state.__name__ for user in users if isinstance(user, KeyedFunction)), None)
        state = f"a field of {own}, the class of its state" if own else "a state that open() gets from the runtime context"
        for found in mutations([entry for user in users for entry in entries(user)]):
            yield found, state


def _unproved(rule: Rule, operator: Operator, found: Mutation, message: str, remedy: str) -> Violation:
    return rule.at(operator, message, remedy, file=found.file, line=found.line, evidence=found.code, proved=False)
