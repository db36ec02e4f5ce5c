"""What is left of instances on this machine: the code and the configuration of one that has started or is over, and forgotten ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress

from ..errors import JobkitError
from .change import Change
from .instance import STARTING, Instance
from .target import folder_of


def clear(change: Change, before: Iterable[Instance]) -> None:
    """Remove what nothing needs any more; nothing when another command has taken over.

    Args:
        change: What has been done.
        before: The instances of the deployment that the ledger knew before it; what it has forgotten of them goes with its logs.
    """
    with suppress(JobkitError):
        change.lease.require()
        left = change.ledger.instances(change.lease.deployment)
        for uid in {instance.uid for instance in before} - {instance.uid for instance in left}:
            shutil.rmtree(folder_of(uid), ignore_errors=True)
        for instance in left:
            if instance.status != STARTING and folder_of(instance.uid).is_dir():
                change.version(instance).tidy()
