"""The state that earlier instances of a deployment have left, so that a start does not pass over it without a word."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import JobkitError
from .change import Change
from .examiner import Examiner, Refused
from .instance import ABANDONED, Instance
from .ledger import Ledger
from .version import Version


@dataclass(frozen=True)
class Left:
    """The newest snapshot that is known of a deployment.

    Attributes:
        address: Its address.
        instance: Whose it is.
        completed: When it was completed, in milliseconds since 1970; None when its storage cannot be asked.
    """

    address: str
    instance: Instance
    completed: int | None


def require_nothing_newer(change: Change, new: Version, snapshot: str | None) -> None:
    """Raise when the ledger knows state of the deployment that a start would leave behind.

    Args:
        change: The change that it is a part of.
        new: What is to start; it looks, as its file systems are set up.
        snapshot: What it is to start from; None for nothing.

    Raises:
        Refused: With the address of that state.
    """
    left = newest(change.ledger, change.lease.deployment, new.examiner)
    if left is None:
        return
    whose = f"{left.address}, of instance {left.instance.uid[:12]}"
    start = f"Start from it: jobkit deploy --from {left.address}."
    if snapshot is None:
        raise Refused(
            f"{change.lease.deployment} has left state, which a start without state would leave behind.",
            found=whose,
            remedy=f"{start} To begin anew all the same: --without-state --discard-state.",
        )
    if _plain(snapshot) != _plain(left.address) and _is_older(new.examiner, snapshot, left):
        raise Refused(
            f"{change.lease.deployment} has left newer state than that snapshot, which would be left behind.",
            found=whose,
            remedy=f"{start} To go back to the older one all the same, add --discard-state.",
        )


def newest(ledger: Ledger, deployment: str, examiner: Examiner) -> Left | None:
    """Return the newest snapshot of the newest instance that has any; None when there is none."""
    for instance in ledger.instances(deployment):
        if instance.status != ABANDONED:
            found = _of(instance, examiner)
            if found is not None:
                return found
    return None


def hint(ledger: Ledger, deployment: str) -> str:
    """Return how to start a deployment of which nothing runs, by what the ledger alone knows."""
    ran = next((each for each in ledger.instances(deployment) if each.status != ABANDONED), None)
    if ran is None:
        return "Start it: jobkit deploy --from SNAPSHOT, or --without-state."
    if ran.savepoint is not None:
        return f"Start it from what it was stopped with: jobkit deploy --from {ran.savepoint}"
    checkpoints = _folders(ran)[:1]
    place = f"its newest checkpoint below {checkpoints[0]}" if checkpoints else "its newest checkpoint"
    return f"The last instance, {ran.uid[:12]}, ended without a savepoint; start it from {place}: jobkit deploy --from SNAPSHOT"


def _of(instance: Instance, examiner: Examiner) -> Left | None:
    known = [address for address in (instance.savepoint, instance.snapshot) if address]
    found: list[str] = []
    try:
        for folder in _folders(instance):
            found += examiner.savepoints(folder)
        times = examiner.times([*found, *known])
    except JobkitError:  # its storage is out of reach, or the kit of that version is too old to be asked
        address = next(iter([*known[:1], *reversed(found)]), None)
        return Left(address, instance, None) if address else None
    if not times:
        return None
    address = max(times, key=lambda each: times[each])
    return Left(address, instance, times[address])


def _folders(instance: Instance) -> list[str]:
    """Return where an instance has written checkpoints, and where savepoints."""
    values = instance.specification.configuration
    folders = [values.get(f"execution.checkpointing.{key}", "").rstrip("/") for key in ("dir", "savepoint-dir")]
    return [f"{folder}/{instance.uid}" for folder in folders if folder]


def _is_older(examiner: Examiner, snapshot: str, left: Left) -> bool:
    if left.completed is None:
        return False
    try:
        return examiner.times([snapshot]).get(snapshot, left.completed) < left.completed
    except JobkitError:
        return False


def _plain(address: str) -> str:
    return address.removeprefix("file:").rstrip("/").lstrip("/")
