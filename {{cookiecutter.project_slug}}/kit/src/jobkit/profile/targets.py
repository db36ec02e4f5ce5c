"""The processes of this machine in which the Python of a job runs."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from ..cluster.rest import RestClient
from ..errors import ClusterError, ConfigurationError
from .samples import NoRights

_EMBEDDED = "pemja"
_WORKER = "pyflink.fn_execution.beam.beam_boot"
_LONGEST = 15  # characters that Linux keeps of a thread's name
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104  (compared, not listened on)


@dataclass(frozen=True)
class Job:
    """A running job.

    Attributes:
        id: Its id.
        name: Its name.
        tasks: The names of its tasks: of the vertices of its job graph.
        task_managers: The resource ids of the TaskManagers that run them.
    """

    id: str
    name: str
    tasks: tuple[str, ...]
    task_managers: frozenset[str]


@dataclass(frozen=True)
class Target:
    """A process to sample.

    Attributes:
        pid: Its number.
        task_manager: The resource id of the TaskManager that it is, or that started it.
        mode: `thread` for a TaskManager with Python inside, `process` for a Python worker.
    """

    pid: int
    task_manager: str
    mode: str

    @property
    def label(self) -> str:
        """What messages call it."""
        kind = "" if self.mode == "thread" else "a Python worker of "
        return f"{kind}{self.task_manager}, process {self.pid}"


@dataclass(frozen=True)
class Targets:
    """What can be sampled.

    Attributes:
        found: The processes with Python in them.
        elsewhere: The TaskManagers that are not on this machine, each with its address.
    """

    found: tuple[Target, ...]
    elsewhere: tuple[str, ...]


def running_job(rest: RestClient, wanted: str | None) -> Job:
    """Return the job to profile.

    Args:
        rest: The cluster.
        wanted: The job's id, or None for the only one that runs.

    Raises:
        ConfigurationError: When there is no such job, or more than one to choose from.
        ClusterError: When the JobManager does not answer, or something else answers there.
    """
    running = [job for job, state in rest.jobs().items() if state in ("RUNNING", "RESTARTING")]
    if wanted is None and len(running) == 1:
        wanted = running[0]
    if wanted not in running:
        raise ConfigurationError(
            "No job runs there." if not running else "The job does not run there." if wanted else "More than one job runs there.",
            found=f"{', '.join(running)} running" if running else wanted,
            where=rest.url,
            remedy="Name one with --job." if running else "Start it first: it is sampled while it runs.",
        )
    details = rest.job(wanted)
    managers = frozenset(task.task_manager for task in rest.tasks(wanted)) - {""}
    return Job(wanted, str(details["name"]), tuple(str(vertex["name"]) for vertex in details["vertices"]), managers)


def find(rest: RestClient, job: Job) -> Targets:
    """Return the processes of this machine that run a job's Python.

    Raises:
        ClusterError: When none of its TaskManagers is on this machine.
        ConfigurationError: When there is no Python in those that are.
        NoRights: When a TaskManager is another user's.
    """
    addresses = {manager["id"]: _address(str(manager["path"]), rest.url) for manager in rest.task_managers()}
    found, elsewhere = [], []
    for manager in sorted(job.task_managers & set(addresses)):
        host, port = addresses[manager]
        is_here, pid = _listener(host, port)
        if not is_here:
            elsewhere.append(f"{manager} ({host}:{port})")
        elif pid is None:
            raise NoRights(f"{manager}, which listens on port {port}")
        else:
            found += _pythons(manager, pid)
    if elsewhere and not found:
        raise ClusterError(
            "The TaskManagers are not on this machine, or in a container.",
            found=", ".join(elsewhere),
            where=rest.url,
            remedy=f"Run it where they are: docker exec CONTAINER jobkit profile --url {rest.url}, or kubectl exec POD -- jobkit profile "
            "--url …, with the JobManager's address as seen from there. The container needs --cap-add SYS_PTRACE "
            "(in Kubernetes securityContext.capabilities.add: [SYS_PTRACE]).",
        )
    if not found:
        raise no_python(job)
    return Targets(tuple(found), tuple(elsewhere))


def no_python(job: Job) -> ConfigurationError:
    """Return the error for a job in which no Python runs."""
    return ConfigurationError(
        "No Python runs in this job.",
        found=f"{job.name} ({job.id})",
        where=", ".join(sorted(job.task_managers)) or "no TaskManager",
        remedy="Only operators with Python functions can be profiled. For the JVM's side set rest.flamegraph.enabled: true, and look at "
        "FlameGraph in the web UI. If the job gets no records just now, try again when it does.",
    )


def thread_names(target: Target) -> dict[int, bytes]:
    """Return the names of a process's threads by their numbers, as Linux has them: the first 15 characters, mostly."""
    names = {}
    for folder in Path(f"/proc/{target.pid}/task").glob("*"):
        with contextlib.suppress(OSError):  # it has just ended
            names[int(folder.name)] = (folder / "comm").read_bytes().rstrip(b"\n")
    return names


def tasks_of(thread_name: bytes, tasks: Iterable[str]) -> tuple[str, ...]:
    """Return the tasks that a thread of this name may run; several, when their names begin alike."""
    return tuple(task for task in tasks if _is_short_for(thread_name, task))


def _is_short_for(name: bytes, task: str) -> bool:
    if name == task.encode()[: len(name)] and len(name) == _LONGEST:
        return True
    # Newer JVMs keep the beginning and the end, and so the number of the subtask; short names come whole, with that.
    beginning, dots, _ = name.partition(b"..")
    return task.encode().startswith(beginning) if dots else name.startswith(f"{task} (".encode()[:_LONGEST])


def _address(path: str, url: str) -> tuple[str, int]:
    """Return where a TaskManager listens; one without an address of its own is in the JobManager's process."""
    own = urlsplit(path) if "@" in path else urlsplit(url)
    return own.hostname or "", own.port or 0


def _listener(host: str, port: int) -> tuple[bool, int | None]:
    """Return whether a process of this machine listens at an address, and its number, if the user may know that."""
    try:
        wanted = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port)}
    except OSError:
        return False, None
    own = {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}
    here = {address for address in wanted if address in own or address.startswith("127.")}
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            place = connection.laddr.ip.removeprefix("::ffff:")
            if place in here or (place in _EVERYWHERE and here):
                return True, connection.pid
    return False, None


def _pythons(manager: str, pid: int) -> list[Target]:
    """Return what runs Python for a TaskManager: itself, its workers, or neither."""
    try:
        process = psutil.Process(pid)
        found = [Target(pid, manager, "thread")] if any(_EMBEDDED in entry.path for entry in process.memory_maps()) else []
        workers = [child for child in process.children(recursive=True) if _WORKER in child.cmdline()]
    except psutil.AccessDenied:
        raise NoRights(f"{manager}, process {pid}") from None
    except psutil.NoSuchProcess:
        return []
    return found + [Target(worker.pid, manager, "process") for worker in workers]
