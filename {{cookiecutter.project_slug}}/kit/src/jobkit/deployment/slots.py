"""Whether a session cluster has room for a version, asked before anything is stopped for it."""

from __future__ import annotations

from contextlib import suppress

from ..errors import ClusterError
from .change import Change
from .examiner import Refused
from .version import SESSION, Version

_GROWS = ("kubernetes.", "yarn.", "$internal.yarn")
"""The beginnings of keys of clusters that get more TaskManagers when they are wanted."""


def require_room(change: Change, new: Version, old: Version | None = None) -> None:
    """Raise when a version needs more slots than there will be.

    A cluster that gets TaskManagers by itself, or whose scheduler makes do with fewer slots, is not judged, nor one that does not say.

    Args:
        change: The change that it is a part of.
        new: What is to start.
        old: What will be stopped for it, whose slots are free then.

    Raises:
        Refused: With the numbers.
    """
    if new.instance.specification.mode != SESSION:
        return
    rest = new.target.rest
    with suppress(ClusterError):
        configuration = rest.job_manager_configuration()
        if any(key.startswith(_GROWS) for key in configuration) or "adaptive" in configuration.get("jobmanager.scheduler", "").lower():
            return
        overview = rest.overview()
        own = rest.slots(old.uid) if old is not None and old.target.rest.url == rest.url else 0
        free, needed = int(overview["slots-available"]) + own, int(new.instance.specification.arguments["parallelism"])
        if needed > free:
            raise Refused(
                "The cluster has not enough slots for the new version.",
                found=f"parallelism {needed}, {free} slots{' with those of the version that runs' if own else ''}",
                remedy="Add TaskManagers, or give a lower parallelism: -p.",
            )
        change.tell(f"the cluster has slots: {needed} are needed, {free} will be free")
