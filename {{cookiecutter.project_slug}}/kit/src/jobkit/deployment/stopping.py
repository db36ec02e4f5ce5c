"""Stop a job with a savepoint in a way that can be taken up after a crash: the order has an id, written down before it is given."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from ..cluster.failure import Failure
from ..cluster.http import NoAnswer, NotFound
from ..cluster.rest import Savepoint
from ..cluster.waiting import until
from ..errors import ClusterError, JobFailed, JobkitError
from .change import Change
from .course import Course
from .instance import FAILED, STOPPED, Operation
from .target import is_over
from .version import Version

_SECONDS_OF_SILENCE = 300
_SECONDS_TO_FINISH = 900


class Gone(ClusterError):
    """A job that has ended without the savepoint that it was to be stopped with.

    Attributes:
        is_finished: Whether it came to the end of its input by itself.
    """

    exit_code = 1

    def __init__(self, found: str | None, *, is_finished: bool) -> None:
        super().__init__("The job has ended while it was stopped.", found=found)
        self.is_finished = is_finished

    @property
    def ending(self) -> str:
        """How the job ended, for the ledger."""
        return "came to the end of its input while it was stopped" if self.is_finished else f"failed while it was stopped: {self.found}"


class Stopping:
    """Stops one version."""

    def __init__(self, change: Change, version: Version, details: Mapping[str, Any]) -> None:
        """Take what shall be stopped.

        Args:
            change: The change that it is a part of.
            version: The version.
            details: Of the operation: the `folder` that its savepoint goes to, in which nothing else is, the id of the `order`, and whether
                it is `native`.
        """
        self._version, self._folder, self._order = version, str(details["folder"]), str(details["order"])
        self._is_native, self._show = bool(details.get("native")), Course(change, version).taking_savepoint
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
            state = self._state()
            if is_over(state):
                self._version.target.end(self._uid)
                left = self._found()  # it may be complete, and the job have failed after it
                if left.address is not None:
                    return left.address
                raise Gone(savepoint.failure.root_cause, is_finished=state == "FINISHED")
            raise savepoint.failure.error(f"The savepoint failed; the job {'runs on' if state == 'RUNNING' else f'is {state}'}.")
        until(lambda: self._is_over() or None, what=f"the job {self._uid} has finished", seconds=_SECONDS_TO_FINISH, interval=0.2)
        self._version.target.end(self._uid)
        return str(savepoint.address)

    def _look(self) -> Savepoint | None:
        """Look once for the savepoint; give the order when it was not given."""
        self._show()
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
                self._rest.begin_stop(self._uid, self._folder, self._order, is_native=self._is_native)
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
        return is_over(self._state())

    def _state(self) -> str | None:
        """Return the job's state, or that nobody can tell it now."""
        try:
            return self._version.target.state(self._uid)
        except NoAnswer:
            return "UNKNOWN"


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
        savepoint = Stopping(change, old, operation.details).carry_out()
    except JobFailed as error:
        change.finish(operation, f"not stopped: {error.root_cause}")
        raise
    except Gone as error:
        change.close(operation, error.ending, (old.uid, STOPPED if error.is_finished else FAILED, error.ending))
        raise
    change.end(old.uid, STOPPED, "stopped with a savepoint", savepoint=savepoint)
    old.keep_lock(savepoint)
    change.finish(operation, "completed")
    return savepoint
