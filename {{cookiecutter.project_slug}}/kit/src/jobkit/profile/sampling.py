"""The sampling of a job: all of its processes at the same time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..cluster import interruption
from ..cluster.waiting import until
from .report import Sampled
from .samples import Recording
from .targets import Target, thread_names

_SECONDS_TO_FINISH = 60
_INTERVAL = 0.2
_KINDS = ("--idle", "--gil")
"""What py-spy looks at: all threads, and the one that holds the lock."""


def sample(targets: Sequence[Target], seconds: int, progress: Callable[[float], None]) -> list[Sampled]:
    """Sample processes, and return what was seen in each.

    Args:
        targets: The processes.
        seconds: For how long.
        progress: Called now and then with the seconds that have passed.

    Raises:
        NoRights: When one of them may not be looked into.
        ClusterError: When py-spy fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recordings: list[Recording] = []
        try:
            before = [thread_names(target) for target in targets]
            for target in targets:
                for kind in _KINDS:
                    with interruption.postponed():
                        recordings.append(Recording(target.pid, target.label, [kind], seconds=seconds, folder=folder))
            _wait(recordings, seconds, progress)
            return [
                Sampled(target, every.stacks(), holding.stacks(), every.seconds, {**threads, **thread_names(target)})
                for target, every, holding, threads in zip(targets, recordings[::2], recordings[1::2], before, strict=True)
            ]
        finally:
            for recording in recordings:
                recording.end()


def _wait(recordings: Sequence[Recording], seconds: int, progress: Callable[[float], None]) -> None:
    def probe() -> bool | None:
        is_over = all(recording.is_over() for recording in recordings)
        passed = max(recording.seconds for recording in recordings)
        if is_over or passed < seconds:
            progress(passed)
        return is_over or None

    until(probe, what="py-spy has written what it saw", seconds=seconds + _SECONDS_TO_FINISH, interval=_INTERVAL)
