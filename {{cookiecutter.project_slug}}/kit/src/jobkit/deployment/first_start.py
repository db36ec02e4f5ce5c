"""The operation `deploy`: start a version where none runs."""

from __future__ import annotations

from ..errors import JobFailed
from .change import UNPROVED, Change, reason_of
from .confirmation import Confirmation
from .course import Course
from .instance import FAILED, RUNNING, STARTING, Instance, Operation
from .version import Version


def carry_out(change: Change, operation: Operation, new: Version) -> Instance:
    """Start a version, and return its instance, which runs; can be taken up after a crash.

    Args:
        change: The change that it is a part of.
        operation: Its details have the `snapshot` (or None), whether it `leaves_state_behind`, and `within` (seconds).
        new: The version.

    Raises:
        JobRefused: When the job's own process refuses to submit it.
        JobFailed: When the job does not prove itself; it is ended.
        ClusterError: When there is no cluster.
    """
    if "reason" in operation.details:
        _give_up(change, operation, new)
        raise JobFailed("The job did not prove itself.", root_cause=operation.details["reason"])
    snapshot = operation.details["snapshot"]
    again = new.instance.status == STARTING
    if new.instance.status == RUNNING:  # only the journal's last line was missing
        change.finish(operation, "completed")
        return new.instance
    try:
        change.change(new.uid, status=STARTING, snapshot=snapshot)
        with change.working("starting the job"):
            new.start(snapshot, leaves_state_behind=operation.details["leaves_state_behind"], again=again)
        change.tell("the job is submitted")
        proof = Confirmation(new.target, new.uid, Course(change, new).starting).wait(operation.details["within"])
    except UNPROVED as error:
        change.require()  # whoever has lost it must not end what another has begun
        _give_up(change, change.record(operation, operation.step, reason=reason_of(error)), new)
        raise
    instance = change.change(new.uid, status=RUNNING)
    change.finish(operation, "completed")
    change.tell(f"the job runs, and {proof}")
    return instance


def _give_up(change: Change, operation: Operation, new: Version) -> None:
    reason = operation.details["reason"]
    new.target.end(new.uid)
    change.end(new.uid, FAILED, reason)
    change.finish(operation, f"failed: {reason}")
