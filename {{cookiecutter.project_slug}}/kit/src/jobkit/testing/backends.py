"""Where the clusters of a test session run: as processes of this machine, or in containers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..cluster import distribution, jars, java
from ..cluster.broker import Broker
from ..cluster.machine import Machine
from ..cluster.place import Member, Place
from ..project import Project

_JAVA_OF_KAFKA = 17


class KafkaBroker(Protocol):
    """A broker that tests and the job reach by addresses of their own.

    Attributes:
        member: What runs it.
        servers: The address for this machine.
        job_servers: The address for the job.
    """

    @property
    def member(self) -> Member:
        """What runs it."""

    @property
    def servers(self) -> str:
        """The address for this machine."""

    @property
    def job_servers(self) -> str:
        """The address for the job."""

    def wait(self) -> str:
        """Wait until it serves clients, and return its address for this machine."""

    def restart(self) -> None:
        """Kill it, and start it again at the same addresses, with the data that it has written."""

    def disconnect(self) -> None:
        """Cut the job off."""

    def connect(self) -> None:
        """Let the job reach it again."""

    def stop(self) -> None:
        """Shut it down."""


class Backend(Protocol):
    """Makes the parts of a session.

    Attributes:
        name: `process` or `docker`.
    """

    name: str

    def place(self, folder: Path) -> Place:
        """Return where a cluster with this folder runs."""

    def broker(self, folder: Path) -> KafkaBroker:
        """Start a broker with this folder, and do not wait."""

    def close(self) -> None:
        """Leave nothing behind."""


class ProcessBackend:
    """Everything runs as processes of this machine, as `jobkit run` starts them; no Docker is needed."""

    name = "process"

    def __init__(self, project: Project, held: int, say: Callable[[str], None]) -> None:
        """Find, or fetch, what is needed.

        Args:
            project: Whose job is tested.
            held: A file descriptor that all processes hold.
            say: Told what takes long.

        Raises:
            ConfigurationError: When PyFlink, a jar or a Java is missing or wrong.
        """
        distribution.require(project.flink)
        self._project, self._held = project, held
        self._java = java.provide(minimum=_JAVA_OF_KAFKA)
        fetching: set[str] = set()

        def progress(name: str, _done: int, _total: int) -> None:
            if name not in fetching:
                fetching.add(name)
                say(f"fetching {name}")

        self._library = jars.library(project, progress)
        self._classpath = jars.broker_classpath(project, progress)

    def place(self, folder: Path) -> Machine:
        """Return this machine."""
        del folder
        return Machine(self._project.root, library=self._library, java=self._java, held=[self._held])

    def broker(self, folder: Path) -> Broker:
        """Start a broker as a process."""
        return Broker(folder, classpath=self._classpath, java=self._java, held=[self._held], job_apart=True)

    def close(self) -> None:
        """All processes were stopped one by one."""
