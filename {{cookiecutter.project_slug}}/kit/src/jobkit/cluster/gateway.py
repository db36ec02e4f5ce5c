"""The start and the end of the JVM behind PyFlink: one for a process, ended with it."""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

_SECONDS_TO_STOP = 30
"""It may have its classes to write."""

_processes: list[subprocess.Popen[bytes]] = []
"""The JVM, which PyFlink itself forgets: Python would warn of a process that nobody waits for, and strict tests fail with that."""

_followers: list[Callable[[int | None], None]] = []


def when_ended(follow: Callable[[int | None], None]) -> None:
    """Have something called when the JVM that is started next has ended, with its exit code: None when it has not, 1 when all is well."""
    _followers[:] = [follow]


def is_up() -> bool:
    """Say whether this process has its JVM already."""
    java_gateway = sys.modules.get("pyflink.java_gateway")
    return java_gateway is not None and java_gateway._gateway is not None


def start() -> None:
    """Start the JVM, with what PyFlink's variables say by now; do nothing when it is up."""
    if is_up():
        return
    from pyflink import java_gateway

    launch: Callable[..., subprocess.Popen[bytes]] = java_gateway.launch_gateway_server_process

    def remember(*arguments: Any) -> subprocess.Popen[bytes]:
        _processes.append(launch(*arguments))
        return _processes[-1]

    java_gateway.launch_gateway_server_process = remember
    try:
        gateway = java_gateway.get_gateway()
    finally:
        java_gateway.launch_gateway_server_process = launch
    atexit.register(_stop, gateway)


def _stop(gateway: Any) -> None:
    with contextlib.suppress(Exception):  # nothing can be done about it any more
        gateway.shutdown()
    for process in _processes:
        with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
            process.communicate(timeout=_SECONDS_TO_STOP)  # the end of its input ends the JVM
        for follow in _followers:
            follow(process.returncode)
