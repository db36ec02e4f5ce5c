"""One command in a container of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast

from docker.errors import NotFound

from ..errors import ClusterError
from .container_specification import Specification, prepare, without_ryuk
from .engine import EngineErrors
from .printing import Printing
from .waiting import until

_GRACE_SECONDS = 10.0
_SECONDS_TO_END = 30.0
_KILLED = 128 + signal.SIGKILL
_LISTENING = "0A"
"""TCP_LISTEN, as the kernel writes it."""


class Container(Printing):
    """A container that was started; a `Member` of a cluster.

    Attributes:
        name: What messages call it.
        log: The file that its output goes to.
        alias: What the other containers of its network call it.
    """

    def __init__(self, name: str, specification: Specification, labels: Mapping[str, str], title: str) -> None:
        """Start a container.

        Args:
            name: What messages call it.
            specification: What it is made of.
            labels: How its session knows it.
            title: What the engine calls it; no other container has that name.

        Raises:
            ClusterError: When the engine cannot start it.
        """
        self.name = name
        self.log = specification.log
        self.alias = specification.aliases[0]
        self._exit_code: int | None = None
        self._is_released = False
        self._container = prepare(specification, labels, title)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._begin()
        try:
            with without_ryuk():
                self._container.start()
        except EngineErrors as error:
            self._remove()
            raise ClusterError(f"{name} cannot be started in a container.", found=_said(error), where=specification.image) from error

    @property
    def id(self) -> str:
        """The engine's id of it."""
        return self._container.get_container_id()

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, or None while it runs."""
        if self._exit_code is not None:
            return self._exit_code
        state = self._state()
        if state is None:
            return _KILLED  # somebody has removed it, running or not
        return None if state["Running"] else int(state["ExitCode"])

    @property
    def pid(self) -> int | None:
        """The command's process id on this machine, or None when it has ended."""
        state = self._state() if self._exit_code is None else None
        return int(state["Pid"]) or None if state else None

    def port(self, port: int) -> int:
        """Return the port of 127.0.0.1 that leads to one of its ports."""
        bound = (self._attributes() or {}).get("NetworkSettings", {}).get("Ports", {}).get(f"{port}/tcp")
        if not bound:
            self.require_running()
            raise ClusterError(f"Port {port} of {self.name} cannot be reached from this machine.", found=f"{bound}")
        return int(bound[0]["HostPort"])

    def is_listening(self, port: int) -> bool:
        """Say whether one of its processes listens on a TCP port, as the kernel's table of its network says."""
        try:
            table = self._container.exec(["cat", "/proc/net/tcp", "/proc/net/tcp6"]).output.decode()
        except EngineErrors:  # it has ended
            return False
        rows = [line.split() for line in table.splitlines()]
        return any(row[3] == _LISTENING and row[1].endswith(f":{port:04X}") for row in rows if len(row) > 3)  # noqa: PLR2004

    def kill(self) -> None:
        """End it as a crash would: SIGKILL. Return when it is gone; `restart` brings it back."""
        with suppress(*EngineErrors):  # it has ended by itself
            self._container.get_wrapped_container().kill("SIGKILL")
        self._wait(_SECONDS_TO_END)

    def restart(self) -> None:
        """Start a container that has ended once more: the same command, addresses and files."""
        self._begin()
        self._order("start", self._container.get_wrapped_container().start)

    def pause(self) -> None:
        """Freeze it: all its processes stop where they are."""
        self._order("pause", self._container.get_wrapped_container().pause)

    def resume(self) -> None:
        """Let it go on after a pause."""
        self._order("resume", self._container.get_wrapped_container().unpause)

    def release(self) -> None:
        """Begin to end it, with SIGTERM, and do not wait."""
        if self._is_released or self.exit_code is not None:
            return
        self._is_released = True
        for action in (self._container.get_wrapped_container().unpause, lambda: self._container.get_wrapped_container().kill("SIGTERM")):
            with suppress(*EngineErrors):  # it is not paused, or has ended
                action()

    def stop(self) -> int:
        """End it, by SIGKILL when SIGTERM does not help, remove it, and return its exit code."""
        if self._exit_code is None:
            self.release()
            try:
                self._wait(_GRACE_SECONDS)
            except ClusterError:
                self.kill()
            self._exit_code = self.exit_code
            self._remove()
        return self._exit_code if self._exit_code is not None else _KILLED

    def _begin(self) -> None:
        self._start_of_output = self.log.stat().st_size if self.log.is_file() else 0
        self.log.touch()

    def _wait(self, seconds: float) -> None:
        until(lambda: self.exit_code, what=f"{self.name} has ended", seconds=seconds, log=self.log)

    def _attributes(self) -> dict[str, Any] | None:
        wrapped = self._container.get_wrapped_container()
        try:
            wrapped.reload()
        except NotFound:
            return None
        return cast("dict[str, Any]", wrapped.attrs)

    def _state(self) -> dict[str, Any] | None:
        attributes = self._attributes()
        return attributes["State"] if attributes else None

    def _order(self, verb: str, action: Callable[[], object]) -> None:
        try:
            action()
        except EngineErrors as error:
            raise ClusterError(f"The engine cannot {verb} {self.name}.", found=_said(error), where=str(self.log)) from error

    def _remove(self) -> None:
        with suppress(NotFound):
            self._container.stop()


def _said(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error).strip().rstrip(".")
