"""Stacks that py-spy has seen in a process: read from outside, while the process runs on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..cluster.processes import has_ended
from ..errors import ClusterError, ConfigurationError, JobkitError

RATE = 100
"""Samples a second."""

_THREAD = re.compile(r"thread \((?P<number>\w+)\)")
_FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*?)(?::(?P<line>\d+))?\)")
_DENIED = re.compile(r"permission denied|operation not permitted|EPERM", re.IGNORECASE)


@dataclass(frozen=True)
class Frame:
    """A function on a stack.

    Attributes:
        function: Its name; with its class, where the interpreter is Python 3.11 or newer.
        file: The file that it was compiled from.
        line: The first line of the function.
    """

    function: str
    file: str
    line: int


@dataclass(frozen=True)
class Stack:
    """A stack, and how often it was seen.

    Attributes:
        thread: The number of the thread in the operating system; None where py-spy does not know it.
        frames: The outermost first.
        count: How often.
    """

    thread: int | None
    frames: tuple[Frame, ...]
    count: int


class NoRights(JobkitError):
    """A process that the user may not look into."""

    def __init__(self, process: str) -> None:
        """Take what to call the process."""
        super().__init__(
            "The kernel does not allow to look into the process.",
            where=process,
            remedy='Run it as the same user, or as root: sudo env PATH="$PATH" jobkit profile …. If it is your own process: '
            "sudo sysctl kernel.yama.ptrace_scope=0, or, in a container, start that with --cap-add SYS_PTRACE (in Kubernetes "
            "securityContext.capabilities.add: [SYS_PTRACE]).",
        )


def executable() -> Path:
    """Return py-spy's command.

    Raises:
        ConfigurationError: When it is not installed.
    """
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.is_file() else shutil.which("py-spy")
    if found is None:
        raise ConfigurationError(
            "py-spy, which reads the stacks, is not installed.",
            where=str(Path(sys.prefix)),
            remedy="Install it: pip install './kit[profile]', or pip install py-spy.",
        )
    return Path(found)


class Recording:
    """One py-spy that samples one process, for some seconds."""

    def __init__(self, pid: int, process: str, options: Sequence[str], *, seconds: int, folder: Path) -> None:
        """Start it.

        Args:
            pid: The process.
            process: What messages call it.
            options: `--idle` for all threads, or `--gil` for the one that holds the lock.
            seconds: For how long.
            folder: Where its files go.
        """
        self._pid, self._process, self._seconds = pid, process, seconds
        stem = f"{pid}{''.join(options)}"
        self._output, self._log = folder / f"{stem}.folded", folder / f"{stem}.log"
        # Not stopping a JVM with its hundred threads a hundred times a second matters more than the odd torn stack.
        command = [str(executable()), "record", "--pid", str(pid), "--format", "raw", "--threads", "--function", "--full-filenames"]
        command += ["--nonblocking", "--rate", str(RATE), "--duration", str(seconds), "--output", str(self._output), *options]
        self._began = time.time()
        with self._log.open("wb") as log:
            self._spy = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603

    def is_over(self) -> bool:
        """Say whether it has ended, which it also does when the process is gone."""
        return self._spy.poll() is not None

    @property
    def seconds(self) -> float:
        """For how long the process has been sampled: shorter than wanted when it ended. py-spy that lags samples longer, not less."""
        until = self._output.stat().st_mtime if self._output.is_file() else time.time()
        return min(float(self._seconds), until - self._began)

    def end(self) -> None:
        """End it, if it has not ended."""
        if self._spy.poll() is None:
            self._spy.kill()
            self._spy.wait()

    def stacks(self) -> list[Stack]:
        """Return what was seen, once it is over.

        Raises:
            NoRights: When the process may not be looked into.
            ClusterError: When the sampling failed for another reason than the end of the process.
        """
        said = self._log.read_text(encoding="utf-8", errors="replace")
        if self._spy.returncode == 0 and self._output.is_file():
            return list(read(self._output.read_text(encoding="utf-8", errors="replace").splitlines()))
        if _DENIED.search(said):
            raise NoRights(self._process)
        if has_ended(self._pid):
            return []
        reasons = [line.removeprefix("Error:").strip() for line in said.splitlines() if line.startswith("Error:")]
        found = reasons[0] if reasons else f"exit code {self._spy.returncode}"
        raise ClusterError("py-spy could not sample the process.", found=found, where=self._process)


def read(lines: Iterable[str]) -> Iterator[Stack]:
    """Yield the stacks in what py-spy writes, folded: thread;outermost;…;innermost count."""
    for line in lines:
        text, _, count = line.rpartition(" ")
        head, *frames = text.split(";")
        thread = _THREAD.match(head)
        number = thread["number"] if thread else ""
        if thread and count.isdigit():
            found = [_FRAME.fullmatch(frame) for frame in frames]
            parsed = tuple(Frame(each["function"], each["file"], int(each["line"] or 0)) for each in found if each)
            yield Stack(int(number) if number.isdecimal() else None, parsed, int(count))
