"""What a run costs: processor time and memory of its processes, sampled while they run."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

_SECONDS_BETWEEN_SAMPLES = 0.5
_SAMPLES_BETWEEN_FAMILIES = 4
"""To look for new processes, and at their memory, takes longer than to look at the processor time of those that are known."""


@dataclass
class Usage:
    """What some processes, and all that they started, have used so far.

    Attributes:
        times: When samples were taken, in seconds since the epoch.
        cpu_seconds: User and system time up to then, of ended processes too.
        busy_seconds: For how long the processors that they may use were not idle, added up; for whomever.
        memory: Their memory, in bytes, at moments in seconds since the epoch: what each process shares is divided among those
            that share it, where the kernel says so, and is counted for each otherwise.
        is_proportional: Whether the kernel has said so.
    """

    times: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    busy_seconds: list[float] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    is_proportional: bool = True

    @property
    def peak_bytes(self) -> int:
        """The most memory at one time."""
        return max((held for _, held in self.memory), default=0)

    @property
    def total(self) -> float:
        """All processor time, in seconds."""
        return self.cpu_seconds[-1] if self.cpu_seconds else 0.0

    def between(self, begin: float, end: float) -> float:
        """Return the processor time between two moments, in seconds, interpolated between samples."""
        return at(self.times, self.cpu_seconds, end) - at(self.times, self.cpu_seconds, begin)

    def busy_between(self, begin: float, end: float) -> float:
        """Return for how long the processors were not idle between two moments, in seconds, added up."""
        return at(self.times, self.busy_seconds, end) - at(self.times, self.busy_seconds, begin)


def at(times: Sequence[float], series: Sequence[float], moment: float) -> float:
    """Return what a series was at a moment, between two looks in proportion.

    Args:
        times: When it was looked at, ascending.
        series: What it was then.
        moment: Before the first look and after the last one it is as it was then.
    """
    place = bisect_left(times, moment)
    if place == 0:
        return series[0] if series else 0.0
    if place == len(times):
        return series[-1]
    before, after = times[place - 1], times[place]
    low, high = series[place - 1], series[place]
    return low + (high - low) * (moment - before) / (after - before)


class Sampler:
    """Looks at processes now and then, in a thread of its own.

    Attributes:
        usage: What they have used.
    """

    def __init__(self, roots: Callable[[], Sequence[int]], cores: Sequence[int] = ()) -> None:
        """Begin to look.

        Args:
            roots: Returns the ids of the processes whose descendants count with them; new ones are found as they come, unless they
                end within two seconds.
            cores: The processors to watch beside.
        """
        self._cores = cores
        self.usage = Usage()
        self._roots = roots
        self._seen: dict[tuple[int, float], float] = {}
        self._before: float | None = None
        self._ended = threading.Event()
        self._family: list[psutil.Process] = []
        self._sample(with_family=True)
        self._thread = threading.Thread(target=self._run, name="resources", daemon=True)
        self._thread.start()

    def stop(self) -> Usage:
        """Look a last time, the first time that it is called, and return what was used; the processes must be running still."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            self._sample(with_family=True)
        return self.usage

    def _run(self) -> None:
        count = 0
        while not self._ended.wait(_SECONDS_BETWEEN_SAMPLES):
            count += 1
            self._sample(with_family=count % _SAMPLES_BETWEEN_FAMILIES == 0)

    def _sample(self, *, with_family: bool) -> None:
        memory = 0
        if with_family:
            self._family = list(_family(self._roots()))
        for process in self._family:
            with suppress(psutil.Error):  # it may end at any moment
                times = process.cpu_times()
                self._seen[process.pid, process.create_time()] = times.user + times.system
                memory += self._memory(process) if with_family else 0
        used = sum(self._seen.values())
        self._before = used if self._before is None else self._before
        self.usage.times.append(time.time())
        self.usage.busy_seconds.append(_busy(self._cores))
        self.usage.cpu_seconds.append(used - self._before)
        if with_family:
            self.usage.memory.append((time.time(), memory))

    def _memory(self, process: psutil.Process) -> int:
        details = process.memory_full_info()
        if hasattr(details, "pss"):
            return int(details.pss)
        self.usage.is_proportional = False
        return int(details.rss)


def _family(roots: Sequence[int]) -> Iterator[psutil.Process]:
    for root in roots:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(root)
            yield process
            yield from process.children(recursive=True)


def _busy(cores: Sequence[int]) -> float:
    """Return for how long some processors have not been idle since the machine started, what a host took from them included."""
    every = psutil.cpu_times(percpu=True) if cores else []
    idle = ("idle", "iowait", "guest", "guest_nice")  # time of guests is in user time already
    return sum(sum(value for name, value in every[core]._asdict().items() if name not in idle) for core in cores if core < len(every))


def processors() -> list[int]:
    """Return the numbers of the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@contextmanager
def pinned(cores: Sequence[int]) -> Iterator[None]:
    """Let the processes that this thread starts meanwhile run on some processors only, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def step_aside(cores: Sequence[int]) -> None:
    """Leave some processors to others, where there are more and the system can do that; threads that start later follow."""
    rest = set(processors()) - set(cores)
    if rest and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, rest)
