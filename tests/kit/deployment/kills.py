"""Commands that are killed when their journal shows a step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from jobkit.cluster.waiting import until
from jobkit.deployment.instance import Instance, Operation

from .stage import SECONDS, Deployment

Seen = Callable[[Operation | None, list[Instance]], bool]


def kill_when(job: Deployment, seen: Seen, *arguments: str) -> None:
    """Start a command, and kill it, with SIGKILL, as soon as its journal shows a step."""
    command = job.begin(*arguments)
    with job.ledger() as ledger:

        def probe() -> bool | None:
            assert command.poll() is None, f"it ended before: {job.log.read_text()}"
            return seen(ledger.unfinished("ordinals/test"), ledger.instances("ordinals/test")) or None

        try:
            until(probe, what="the step", seconds=SECONDS, interval=0.01)
        finally:
            os.kill(command.pid, signal.SIGKILL)
            assert command.wait() == -signal.SIGKILL


def step(operation: Operation | None, name: str, *details: str) -> bool:
    """Say whether an operation stands at a step, with these details."""
    return operation is not None and operation.step == name and set(details) <= set(operation.details)
