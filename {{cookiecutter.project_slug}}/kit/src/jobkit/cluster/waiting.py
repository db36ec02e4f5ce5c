"""Wait for a condition, with a deadline and a message that says what did not happen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import tenacity

from ..errors import ClusterError, JobkitError

SECONDS_TO_START = 300
"""What a process or a container has to be there. It takes seconds; on a busy machine it has taken more than a minute."""

T = TypeVar("T")

__tracebackhide__ = True  # pytest: the place of interest is where it was waited


class InVain(ClusterError):
    """A condition did not come about in time."""

    exit_code = 1


def until(probe: Callable[[], T | None], *, what: str, seconds: float, log: Path | None = None, interval: float = 0.1) -> T:
    """Call a probe until it returns something other than None, and return that.

    Args:
        probe: Looks once; may raise to end the waiting at once.
        what: The condition, as in `the broker answers`.
        seconds: The deadline.
        log: Where to look when it does not come about.
        interval: Seconds between two looks.

    Raises:
        InVain: When the deadline has passed.
    """

    def look() -> T | JobkitError | None:
        try:
            return probe()
        except JobkitError as error:
            return error

    waiting = tenacity.Retrying(
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(interval),
        retry=tenacity.retry_if_result(lambda result: result is None),
    )
    try:
        found = waiting(look)
    except tenacity.RetryError:
        raise InVain(f"Waited {seconds:.0f} s in vain: {what}.", where=str(log) if log else None) from None
    if isinstance(found, JobkitError):
        raise found.with_traceback(None)
    return cast("T", found)
