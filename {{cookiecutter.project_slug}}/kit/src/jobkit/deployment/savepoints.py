"""Savepoints of a job that runs on: taken in a way that can be asked for again, and removed when nothing needs them."""

from __future__ import annotations

import re

from ..cluster.http import NoAnswer, NotFound
from ..cluster.rest import Savepoint
from ..cluster.waiting import InVain, until
from ..errors import ClusterError, ConfigurationError, JobFailed
from . import preparation
from .change import Change
from .course import Course
from .instance import STARTING, Instance, Operation, new_uid
from .version import Version

KIND = "savepoint"
UNDER_WAY = "left to Flink, which may complete it yet"
_SECONDS_TO_DISPOSE = 900
_SAVEPOINT = re.compile(r"/savepoint-[0-9a-f]{6}-[0-9a-f]+/?$")


class NotYet(ClusterError):
    """A savepoint that is not complete in time, and may be later."""

    exit_code = 1


def take(change: Change, version: Version, within: float, *, native: bool = False) -> str:
    """Take a savepoint, put the lock of what runs beside it, and return its address.

    One that an earlier command has ordered, and was not complete in its time, is waited for instead of another.

    Args:
        change: The change that it is a part of.
        version: What runs.
        within: Seconds in which it must be complete.
        native: Whether it has the state backend's own format.

    Raises:
        JobFailed: When it fails.
        NotYet: When it is not complete in time.
    """
    course = Course(change, version)
    earlier = _earlier(change, version)
    operation = earlier or _begin(change, version, native=native)
    if earlier is not None:
        change.tell(f"the savepoint that {earlier.by} ordered at {earlier.begun.astimezone():%H:%M} is waited for")

    def look() -> Savepoint | None:
        course.taking_savepoint()
        try:
            return version.target.rest.ordered_savepoint(version.uid, operation.details["order"])
        except NoAnswer:
            return None

    try:
        done = until(look, what="the savepoint is complete", seconds=within, interval=0.2)
    except InVain:
        _finish(change, operation, UNDER_WAY)
        raise NotYet(
            f"The savepoint is not complete after {within:.0f} s; Flink goes on with it.",
            found=f"order {operation.details['order']}",
            where=str(operation.details["folder"]),
            remedy="Ask again, which waits for this one and puts the lock beside it: jobkit savepoint --within SECONDS.",
        ) from None
    except NotFound:
        done = _found(version, operation)
    if done.failure is not None:
        _finish(change, operation, f"failed: {done.failure.root_cause}")
        raise done.failure.error("The savepoint failed.")
    version.keep_lock(str(done.address))
    _finish(change, operation, f"completed: {done.address}")
    return str(done.address)


def dispose(change: Change, instance: Instance, savepoint: str) -> None:
    """Remove a savepoint, through the cluster of an instance.

    Args:
        change: The change that it is a part of.
        instance: The one that runs, or the last one that did.
        savepoint: The savepoint's address.

    Raises:
        JobFailed: When it cannot be removed.
        ConfigurationError: When it is none, or the job has nothing else yet to go on from.
    """
    version = change.version(instance)
    rest = version.target.rest
    if not instance.is_over and _is_needed(version, savepoint):
        raise ConfigurationError(
            "The job that runs was started from this savepoint, and has no checkpoint of its own yet.",
            found=savepoint,
            remedy="Wait until it has one.",
        )
    if not instance.is_over and _is(savepoint, instance.snapshot):
        change.tell("the version that runs was started from it: the way back to the state before that goes with it")
    order = rest.dispose(savepoint)
    done = until(lambda: rest.disposed(savepoint, order), what=f"{savepoint} is removed", seconds=_SECONDS_TO_DISPOSE)
    if done.failure is not None:
        raise JobFailed("The savepoint cannot be removed.", root_cause=done.failure.root_cause, where=savepoint)
    with version:
        version.examiner.remove_lock(savepoint)


def require_savepoint(address: str) -> None:
    """Raise when an address is not one of a savepoint, by its name."""
    if not _SAVEPOINT.search(address):
        raise ConfigurationError(
            "This is no savepoint: a checkpoint is Flink's own to remove.", found=address, remedy="Name a folder savepoint-…."
        )


def _begin(change: Change, version: Version, *, native: bool) -> Operation:
    details = {"old": version.uid, "order": new_uid(), "folder": preparation.savepoints_folder(version), "native": native}
    operation = change.begin(KIND, details)
    try:
        version.target.rest.begin_savepoint(version.uid, str(details["folder"]), str(details["order"]), is_native=native)
    except ClusterError as error:
        change.finish(operation, f"not ordered: {error.found}")
        raise
    return operation


def _earlier(change: Change, version: Version) -> Operation | None:
    """Return the newest operation, when it is a savepoint of this instance that was not complete in time and that Flink knows of."""
    newest = next(iter(change.ledger.operations(version.instance.deployment)), None)
    if newest is None or newest.kind != KIND or newest.outcome != UNDER_WAY or newest.details.get("old") != version.uid:
        return None
    try:
        version.target.rest.ordered_savepoint(version.uid, newest.details["order"])
    except NotFound:
        return newest if _found(version, newest).address else None
    return newest


def _found(version: Version, operation: Operation) -> Savepoint:
    """Look for the savepoint of an order that Flink has forgotten, as it does five minutes after it was complete."""
    found = version.examiner.savepoints(str(operation.details["folder"]))
    times = version.examiner.times(found)
    since = operation.begun.timestamp() * 1000
    later = [address for address in found if times.get(address, 0) >= since]
    if later:
        return Savepoint(later[0])
    raise ClusterError("The JobManager has forgotten the savepoint, and none is in its folder.", where=str(operation.details["folder"]))


def _finish(change: Change, operation: Operation, outcome: str) -> None:
    if operation.ended is None:
        change.finish(operation, outcome)


def _is_needed(version: Version, savepoint: str) -> bool:
    """Say whether a savepoint is what the job was started from, and would be again."""
    instance = version.instance
    if not _is(savepoint, instance.snapshot):
        return False
    newest = version.target.rest.newest_snapshot(version.uid)
    return instance.status == STARTING or newest is None or _is(savepoint, newest)


def _is(one: str, other: str | None) -> bool:
    return other is not None and _plain(one) == _plain(other)


def _plain(address: str) -> str:
    return address.removeprefix("file:").rstrip("/").lstrip("/")
