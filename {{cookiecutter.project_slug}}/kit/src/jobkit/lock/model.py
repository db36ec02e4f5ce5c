"""What a job's state depends on: its operators and their states, and how Flink stores them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from pyflink.version import __version__

from .. import timers, uids
from ..errors import ConfigurationError
from ..graph import JobGraph, Operator, State
from ..transformations import KEYED_KINDS
from . import code, keys

Verdict = Literal["harmless", "cautious", "loses-state"]
Timers = Literal["none", "set", "unknown"]

BROADCAST = "broadcast"
EVERYTHING = "*"
"""Stands for all state of a job, where that may be given up."""


@dataclass(frozen=True)
class LockedOperator:
    """An operator of the graph that Flink runs.

    Attributes:
        uid: The uid, by which Flink finds its state.
        id: What Flink makes of the uid, 32 hexadecimal digits.
        name: What the web UI calls it.
        kind: The type of Python function, or `source`, `sink`, `table`, `java`.
        max_parallelism: Into how many key groups its state is divided; None when Flink derives it.
        key_type: The type of its key, as PyFlink writes it; None when it has none.
        execution_mode: Where its Python runs, `process` or `thread`; None when it has none.
        timers: Whether it sets timers, which are state as well.
        states: Its states, by name.
        function: The class, or function, of the user's that it runs; None when it has no state, or none is known.
        key: What makes its key: a name, and a digest of the code; `unknown` where nothing is known of it; None when it has none.
        pickles: The user's classes whose objects it may pickle into its state, each with names and types of its fields.
        code: A digest of all code of its functions, where it pickles what has no class of its own; None elsewhere.
        window: Assigner, trigger and kind of window of a window operator.
        connector: The class of a source or sink.
        plan: A digest of what the SQL planner says that it computes.
        unknown: Whether there may be others, which could not be found.
        why: Why they could not; not part of the file, as it names files, lines and machines.
    """

    uid: str
    id: str
    name: str
    kind: str
    max_parallelism: int | None
    key_type: str | None = None
    execution_mode: str | None = None
    timers: Timers = "none"
    states: tuple[State, ...] = ()
    unknown: bool = False
    function: str | None = None
    key: str | None = None
    pickles: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    code: str | None = None
    window: str | None = None
    connector: str | None = None
    plan: str | None = None
    why: str | None = field(default=None, compare=False)

    def like(self, other: State) -> State | None:
        """Return the state that Flink would take for another one: keyed and broadcast states have names of their own."""
        found = (state for state in self.states if state.name == other.name and (state.kind == BROADCAST) == (other.kind == BROADCAST))
        return next(found, None)

    @property
    def keeps(self) -> str | None:
        """What would be lost with it, in words; None when there is nothing, or nobody can tell (`may_keep`)."""
        if self.kind == "source":
            return "how far it has read"
        if self.is_transactional:
            return "what it has written and not yet committed"
        held = [f"“{state.name}”" for state in self.states] + (["its timers"] if self.timers == "set" else [])
        return ", ".join(held) or None

    @property
    def may_keep(self) -> bool:
        """Whether it may have state that cannot be seen from here, as that of Java operators, and of the planner's."""
        return (
            self.unknown
            or self.timers == "unknown"
            or self.kind in {"java", "table", "python"}
            or (self.kind == "sink" and not self.is_transactional)
        )

    @property
    def is_transactional(self) -> bool:
        """Whether it is a half of one of Flink's sinks of today; the older ones, such as `print`, are functions that may have state."""
        return self.kind == "sink" and self.name.endswith((": Writer", ": Committer"))


@dataclass(frozen=True)
class Dropped:
    """State that was given up on purpose.

    Attributes:
        uid: The operator's uid; `*` for all operators.
        state: The state's name; None for all that the operator keeps.
        reason: Why, for the reviewer.
    """

    uid: str
    state: str | None
    reason: str

    @property
    def target(self) -> str:
        """What to call it: `UID`, or `UID/STATE`."""
        return self.uid if self.state is None else f"{self.uid}/{self.state}"


@dataclass(frozen=True)
class Lock:
    """What the state of a job depends on.

    Attributes:
        flink: Flink's version, without the patch level.
        backend: The state backend, as the job's configuration names it.
        operators: By uid.
        dropped: State that earlier versions of the job had, and that was given up.
    """

    flink: str
    backend: str
    operators: tuple[LockedOperator, ...]
    dropped: tuple[Dropped, ...] = ()

    def operator(self, uid: str) -> LockedOperator | None:
        """Return the operator of a uid, if there is one."""
        return next((operator for operator in self.operators if operator.uid == uid), None)


def lock_of(graph: JobGraph) -> Lock:
    """Return the lock of a job whose states were looked for (`states.discover`).

    Raises:
        ConfigurationError: When an operator has no uid, or one that another has.
    """
    for operator in graph.operators:
        if operator.uid is None or operator.id is None:
            raise ConfigurationError(
                "An operator cannot be locked: Flink would not find its state again.",
                found=operator.label,
                where=operator.where,
                remedy="Give it a uid of its own; `jobkit check` says which call to write it at.",
            )
    backend = str(graph.settings["state.backend.type"].effective)
    flink = ".".join(__version__.split(".")[:2])
    operators = (_operator(graph, operator) for operator in graph.operators)
    return Lock(flink, backend, tuple(sorted(operators, key=lambda operator: operator.uid)))


def _operator(graph: JobGraph, operator: Operator) -> LockedOperator:
    locked = LockedOperator(
        uid=str(operator.uid),
        id=str(operator.id),
        name=operator.name if operator.plan is None else uids.without_numbers(operator.name),
        kind=operator.kind,
        max_parallelism=operator.max_parallelism,
        key_type=operator.key_type,
        execution_mode=operator.execution_mode,
        timers=_timers(operator),
        states=tuple(sorted(operator.states, key=lambda state: (state.name, state.kind))),
        unknown=operator.states_unknown is not None,
        why=operator.states_unknown,
        window=code.window(operator),
        connector=operator.connector,
        plan=code.plan(operator),
    )
    if not locked.states and locked.timers == "none":
        return locked
    return replace(
        locked,
        function=code.function(operator),
        key=keys.key(graph, operator) if operator.kind in KEYED_KINDS else None,
        pickles=code.pickled(graph, operator),
        code=code.whole(operator),
    )


def _timers(operator: Operator) -> Timers:
    if operator.kind not in KEYED_KINDS:
        return "none"
    found = timers.registrations(operator)
    if found is None:
        return "none"
    return "set" if found.proved else "unknown"


def numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a version, for comparing it with another."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())
