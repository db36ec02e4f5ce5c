"""Rules about state that no restart finds again."""

from __future__ import annotations

from collections.abc import Iterator

from pyflink.datastream.data_stream import KeyedStream

from ..functions import load
from ..graph import Operator
from .rule import Job, Rule, Violation

_REDUCE = f"{KeyedStream.reduce.__qualname__}.<locals>."


class RollingAggregates(Rule):
    """No rolling aggregate of PyFlink's: their state does not survive."""

    box = "state"

    def not_applicable(self, job: Job) -> str | None:
        """Return why a batch job is not held to it."""
        return "The job runs in batch mode: it has no state to restore." if job.graph.batch else None

    def check(self, job: Job) -> Iterator[Violation]:
        """KeyedStream.reduce names its state with a new uuid at each start, and sum, min, max, min_by and max_by are made of it: after every restart they begin from nothing, without an error."""
        for operator in job.graph.operators:
            if _is_rolling(operator):
                call = operator.api or "reduce"
                message = f"{operator.label} is a KeyedStream.{call}(…), whose state has a random name."
                remedy = f"Write it as a KeyedProcessFunction with a ValueState, or put a window before the {call}(…)."
                yield self.at(operator, message, remedy)


class RandomStateNames(Rule):
    """A state has the same name each time that the job starts."""

    box = "state"

    def check(self, job: Job) -> Iterator[Violation]:
        """Flink finds a state by its name: under another name it is empty, and the old one stays behind in every snapshot."""
        for operator in job.graph.operators:
            for state in () if _is_rolling(operator) else operator.random_states:
                message = f"A {state.kind} state of {operator.label} was named “{state.name}” in one process and otherwise in another."
                place = {"file": state.file, "line": state.line} if state.file else {}
                yield self.at(operator, message, "Write the state's name as a constant text.", evidence=state.name, **place)


class UnknownStates(Rule):
    """The states of every operator are known before it starts."""

    box = "state"

    def check(self, job: Job) -> Iterator[Violation]:
        """What jobkit cannot open it cannot judge: random names, and changes that lose state, go unseen."""
        for operator in job.graph.operators:
            if operator.states_unknown:
                message = f"The states of {operator.label} could not be found: {operator.states_unknown}."
                remedy = "Let open() work without the services that only the cluster reaches, or connect at the first record."
                yield self.at(operator, message, remedy, proved=False)


def _is_rolling(operator: Operator) -> bool:
    return bool(operator.python) and type(load(operator.python[0])).__qualname__.startswith(_REDUCE)
