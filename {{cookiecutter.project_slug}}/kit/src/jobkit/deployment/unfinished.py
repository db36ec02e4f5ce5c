"""An operation that was begun and is not finished: how far it has come, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import JobkitError
from .instance import PREPARED, Operation
from .lease import LeaseLost

STOPPING, STARTED, ROLLING_BACK = "STOPPING", "STARTING", "ROLLING_BACK"
"""The steps of a replacement after PREPARED, at which nothing has happened yet."""


class Unfinished(JobkitError):
    """A command has ended between the stop of one version and the proof of another: what it has begun is to be gone on with."""


def standing(operation: Operation) -> str:
    """Say how far an operation has come, and where the way back is."""
    details = operation.details
    if operation.kind == "deploy":
        return "the version is started, and not confirmed"
    if operation.kind == "stop":
        return "the job is being stopped"
    if operation.step == PREPARED:
        return "the old version is not stopped"
    if "stopped" not in details:
        return f"the old version is being stopped; its savepoint goes to {details.get('folder')}"
    if operation.step == ROLLING_BACK:
        return f"the old version is stopped, and is to start again from {details['way_back']}"
    return f"the old version is stopped, and the new one is to start from {details['savepoint']}"


def described(operation: Operation) -> str:
    """Return who has begun what, when, and how far it has come."""
    return f"{operation.kind} of {operation.begun.astimezone():%Y-%m-%d %H:%M} by {operation.by}: {standing(operation)}"


def remedy(operation: Operation) -> str:
    """Say how it goes on."""
    on = f"jobkit {operation.kind} goes on with it"
    return f"{on}." if operation.kind == "stop" else f"{on}; jobkit rollback --undo takes it back."


def to_json(operation: Operation) -> dict[str, Any]:
    """Return an operation as `jobkit status --json` writes it."""
    return {
        "uid": operation.uid,
        "deployment": operation.deployment,
        "kind": operation.kind,
        "step": operation.step,
        "begun": operation.begun.isoformat(),
        "by": operation.by,
        "standing": standing(operation),
    }


@contextmanager
def explained(left: Callable[[], Operation | None]) -> Iterator[None]:
    """Let whatever ends an operation before it is finished say how far it has come.

    Args:
        left: Returns the operation; None when it is finished.

    Raises:
        Unfinished: Instead of any other error that leaves it unfinished, once the old version may be stopped.
    """
    try:
        yield
    except LeaseLost:
        raise  # another command goes on with it
    except (JobkitError, OSError) as error:
        operation = left()
        if operation is None or operation.step == PREPARED:
            raise
        told = Unfinished(
            f"The {operation.kind} is not finished: {standing(operation)}.",
            found=str(error).rstrip("."),
            remedy=f"Run it again when the cause is mended: {remedy(operation)}",
        )
        told.exit_code = error.exit_code if isinstance(error, JobkitError) else told.exit_code
        raise told from error
