"""Who holds a lease: a person, and a process of a machine."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from ..cluster.processes import has_ended

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES = Path("/proc/self/ns/pid")


@dataclass(frozen=True)
class Holder:
    """A process, in such a way that another process can tell whether it is still there.

    Attributes:
        person: Whose it is, as `ann@host`.
        machine: What the ids of processes are unique in: host, boot, and, where the system has such, name space.
        process: Its id.
        started: When it started, as the system counts that, to tell it from a later one with the same id.
    """

    person: str
    machine: str
    process: int
    started: str

    @classmethod
    def me(cls) -> Holder:
        """Return this process."""
        process = os.getpid()
        return cls(person(), _machine(), process, _started(process) or "")

    def is_gone(self) -> bool:
        """Say whether the process has certainly ended; False for one of another machine, of which nothing is known."""
        if self.machine != _machine():
            return False
        started = _started(self.process)
        if started is not None:
            return started != self.started
        return has_ended(self.process)


def person() -> str:
    """Return who runs this process, as `ann@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # in a container the user may have a number only
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _machine() -> str:
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        boot = str(int(psutil.boot_time()))
    try:
        processes = str(_PROCESSES.readlink())  # containers may share the name and the boot of their host
    except OSError:
        processes = ""
    return " ".join(filter(None, [socket.gethostname(), boot, processes]))


def _started(process: int) -> str | None:
    """Return when a process started; None when it has ended, or cannot be looked at."""
    try:
        found = psutil.Process(process)
        if found.status() == psutil.STATUS_ZOMBIE:
            return None
        stat = Path(f"/proc/{process}/stat")
        if stat.exists():  # in ticks since the boot, which do not move when the clock is set
            return stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        return str(found.create_time())
    except (psutil.Error, OSError):
        return None
