"""Rules about state that no restart finds again."""

from __future__ import annotations

from collections.abc import Iterator

from ..functions import adapter, load
from ..graph import Operator
from .rule import Job, Rule, Violation

_REDUCE = "ReduceProcessKeyedProcessFunctionAdapter"
"""PyFlink's class around the function of `KeyedStream.reduce`; `sum` and its kind call it as well."""


class RestoredStateRule(Rule):
    """A rule that a job in batch mode, which is never restored, is not held to."""

    box = "state"

    def not_applicable(self, job: Job) -> str | None:
        """Return why the rule does not apply to a batch job."""
        return "The job runs in batch mode, which restores no state." if job.graph.batch else None


class RollingAggregates(RestoredStateRule):
    """No rolling aggregate of PyFlink's: their state does not survive."""

    def check(self, job: Job) -> Iterator[Violation]:
        """KeyedStream.reduce names its state with a new uuid at each start, and sum, min, max, min_by and max_by are made of it: after every restart they begin from nothing, without an error."""
        for operator in job.graph.operators:
            if _is_rolling(operator):
                call = operator.api or "reduce"
                message = f"{operator.label} is a KeyedStream.{call}(…), whose state has a random name."
                remedy = f"Write it as a KeyedProcessFunction with a ValueState, or put a window before the {call}(…)."
                yield self.at(operator, message, remedy)


class RandomStateNames(RestoredStateRule):
    """A state has the same name each time that the job starts."""

    def check(self, job: Job) -> Iterator[Violation]:
        """Flink finds a state by its name: under another name it is empty, and the old one stays behind in every snapshot."""
        for operator in job.graph.operators:
            for state in () if _is_rolling(operator) else operator.random_states:
                message = f"A {state.kind} state of {operator.label} was named “{state.name}” in one process and otherwise in another."
                place = {"file": state.file, "line": state.line} if state.file else {}
                yield self.at(operator, message, "Write the state's name as a constant text.", evidence=state.name, **place)


class UnknownStates(RestoredStateRule):
    """The states of every operator are known before it starts."""

    def check(self, job: Job) -> Iterator[Violation]:
        """What jobkit cannot open it cannot judge: random names, and changes that lose state, go unseen."""
        for operator in job.graph.operators:
            if operator.states_unknown:
                message = f"The states of {operator.label} could not be found: {operator.states_unknown}."
                remedy = "Ask for every state in open(), and let open() work without the services that only the cluster reaches."
                yield self.at(operator, message, remedy, proved=False)


def _is_rolling(operator: Operator) -> bool:
    return bool(operator.python) and adapter(load(operator.python[0])) == _REDUCE
