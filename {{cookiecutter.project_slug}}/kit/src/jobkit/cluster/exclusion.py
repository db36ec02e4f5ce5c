"""Files by which processes keep one another out: the kernel frees one when the last process that holds it is gone."""

from __future__ import annotations

import fcntl


def take(descriptor: int) -> bool:
    """Take an open file for this process, and for those that get the descriptor; say whether it was free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
