"""Is this machine fit to build, test and run the job: what is there, what is missing, what to do."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import psutil

from . import manifest
from .cluster import java
from .errors import JobkitError
from .project import Project

Status = Literal["ok", "warn", "fail"]

_TOOLS = (
    *("bash", "cut", "dirname", "expr", "find", "grep", "head", "hostname", "id", "ls", "mkdir"),
    *("rev", "rm", "sed", "sort", "tail", "tee", "tr", "uname", "wc"),
)
"""What Flink's scripts call that start its processes in the foreground, and Python workers."""

_MACHINES = {"x86_64", "amd64", "aarch64", "arm64"}
_GIB = 1 << 30
_DISK_NEEDED, _DISK_WANTED = _GIB // 2, 3 * _GIB
_MEMORY_WANTED = 4 * _GIB  # a JobManager, two TaskManagers, their Python workers and a Kafka broker
_SECONDS_TO_ANSWER = 60


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        status: `ok`; `warn`, it may get in the way; `fail`, the job cannot run here.
        found: What is there.
        remedy: What to do, or an empty text.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the check as JSON."""
        return asdict(self)


def examine(project: Project) -> list[Check]:
    """Look at everything; no check keeps another from being made."""
    return [check(project) for check in _CHECKS]


def _python(_: Project) -> Check:
    found = f"{platform.python_version()} ({sys.executable})"
    supported = _supported_pythons()
    if not supported or f"{sys.version_info.major}.{sys.version_info.minor}" in supported:
        return Check("Python", "ok", found)
    return Check("Python", "fail", found, f"This PyFlink supports Python {', '.join(supported)}: make the environment with one of them.")


def _supported_pythons() -> list[str]:
    try:
        classifiers = importlib.metadata.metadata("apache-flink").get_all("Classifier") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    matches = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", classifier) for classifier in classifiers)
    return [match[1] for match in matches if match]


def _architecture(_: Project) -> Check:
    found = f"{platform.system()} {platform.machine()}"
    if platform.system() == "Windows":
        return Check("Architecture", "fail", found, "Flink's scripts need Linux or macOS: use WSL 2.")
    if platform.machine().lower() not in _MACHINES:
        return Check("Architecture", "warn", found, "PyFlink's dependencies have no wheels for it: they are built from source.")
    return Check("Architecture", "ok", found)


def _pyflink(project: Project) -> Check:
    try:
        version = importlib.metadata.version("apache-flink")
    except importlib.metadata.PackageNotFoundError:
        return Check("PyFlink", "fail", "not installed", f"Run make setup, or pip install apache-flink=={project.flink}.")
    if project.flink and version != project.flink:
        return Check("PyFlink", "fail", version, f"[tool.jobkit] pins {project.flink}: run make setup, or change the pin.")
    return Check("PyFlink", "ok", version)


def _imports(_: Project) -> Check:
    """Import what a Python worker imports, in a process of its own: a broken wheel may kill it."""
    code = (
        "import apache_beam, google.protobuf, pyflink.fn_execution.flink_fn_execution_pb2, pyflink.fn_execution.beam.beam_operations as _;"
        "print(f'Beam {apache_beam.__version__}, protobuf {google.protobuf.__version__}')"
    )
    answer = _run([sys.executable, "-W", "ignore", "-c", code])
    if answer is not None and answer.returncode == 0:
        return Check("Python worker", "ok", answer.stdout.strip())
    reason = answer.stderr.strip().splitlines() if answer is not None else []
    return Check(
        "Python worker", "fail", reason[-1] if reason else "no answer", "The installed packages do not fit together: run make setup."
    )


def _java(_: Project) -> Check:
    try:
        found = java.find(minimum=17)
    except JobkitError as error:
        return Check("Java", "fail", error.found or error.what, error.remedy or "")
    return Check("Java", "ok", f"{found.version} in {found.home} ({found.origin})")


def _jars(project: Project) -> Check:
    flink = ".".join((project.flink or "").split(".")[:2])
    folder = project.work / "flink" / "lib"
    wrong, absent = [], []
    for artifact, version in (coordinate.split(":")[1:] for coordinate in project.jars):
        made_for = re.search(r"-(\d+\.\d+)$", version)
        if flink and made_for and made_for[1] != flink:
            wrong.append(f"{artifact} {version} is made for Flink {made_for[1]}, not {flink}")
        wrong.extend(f"{other.name} is not the {version} of [tool.jobkit]" for other in _others(folder, artifact, version))
        jar = folder / f"{artifact}-{version}.jar"
        if not jar.exists():
            absent.append(jar.name)
        elif not zipfile.is_zipfile(jar):
            wrong.append(f"{jar.name} is damaged")
    foreign = [jar.name for jar in folder.glob("flink-dist-*.jar") if jar.stem != f"flink-dist-{project.flink}"]
    wrong.extend(f"{name} is not of Flink {project.flink}" for name in foreign)
    if wrong:
        return Check("Jars", "fail", "; ".join(wrong), "Take versions that fit in [tool.jobkit] jars, and delete .jobkit/flink.")
    if absent:
        return Check("Jars", "warn", f"not there yet: {', '.join(absent)}", "jobkit run fetches them, once, from Maven Central.")
    return Check("Jars", "ok", f"{len(project.jars)} in {folder}, made for Flink {flink}")


def _others(folder: Path, artifact: str, version: str) -> list[Path]:
    """Return other versions of an artefact: two on one class path end in NoSuchMethodError."""
    jars = folder.glob(f"{artifact}-*.jar")
    return sorted(jar for jar in jars if jar.name != f"{artifact}-{version}.jar" and re.match(r"\d", jar.name[len(artifact) + 1 :]))


def _docker(_: Project) -> Check:
    if shutil.which("docker") is None:
        return Check("Docker", "ok", "not installed; everything runs as plain processes")
    answer = _run(["docker", "version", "--format", "{{.Server.Version}}"])
    if answer is None or answer.returncode != 0:
        return Check("Docker", "warn", "installed, but its engine does not answer", "Start it, if you want containers; nothing needs them.")
    return Check("Docker", "ok", f"engine {answer.stdout.strip()}")


def _tools(_: Project) -> Check:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        remedy = "Flink's scripts call them. On Debian: apt-get install bash bsdextrautils coreutils findutils grep hostname sed."
        return Check("Shell tools", "fail", f"missing: {', '.join(missing)}", remedy)
    return Check("Shell tools", "ok", f"all {len(_TOOLS)} that Flink's scripts call")


def _host_name(_: Project) -> Check:
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        return Check("Host name", "warn", f"{name} has no address", f"Add a line '127.0.0.1 {name}' to /etc/hosts.")
    return Check("Host name", "ok", f"{name} is {address}")


def _disk(project: Project) -> Check:
    free = shutil.disk_usage(project.root).free
    found = f"{free / _GIB:.1f} GiB free in {project.root}"
    if free < _DISK_WANTED:
        status: Status = "fail" if free < _DISK_NEEDED else "warn"
        return Check("Disk", status, found, f"Jars, logs and checkpoints want {_DISK_WANTED // _GIB} GiB; .jobkit/ can be deleted.")
    return Check("Disk", "ok", found)


def _memory(_: Project) -> Check:
    available = psutil.virtual_memory().available
    found = f"{available / _GIB:.1f} GiB available"
    if available < _MEMORY_WANTED:
        remedy = f"A local run wants {_MEMORY_WANTED // _GIB} GiB: close something, or lower the sizes in conf/local.yaml."
        return Check("Memory", "warn", found, remedy)
    return Check("Memory", "ok", found)


def _kit(project: Project) -> Check:
    version = importlib.metadata.version("flink-jobkit")
    folder = project.root / "kit"
    if not folder.is_dir():
        return Check("Kit", "ok", f"flink-jobkit {version}, installed from elsewhere")
    try:
        changes = manifest.changes(folder)
    except JobkitError as error:
        return Check("Kit", "warn", f"flink-jobkit {version}; {error}", "Take kit/ anew: cruft update.")
    if changes:
        return Check(
            "Kit",
            "warn",
            f"flink-jobkit {version}; {changes}",
            "An update would conflict: move your changes to src/, or restore the files.",
        )
    stale = manifest.differing(folder / "src" / "jobkit", Path(__file__).parent)
    if stale:
        return Check("Kit", "warn", f"flink-jobkit {version}; installed are other files than kit/ has: {stale[0]}", "Run make setup.")
    return Check("Kit", "ok", f"flink-jobkit {version}, as released")


def _run(command: list[str]) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS_TO_ANSWER, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None


_CHECKS: tuple[Callable[[Project], Check], ...] = (
    _python,
    _architecture,
    _pyflink,
    _imports,
    _java,
    _jars,
    _tools,
    _host_name,
    _disk,
    _memory,
    _docker,
    _kit,
)
