"""This machine as the place of a cluster: members are processes, reached at 127.0.0.1 on ports that the kernel picks."""

from __future__ import annotations

import os
import socket
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from . import distribution, jvm
from .java import Java
from .place import Member
from .processes import Process

_HOST = "127.0.0.1"
_KIT = str(Path(__file__).parents[2])


class Machine:
    """Starts the members of clusters as processes of the Flink distribution that PyFlink brings; a `Place`.

    Attributes:
        held: File descriptors for the processes to hold that are started from then on; see `Process`.
    """

    bind_address = _HOST

    def __init__(self, root: Path, *, library: Path, java: Java, held: Iterable[int] = ()) -> None:
        """Take what the processes run with.

        Args:
            root: The project's folder, the working folder of all processes.
            library: What FLINK_LIB_DIR must be; see `jars.library`.
            java: The Java to run them.
            held: See above.
        """
        self.home = str(distribution.home())
        self.held = tuple(held)
        self._root, self._library, self._java = root, library, java
        self.configuration: Mapping[str, str] = {
            "jobmanager.rpc.address": _HOST,
            "jobmanager.bind-host": _HOST,
            "taskmanager.host": _HOST,
            "taskmanager.bind-host": _HOST,
            "rest.address": _HOST,
            "rest.bind-address": _HOST,
            # Port 0: the kernel picks one that is free, so that two clusters on one machine never clash.
            "rest.port": "0",
            "rest.bind-port": "0",
            "jobmanager.rpc.port": "0",
            "python.executable": sys.executable,
            "python.client.executable": sys.executable,
        }

    def environment(self, temporary: Path) -> Mapping[str, str]:
        """Return the variables that Flink's scripts need; see `Place`."""
        return {
            **jvm.environment(self._java, temporary),
            "FLINK_LIB_DIR": os.path.relpath(self._library, self._root),  # Flink's scripts break at a space in this one
            # The job is imported from where it was written, so that messages name the user's files; thread mode looks for
            # pemja in the second folder, and for this kit there or, where it is installed as editable, in the third.
            "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(self._root / "src"), sysconfig.get_path("purelib"), _KIT])),
        }

    def start(self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str], ports: Iterable[int] = ()) -> Process:
        """Start a process; all of its ports can be reached."""
        del ports
        return Process(f"the {name}", command, log=log, environment=environment, folder=self._root, held=self.held)

    def port(self, usual: int) -> int:
        """Return a port that is free now, which the kernel has picked."""
        del usual
        return free_port()

    def address(self, member: Member, port: int) -> str | None:
        """Return where a process listens on a port, once it does."""
        del member
        with socket.socket() as probe:
            return f"{_HOST}:{port}" if probe.connect_ex((_HOST, port)) == 0 else None

    def url(self, member: Member, port: int) -> str:
        """Return the address of a port."""
        del member
        return f"http://{_HOST}:{port}"


def free_port() -> int:
    """Return a port of this machine that is free now; another process may take it first."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
