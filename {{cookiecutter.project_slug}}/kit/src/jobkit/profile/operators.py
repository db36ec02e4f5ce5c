"""Which operator a stack belongs to: by the functions of the project's job graph, or else by what the functions are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..functions import entries, operators_functions
from ..graph import JobGraph, Operator
from .samples import Frame

PYFLINK = "PyFlink"
"""The work around functions, where it cannot be told which one: in a thread that several operators share."""

_RUNTIME = "/pyflink/fn_execution/"
_NO_RECORDS = ("/pyflink/fn_execution/beam/", "/pyflink/fn_execution/utils/")
"""Waits for records, or for the time to flush them."""
_SIDE_OUTPUT = "/pyflink/fn_execution/datastream/embedded/side_output_context.py"
_LIBRARIES = ("/pyflink/", "/apache_beam/", "/py4j/", "/pemja/")


@dataclass(frozen=True)
class _Entry:
    """A function that PyFlink calls for each record or timer: whose it is, and the name that tasks have for that operator."""

    label: str
    name: str


def in_pyflink(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """Return a stack from where PyFlink's runtime handles a record; nothing, when the thread does not do that just now."""
    for place, frame in enumerate(frames):
        if _RUNTIME in frame.file and not any(part in frame.file for part in _NO_RECORDS):
            return tuple(frames[place:])
    return ()


def hands_on(frames: Sequence[Frame]) -> bool:
    """Say whether a thread waits, in thread mode, for what follows a side output; it may run Python again, which is seen, too."""
    return bool(frames) and frames[-1].file.endswith(_SIDE_OUTPUT)


class Operators:
    """Knows the operators of a project's jobs, or none."""

    def __init__(self, graphs: Iterable[JobGraph] = ()) -> None:
        """Take the job graphs; without one, operators are called as the functions in them."""
        self._entries: dict[tuple[str, int], list[_Entry]] = {}
        self._python: list[_Entry] = []
        for operator in (operator for graph in graphs for operator in graph.operators if operator.python):
            self._add(operator)

    def of(self, frames: Sequence[Frame], tasks: Sequence[str] = ()) -> str:
        """Return the name of the operator that a stack belongs to.

        Args:
            frames: The stack, the outermost frame first.
            tasks: The names of the tasks whose thread it may be; none, when that is not known.
        """
        for frame in frames:
            found = self._entries.get((frame.file, frame.line), [])
            near = [entry for entry in found if any(_is_in(entry.name, task) for task in tasks)] or found
            if near:
                return " or ".join(dict.fromkeys(entry.label for entry in near))
        if not self._entries:
            own = next((frame for frame in frames if not any(part in frame.file for part in _LIBRARIES)), None)
            return _named(own) if own else PYFLINK
        around = list(dict.fromkeys(entry.label for entry in self._python if any(_is_in(entry.name, task) for task in tasks)))
        if len(around) == 1:
            return around[0]
        return f"{PYFLINK} ({', '.join(around)})" if around else PYFLINK

    def _add(self, operator: Operator) -> None:
        label = operator.uid or operator.name
        self._python.append(_Entry(label, operator.name))
        functions = list(operators_functions(operator))
        members = [member.uid or member.name for member in operator.fused]
        labels = members if len(members) == len(functions) else [label] * len(functions)
        for (_, users), own in zip(functions, labels, strict=True):
            for body in (body for user in users for body in entries(user)):
                code = body.function.__code__
                self._entries.setdefault((code.co_filename, code.co_firstlineno), []).append(_Entry(own, operator.name))


def _named(frame: Frame) -> str:
    """Return what to call a function: before Python 3.11 its name is without its class."""
    return frame.function if "." in frame.function else f"{frame.function} ({frame.file.rpartition('/')[2]}:{frame.line})"


def _is_in(name: str, task: str) -> bool:
    """Say whether a task's name has an operator's among those that it is made of."""
    return re.search(rf"(?:^|-> |\(|, |: ){re.escape(name)}(?:$| ->|\)|, )", task) is not None
