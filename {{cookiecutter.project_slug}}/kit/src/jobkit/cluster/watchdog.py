"""Run a command, and end it and all its children when the process that started this is gone.

It is run as a program of its own: `python -I -S watchdog.py LEASH GRACE COMMAND…`. LEASH is the read end of a pipe whose
other end only the parent holds. The kernel closes that end when the parent stops, however it stops, SIGKILL included, and
that is the signal to end the command. It is portable and has no gap at the start, which PR_SET_PDEATHSIG has not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time


def main(leash: int, grace: float, command: list[str]) -> int:
    """Run the command in a session of its own until it ends or the leash breaks.

    Args:
        leash: The file descriptor to read.
        grace: Seconds between SIGTERM and SIGKILL.
        command: The program and its arguments.

    Returns:
        The command's exit code, or 128 and the number of the signal that ended it.
    """
    child = subprocess.Popen(command, start_new_session=True)  # noqa: S603

    def guard() -> None:
        while os.read(leash, 1):
            pass
        end(child.pid, grace)

    threading.Thread(target=guard, daemon=True).start()
    code = child.wait()
    end(child.pid, grace)
    return code if code >= 0 else 128 - code


def end(group: int, grace: float) -> None:
    """End every process of a group: first by SIGTERM, after the grace by SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        alive = _signal(group, number)
        deadline = time.monotonic() + grace
        while alive and time.monotonic() < deadline:
            time.sleep(0.05)
            alive = _signal(group, 0)
        if not alive:
            return


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
