"""Where the members of a cluster run: as processes of this machine, or in containers of one network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Member(Protocol):
    """A JobManager, a TaskManager, a client or a broker: one command, and all that it starts.

    Attributes:
        name: What messages call it.
        log: The file that its output goes to, on this machine.
    """

    name: str
    log: Path

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, or None while it runs."""

    @property
    def pid(self) -> int | None:
        """The command's process id as this machine's kernel counts, or None when it has ended."""

    def output(self) -> str:
        """Return all that it has printed so far."""

    def last_lines(self, count: int = 5) -> str:
        """Return the end of its output."""

    def require_running(self) -> None:
        """Raise a ClusterError, with the end of its output, when it has ended."""

    def kill(self) -> None:
        """End it as a crash would: SIGKILL, with no chance to clean up. Return when it is gone."""

    def pause(self) -> None:
        """Stop it, and all that it has started, where they are: SIGSTOP. They keep their connections, and answer nobody."""

    def resume(self) -> None:
        """Let it go on after a pause."""

    def release(self) -> None:
        """Begin to end it, and do not wait."""

    def stop(self) -> int:
        """End it, wait until nothing of it is left, and return its exit code."""


class Place(Protocol):
    """Starts members, and knows how they reach one another.

    Every place sees the cluster's folder at the same path as this machine: configuration, logs, snapshots.

    Attributes:
        home: FLINK_HOME there.
        configuration: Flink's keys that belong to the place: addresses, ports, Python executables. They win over the job's.
        bind_address: What a member that is no part of Flink must listen on to be reached by the others.
    """

    home: str
    configuration: Mapping[str, str]
    bind_address: str

    def port(self, usual: int) -> int:
        """Return the port for a member to listen on: one that is free, where all share a machine, or else the usual one."""

    def address(self, member: Member, port: int) -> str | None:
        """Return where the other members reach what listens on a port, as `host:port`; None while nothing does."""

    def environment(self, temporary: Path) -> Mapping[str, str]:
        """Return the variables that Flink's scripts need there.

        Args:
            temporary: Takes all temporary files.
        """

    def start(self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str], ports: Iterable[int] = ()) -> Member:
        """Start a member.

        Args:
            name: A name that is free in this cluster, `taskmanager-2`. The other members reach it by its first part and number,
                and the JobManager in charge as `jobmanager`.
            command: The program and its arguments.
            log: The file that its output goes to.
            environment: Its environment variables.
            ports: The ports that this machine must reach.
        """

    def url(self, member: Member, port: int) -> str:
        """Return how this machine reaches a port of a member, as `http://host:port`."""
