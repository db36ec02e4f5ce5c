"""Contenders that are Python processes of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from jobkit.cluster.processes import Process, stop_all
from jobkit.cluster.rest import Checkpoint

from .. import environments
from ..place import ROOT
from .contender import Contract, Task

_PROGRAMS = ROOT / "bench" / "programs"

Command = Callable[[str, Task, int, int], list[str]]
"""Makes a process's command out of the Python to run it, the task, the process's number, and how many there are."""


def script(name: str) -> Command:
    """Return the command that runs one of the programs."""

    def command(python: str, task: Task, number: int, count: int) -> list[str]:
        del task, number, count
        return [python, str(_PROGRAMS / name)]

    return command


@dataclass(frozen=True)
class PeerContender:
    """One or more Python processes; see `Contender`.

    Attributes:
        peer: Names the requirements, and so the environment.
        command: See `Command`.
        cache: Where the environments are.
        processes: How many of them are started here.
        workers: How they use two cores, in words.
        variables: For their environment, beside those of the task.
    """

    name: str
    peer: str
    guarantee: str
    command: Command
    cache: Path
    processes: int = 1
    contract: Contract = Contract.EACH
    workers: str = "one process"
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def prepare(self) -> Mapping[str, str]:
        """Install it."""
        environments.provide(self.peer, self.cache)
        return {"python": ".".join(map(str, sys.version_info[:3])), **environments.versions(self.peer)}

    def start(self, task: Task) -> RunningPeer:
        """Start the processes."""
        python = str(environments.provide(self.peer, self.cache))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        variables = {**inherited, **task.variables, **self.variables, "PYTHONUNBUFFERED": "1", "TMPDIR": str(task.folder / "tmp")}
        (task.folder / "tmp").mkdir(parents=True)
        members: list[Process] = []
        for number in range(self.processes):
            state = task.folder / f"state-{number}"
            state.mkdir(parents=True)
            members.append(
                Process(
                    f"{self.name} {number + 1}",
                    self.command(python, task, number, self.processes),
                    log=task.folder / "logs" / f"{self.name}-{number + 1}.log",
                    environment={**variables, "BENCH_STATE": str(state)},
                    folder=task.folder,
                )
            )
        return RunningPeer(members)


class RunningPeer:
    """Processes at work; see `Running`."""

    def __init__(self, members: Sequence[Process]) -> None:
        """Take the processes."""
        self._members = members

    def processes(self) -> Sequence[int]:
        """Return their ids."""
        return [member.pid for member in self._members if member.pid is not None]

    def check(self) -> None:
        """Raise a ClusterError, with the end of its log, when one has ended."""
        for member in self._members:
            member.require_running()

    def checkpoints(self) -> Sequence[Checkpoint]:
        """Return none: they have no interface to ask."""
        return []

    def stop(self) -> None:
        """End them."""
        stop_all(self._members)
