"""Remove a session's containers and networks when the process that started this is gone.

It is run as a program of its own: `python -I container_watchdog.py LEASH LABEL`. LEASH is the read end of a pipe whose other
end only the parent holds; the kernel closes that end when the parent stops, however it stops. A parent that has cleaned up
itself writes a byte first.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker

_SECONDS_TO_TRY = 60
_SECONDS_BETWEEN_LOOKS = 1
_SECONDS_FOR_CALLS = 30


def main(leash: int, label: str) -> None:
    """Wait until the leash breaks, then remove what carries the label.

    An order that the parent gave just before it died may still be carried out: it is over when two looks in a row find nothing.
    """
    if os.read(leash, 1):
        return
    client = docker.from_env(timeout=_SECONDS_FOR_CALLS)
    deadline, quiet = time.monotonic() + _SECONDS_TO_TRY, 0
    while quiet < 2 and time.monotonic() < deadline:  # noqa: PLR2004
        found = 1
        with contextlib.suppress(Exception):  # whatever the engine is unwell with: try again
            found = remove(client, label)
        quiet = quiet + 1 if not found else 0
        time.sleep(_SECONDS_BETWEEN_LOOKS if quiet else 0.1)


def remove(client: Any, label: str) -> int:
    """Remove all containers with a label, their volumes, and then the networks; return how many there were."""
    filters = {"label": label}
    containers = client.containers.list(all=True, filters=filters, ignore_removed=True)
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda container: _attempt(lambda: container.remove(force=True, v=True)), containers))
    networks = client.networks.list(filters=filters)
    for network in networks:
        _attempt(network.remove)
    return len(containers) + len(networks)


def _attempt(action: Callable[[], object]) -> None:
    """Do something that somebody else may be doing at the same time."""
    with contextlib.suppress(docker.errors.APIError):
        action()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
