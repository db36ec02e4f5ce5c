"""What another kind of window does to the windows that are open."""

from __future__ import annotations

from .change import Change
from .model import LockedOperator

_TIMES = ("EventTime", "ProcessingTime")
_EVENLY = ("TumblingEventTimeWindows", "SlidingEventTimeWindows"), ("TumblingProcessingTimeWindows", "SlidingProcessingTimeWindows")
"""Assigners of which each emits the open windows of the others."""
_NEVER = "those that are open are never emitted."
_REMEDY = "Give it a uid of its own, and let the old one run until its windows are closed."


def compare(old: LockedOperator, new: LockedOperator) -> Change:
    """Judge a window operator whose assigner, trigger or kind of window has changed."""
    was, now = str(old.window), str(new.window)
    what = f"The windows of “{old.uid}” were {was}, and are {now}"
    (assigner, trigger, kind), (next_assigner, next_trigger, next_kind) = was.split(", "), now.split(", ")
    losses = (
        (kind, next_kind, f"Flink does not read the timers of a {kind} as those of a {next_kind}, and the job fails."),
        (_is_session(assigner), _is_session(next_assigner), f"only sessions keep which windows were merged, and {_NEVER}"),
        (_time(trigger), _time(next_trigger), f"the timers of open windows are of the other time, and {_NEVER}"),
    )
    for before, after, why in losses:
        if before != after:
            return Change("loses-state", f"{what}: {why}", _REMEDY, old.uid)
    if trigger == next_trigger and any({assigner, next_assigner} <= set(alike) for alike in _EVENLY):
        return Change("harmless", f"{what}; those that are open are emitted as they were.", uid=old.uid)
    return Change("cautious", f"{what}: whether open windows are emitted is not known.", "Try it with a savepoint of the old job.", old.uid)


def _is_session(assigner: str) -> bool:
    return assigner.endswith("SessionWindows")


def _time(trigger: str) -> str | None:
    return next((time for time in _TIMES if time in trigger), None)
