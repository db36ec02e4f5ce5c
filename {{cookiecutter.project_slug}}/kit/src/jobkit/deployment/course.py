"""Shows how what takes long goes on: a savepoint, and the time until a job that was started has proved itself."""

from __future__ import annotations

import time
from contextlib import suppress

from ..errors import ClusterError
from .change import Change
from .version import Version

_SECONDS_BETWEEN = 1.0
_SECONDS_UNSAID = 2.0
_SECONDS_BETWEEN_LINES = 30.0
"""How often it is written down, for whoever has no terminal."""


class Course:
    """Asks one job's JobManager, at most once a second, and shows it as bars; every half a minute as a line, too."""

    def __init__(self, change: Change, version: Version) -> None:
        """Take who is told, and the job."""
        self._change, self._rest, self._uid = change, version.target.rest, version.uid
        self._begun = self._shown = self._told = time.monotonic()

    def taking_savepoint(self) -> None:
        """Show how far a savepoint is: subtasks, and bytes."""
        if self._is_time():
            with suppress(ClusterError):
                self._show_snapshot("savepoint")

    def starting(self) -> None:
        """Show how many tasks run and, when all do, which checkpoint is being taken."""
        if self._is_time():
            with suppress(ClusterError):
                running, all_of_them = self._rest.running_tasks(self._uid)
                if running < all_of_them:
                    self._show("tasks that run", running, all_of_them, "")
                else:
                    self._show_snapshot("checkpoint")

    def _is_time(self) -> bool:
        now = time.monotonic()
        if now - self._begun < _SECONDS_UNSAID or now - self._shown < _SECONDS_BETWEEN:
            return False
        self._shown = now
        return True

    def _show_snapshot(self, kind: str) -> None:
        entry = self._rest.under_way(self._uid)
        if entry is not None:
            mebibytes = int(entry.get("checkpointed_size") or 0) / (1 << 20)
            done, total = int(entry["num_acknowledged_subtasks"]), int(entry["num_subtasks"])
            self._show(f"{kind}: subtasks", done, total, f", {mebibytes:,.1f} MiB")

    def _show(self, what: str, done: int, total: int, more: str) -> None:
        with suppress(OSError):
            self._change.reporter.progress(what, done, total)
        if time.monotonic() - self._told > _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self._change.tell(f"{what} {done} of {total}{more}, after {self._told - self._begun:.0f} s")
