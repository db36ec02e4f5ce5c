"""What one process starts at the Docker engine: under one label, and gone when the process is."""

from __future__ import annotations

import itertools
import os
import platform
import subprocess
import sys
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
from testcontainers.core.network import Network

from ..errors import ClusterError
from .container import Container
from .container_specification import Specification
from .container_watchdog import remove
from .engine import Engine, EngineErrors

SESSION = "jobkit.session"
"""The label whose value is the session's id."""

OWNER = "jobkit.owner"
"""The label that names the session's process: machine, process id, and the time of its start."""

_WATCHDOG = Path(__file__).with_name("container_watchdog.py")
_SECONDS_OF_DOUBT = 60
"""A process's start is computed from the time of the machine's, which moves when the clock is set."""


class ContainerSession:
    """The containers and networks of this process.

    A watchdog removes them when the process ends without having done so; what even the watchdog could not do, because it
    was killed as well or the machine went down, is done by the next session on this machine.

    Attributes:
        id: Unlike any other session's.
        engine: The engine.
    """

    def __init__(self, engine: Engine, *, held: Iterable[int] = ()) -> None:
        """Begin a session: first remove what sessions have left that are over.

        Args:
            engine: The engine.
            held: File descriptors that stay open, even when this process is killed, until everything is removed, such as a lock's.
        """
        self.id = uuid.uuid4().hex[:12]
        self.engine = engine
        self._numbers = itertools.count(1)
        self._containers: list[Container] = []
        self._networks: list[Network] = []
        self._labels = {SESSION: self.id, OWNER: _owner()}
        sweep(engine)
        leash, self._leash = os.pipe()
        try:
            # Its own session: a Ctrl-C in the terminal must not end it.
            self._watchdog = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", str(_WATCHDOG), str(leash), f"{SESSION}={self.id}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                pass_fds=(leash, *held),
                start_new_session=True,
            )
        finally:
            os.close(leash)

    @cached_property
    def job_network(self) -> Network:
        """The network of the clusters and of what their jobs talk to; it reaches the outside world, too."""
        return self.network("job")

    def number(self) -> int:
        """Return a number that this session has not used yet."""
        return next(self._numbers)

    def network(self, name: str) -> Network:
        """Make a network.

        Args:
            name: What it is for. Of two networks that a container is in, the engine takes the one
                whose name sorts first for traffic with this machine.

        Raises:
            ClusterError: When the engine cannot make it.
        """
        network = Network(docker_network_kw={"labels": dict(self._labels), "driver": "bridge"})
        network.name = f"jobkit-{self.id}-{name}-{self.number()}"
        try:
            network.create()
        except EngineErrors as error:
            raise ClusterError(
                "The Docker engine cannot make a network.",
                found=str(error),
                remedy="When its addresses are used up, docker network prune frees those of networks that nobody uses.",
            ) from error
        self._networks.append(network)
        return network

    def start(self, name: str, specification: Specification) -> Container:
        """Start a container; see `Container`."""
        title = f"jobkit-{self.id}-{self.number()}-{specification.aliases[0]}"
        container = Container(name, specification, self._labels, title)
        self._containers.append(container)
        return container

    def stop(self) -> None:
        """Stop and remove everything."""
        if self._leash < 0:
            return
        for container in self._containers:
            container.release()
        if self._containers:
            with ThreadPoolExecutor(max_workers=8) as pool:
                list(pool.map(Container.stop, self._containers))
        for network in self._networks:
            with suppress(*EngineErrors):
                network.remove()
        if remove(self.engine.client, f"{SESSION}={self.id}") == 0:
            with suppress(BrokenPipeError):
                os.write(self._leash, b".")
        os.close(self._leash)
        self._leash = -1
        self._watchdog.wait()


def sweep(engine: Engine) -> None:
    """Remove the containers and networks of sessions on this machine whose process is gone."""
    with suppress(*EngineErrors):
        filters = {"label": SESSION}
        containers = engine.client.containers.list(all=True, filters=filters, ignore_removed=True)
        networks = engine.client.networks.list(filters=filters)
        found = [*(container.labels for container in containers), *(_labels(network) for network in networks)]
        for session in {labels[SESSION] for labels in found if _is_over(labels.get(OWNER, ""))}:
            remove(engine.client, f"{SESSION}={session}")


def _labels(network: Any) -> Mapping[str, str]:
    return network.attrs.get("Labels") or {}


def _owner() -> str:
    return f"{platform.node()} {os.getpid()} {psutil.Process().create_time():.0f}"


def _is_over(owner: str) -> bool:
    """Say whether a session's process is known to be gone."""
    node, _, rest = owner.partition(" ")
    pid, _, started = rest.partition(" ")
    if node != platform.node() or not (pid.isdigit() and started.isdigit()):
        return False
    try:
        return abs(psutil.Process(int(pid)).create_time() - int(started)) > _SECONDS_OF_DOUBT
    except psutil.NoSuchProcess:
        return True
