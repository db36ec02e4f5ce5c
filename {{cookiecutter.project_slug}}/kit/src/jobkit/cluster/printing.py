"""What a member of a cluster has printed, read from its log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from pathlib import Path

from ..errors import ClusterError


class Printing(ABC):
    """A command whose output is added to a file; a process or a container.

    Attributes:
        name: What messages call it.
        log: The file that its output goes to; it is added to what is there.
    """

    name: str
    log: Path
    _start_of_output: int
    """Where in the log the output of the last start begins."""

    @property
    @abstractmethod
    def exit_code(self) -> int | None:
        """The command's exit code, or None while it runs."""

    def output(self) -> str:
        """Return all that it has printed since it was started, or started again."""
        with self.log.open("rb") as file:
            file.seek(self._start_of_output)
            return file.read().decode("utf-8", errors="replace")

    def last_lines(self, count: int = 5) -> str:
        """Return the end of its output."""
        return "\n".join(deque(self.output().splitlines(), maxlen=count))

    def require_running(self) -> None:
        """Raise a ClusterError, with the end of its output, when it has ended."""
        if self.exit_code is not None:
            raise ClusterError(f"{self.name} has stopped, with exit code {self.exit_code}.", found=self.last_lines(), where=str(self.log))
