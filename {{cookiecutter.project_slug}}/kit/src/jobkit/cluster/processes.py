"""Child processes that never outlive the one that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from ..errors import ClusterError
from .place import Member
from .printing import Printing

_WATCHDOG = Path(__file__).with_name("watchdog.py")
_GRACE_SECONDS = 10.0


class Process(Printing):
    """A command that runs in a session of its own, under a watchdog that ends it when this process is gone.

    A signal that the terminal sends (Ctrl-C) does not reach it.

    Attributes:
        name: What messages call it.
        log: The file that its output goes to; it is added to what is there.
    """

    def __init__(  # noqa: PLR0913  (that is what a process has)
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        folder: Path | None = None,
        held: Iterable[int] = (),
    ) -> None:
        """Start the command.

        Args:
            name: What messages call it.
            command: The program and its arguments.
            log: The file that its output goes to.
            environment: All its environment variables.
            folder: Its working folder, by default this process's.
            held: File descriptors that stay open as long as any of its processes is there, such as a lock's.
        """
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        leash, self._leash = os.pipe()
        try:
            with log.open("ab") as output:
                self._start_of_output = output.tell()
                self._watchdog = subprocess.Popen(  # noqa: S603
                    [sys.executable, "-I", "-S", str(_WATCHDOG), str(leash), str(_GRACE_SECONDS), *command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    cwd=folder,
                    pass_fds=(leash, *held),
                    start_new_session=True,
                )
        finally:
            os.close(leash)

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, or None while it runs."""
        return self._watchdog.poll()

    @property
    def pid(self) -> int | None:
        """The process id of the command itself, or None when it has ended."""
        try:
            children = psutil.Process(self._watchdog.pid).children()
        except psutil.NoSuchProcess:
            return None
        return children[0].pid if children else None

    def kill(self) -> None:
        """End the command as a crash would: SIGKILL, with no chance to clean up. Return when it is gone."""
        self._signal(signal.SIGKILL)
        self._watchdog.wait(timeout=3 * _GRACE_SECONDS)

    def pause(self) -> None:
        """Stop it, and all that it has started, where they are: SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after a pause."""
        self._signal(signal.SIGCONT)

    def release(self) -> None:
        """Let the watchdog end it, and do not wait."""
        if self._leash >= 0:
            os.close(self._leash)
            self._leash = -1

    def _signal(self, number: int) -> None:
        pid = self.pid
        if pid is None:
            raise ClusterError(f"{self.name} is not running.", found=f"exit code {self.exit_code}", where=str(self.log))
        os.killpg(pid, number)

    def stop(self) -> int:
        """End it, wait until nothing of it is left, and return its exit code."""
        self.release()
        return self._watchdog.wait(timeout=3 * _GRACE_SECONDS)


def has_ended(pid: int) -> bool:
    """Say whether a process is over, even if whoever started it has not taken note of it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return False
    except psutil.NoSuchProcess:  # or hidden, when it is another user's
        try:
            os.kill(pid, 0)
        except OSError as error:
            return isinstance(error, ProcessLookupError)
        return False


def stop_all(members: Iterable[Member]) -> None:
    """End members of a cluster at the same time, and wait until nothing of them is left."""
    everyone = list(members)
    for member in everyone:
        member.release()
    for member in everyone:
        member.stop()
