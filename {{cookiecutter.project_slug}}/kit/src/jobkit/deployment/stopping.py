"""Stop a job with a savepoint in a way that can be taken up after a crash: the order has an id, written down before it is given."""

from __future__ import annotations

import math
import time

from ..cluster.failure import Failure
from ..cluster.http import NoAnswer, NotFound
from ..cluster.rest import Savepoint
from ..cluster.waiting import until
from ..errors import ClusterError, JobFailed, JobkitError
from .change import Change
from .instance import FAILED, STOPPED, Operation
from .target import is_over
from .version import Version

_SECONDS_OF_SILENCE = 300
_SECONDS_TO_FINISH = 900


class Gone(ClusterError):
    """A job that has ended without the savepoint that it was to be stopped with."""


class Stopping:
    """Stops one version."""

    def __init__(self, version: Version, folder: str, order: str) -> None:
        """Take what shall be stopped.

        Args:
            version: The version.
            folder: The address of the folder that its savepoint goes to, in which nothing else is.
            order: The id of the order.
        """
        self._version, self._folder, self._order = version, folder, order
        self._rest, self._uid = version.target.rest, version.uid
        self._heard = time.monotonic()

    def carry_out(self) -> str:
        """Return the address of the savepoint, when the job is over.

        Raises:
            JobFailed: When the savepoint fails: the job runs on.
            Gone: When the job has ended without one.
            ClusterError: When it takes too long, or the JobManager does not answer: ask again.
        """
        what = f"the savepoint of the job {self._uid} is complete"
        savepoint = until(self._look, what=what, seconds=math.inf, interval=0.2)  # Flink's own time-out decides
        if savepoint.failure is not None:
            if self._is_over():
                self._version.target.end(self._uid)
                left = self._found()  # it may be complete, and the job have failed after it
                if left.address is not None:
                    return left.address
                raise Gone("The job has ended while it was stopped.", found=savepoint.failure.root_cause)
            raise savepoint.failure.error("The savepoint failed; the job runs on.")
        until(lambda: self._is_over() or None, what=f"the job {self._uid} has finished", seconds=_SECONDS_TO_FINISH, interval=0.2)
        self._version.target.end(self._uid)
        return str(savepoint.address)

    def _look(self) -> Savepoint | None:
        """Look once for the savepoint; give the order when it was not given."""
        try:
            found = self._ordered()
        except NoAnswer:
            # The JobManager of an application cluster ends with its job.
            if self._is_over():
                return self._found()
            if time.monotonic() - self._heard > _SECONDS_OF_SILENCE:
                raise
            return None
        self._heard = time.monotonic()
        return found

    def _ordered(self) -> Savepoint | None:
        try:
            return self._rest.ordered_savepoint(self._uid, self._order)
        except NotFound:
            return self._without_order()

    def _without_order(self) -> Savepoint | None:
        """Give the order, once more if need be: with its id it is carried out once. Of a job that is over, look for what it has left."""
        try:
            if not self._is_over():
                self._rest.begin_stop(self._uid, self._folder, self._order)
                return None
            address = self._rest.last_savepoint(self._uid, self._folder)
        except NotFound:
            return self._found()
        return Savepoint(address) if address else self._found()

    def _found(self) -> Savepoint:
        """Look for the savepoint in its folder, when nobody is left who remembers it."""
        found = self._version.examiner.savepoints(self._folder)
        if found:
            return Savepoint(found[-1])
        return Savepoint(failure=Failure("there is no savepoint"))

    def _is_over(self) -> bool:
        try:
            return is_over(self._version.target.state(self._uid))
        except NoAnswer:
            return False


def cancel(change: Change, operation: Operation, old: Version) -> str | None:
    """Carry out an operation `stop` that takes no savepoint; return the checkpoint that the job has left, or None."""
    old.target.end(old.uid)
    left = None
    try:
        left = old.newest_left()
    except JobkitError as error:
        change.tell(f"what it has left cannot be looked for from here: {error}")
    change.end(old.uid, STOPPED, "cancelled without a savepoint", savepoint=left)
    change.finish(operation, "completed")
    return left


def carry_out(change: Change, operation: Operation, old: Version) -> str | None:
    """Carry out an operation `stop`, and return the address of the savepoint; can be taken up after a crash.

    Args:
        change: The change that it is a part of.
        operation: Its details have the `order` and its `folder`, or that it is to `cancel` the job; then what is returned is a checkpoint.
        old: The version.

    Raises:
        JobFailed: When the savepoint fails: the job runs on.
        Gone: When the job has ended without one.
        ClusterError: When it takes too long, or the JobManager does not answer: the operation stays open.
    """
    if operation.details.get("cancel"):
        return cancel(change, operation, old)
    try:
        savepoint = Stopping(old, operation.details["folder"], operation.details["order"]).carry_out()
    except JobFailed as error:
        change.finish(operation, f"not stopped: {error.root_cause}")
        raise
    except Gone as error:
        change.close(operation, f"failed: {error.found}", (old.uid, FAILED, f"failed while it was stopped: {error.found}"))
        raise
    change.end(old.uid, STOPPED, "stopped with a savepoint", savepoint=savepoint)
    old.keep_lock(savepoint)
    change.finish(operation, "completed")
    return savepoint
