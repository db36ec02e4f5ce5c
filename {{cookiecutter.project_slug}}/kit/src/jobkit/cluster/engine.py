"""The Docker engine of this machine: whether it answers, the images that it has, and the job's own image."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
from collections import deque
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, urlsplit

from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.docker_client import DockerClient, get_docker_host

from ..errors import ConfigurationError

BUILD_OPTIONS = "JOBKIT_DOCKER_BUILD_OPTIONS"
"""The variable with more options for `docker build`, such as `--network host`."""

EngineErrors = (DockerException, RequestException)
"""What calls to the engine raise."""

_DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
_SECONDS_TO_ANSWER = 20
_SECONDS_FOR_CALLS = 120
_HERE = ("localhost", "127.0.0.1", "::1")
_BUILDKIT_BY_DEFAULT = 23


def absence() -> str | None:
    """Say why there is no engine to use, or return None when there is one. It takes no time, unless an engine hangs."""
    address = get_docker_host() or _DEFAULT_ADDRESS
    parts = urlsplit(address)
    if parts.scheme not in ("unix", "npipe") and parts.hostname not in _HERE:
        return f"the engine at {address} is another machine's, where containers cannot see the folders of this one"
    try:
        _connect(parts)
        client = DockerClient(timeout=_SECONDS_TO_ANSWER).client
    except FileNotFoundError:
        return f"there is nothing at {address}"
    except ConnectionRefusedError:
        return f"nobody answers at {address}"
    except PermissionError:
        return f"this user may not use {address}"
    except (OSError, *EngineErrors) as error:
        return f"{address}: {_reason(error)}"
    client.close()
    return None


def require() -> Engine:
    """Return the engine.

    Raises:
        ConfigurationError: When there is none.
    """
    reason = absence()
    if reason is not None:
        raise ConfigurationError(
            "No Docker engine can be used.",
            found=reason,
            remedy="Start Docker, or run the cluster as processes of this machine: --flink-backend=process.",
        )
    return Engine()


class Engine:
    """The engine, which answers.

    Attributes:
        client: docker-py's client of it.
    """

    def __init__(self) -> None:
        """Connect to it; see `require`."""
        self.client: Any = DockerClient(timeout=_SECONDS_FOR_CALLS).client

    @cached_property
    def user(self) -> str:
        """Who containers run as, so that their files are this user's: `uid:gid`.

        In rootless Docker the root of a container is this user, and other users are nobody on this machine.
        """
        options = self.client.info().get("SecurityOptions") or []
        rootless = any("name=rootless" in option for option in options)
        return "0:0" if rootless else f"{os.getuid()}:{os.getgid()}"

    def image(self, name: str, *, option: str, variable: str) -> str:
        """Make sure that an image is here, and return its full name, which a Dockerfile's FROM takes, too: BuildKit knows no ids.

        Args:
            name: Its name and tag, or its id. TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX stands for a mirror, as in testcontainers.
            option: The option that names another, for the message.
            variable: The environment variable that does.

        Raises:
            ConfigurationError: When it is not here and cannot be pulled.
        """
        full = name if name.startswith("sha256:") else testcontainers_config.hub_image_name_prefix + name
        try:
            try:
                self.client.images.get(full)
            except ImageNotFound:
                self.client.images.pull(full)
        except EngineErrors as error:
            raise ConfigurationError(
                f"The image {full} is not on this machine and cannot be pulled.",
                found=_reason(error),
                remedy=f"Pull or load it, or name another with {option} or {variable}.",
            ) from error
        return full

    def variables(self, image: str) -> dict[str, str]:
        """Return the environment variables that an image sets."""
        entries = self.client.images.get(image).attrs["Config"].get("Env") or []
        return dict(entry.split("=", 1) for entry in entries)

    def build(
        self,
        root: Path,
        *,
        tag: str,
        log: Path,
        arguments: Mapping[str, str] = MappingProxyType({}),
        environ: Mapping[str, str] = os.environ,
    ) -> str:
        """Build the image of a folder's Dockerfile, and return its id.

        Args:
            root: The folder.
            tag: What the image is called.
            log: Takes what `docker build` prints.
            arguments: Values for the Dockerfile's ARGs.
            environ: The variables for `docker build`; see BUILD_OPTIONS.

        Raises:
            ConfigurationError: When there is no `docker` command, or the build fails.
        """
        program = shutil.which("docker", path=environ.get("PATH"))
        if program is None:
            raise ConfigurationError(
                "The job's image cannot be built.",
                found="no docker command",
                where="PATH",
                remedy="Install Docker's command line, or name an image that is built with --job-image or JOBKIT_JOB_IMAGE.",
            )
        own = log.with_suffix(".id")
        log.parent.mkdir(parents=True, exist_ok=True)
        options = [f"--build-arg={name}={value}" for name, value in arguments.items()] + shlex.split(environ.get(BUILD_OPTIONS, ""))
        command = [program, "build", "--force-rm", f"--tag={tag}", f"--iidfile={own}", *options, str(root)]
        with log.open("wb") as output:
            done = subprocess.run(  # noqa: S603
                command,
                env=_with_buildkit(program, environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode != 0:
            with log.open(encoding="utf-8", errors="replace") as file:
                last = "".join(deque(file, maxlen=20)).strip()
            raise ConfigurationError(
                f"The job's image cannot be built: docker build exited with {done.returncode}.",
                found=f"\n{last}\n",
                where=str(log),
                remedy=f"Mend the Dockerfile, or give docker build more options in {BUILD_OPTIONS}, such as --network host.",
            )
        return own.read_text(encoding="utf-8").strip()


def _with_buildkit(program: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a build with BuildKit, which clients before 23 have but do not use by themselves."""
    asked = subprocess.run(  # noqa: S603
        [program, "version", "--format", "{{.Client.Version}}"], env=dict(environ), capture_output=True, text=True, check=False
    )
    major = re.match(r"\d+", asked.stdout)
    old = major is not None and int(major.group()) < _BUILDKIT_BY_DEFAULT
    return {"DOCKER_BUILDKIT": "1", **environ} if old else dict(environ)


def _connect(parts: SplitResult) -> None:
    """Connect to the engine's address once. docker-py, where it cannot, leaves a socket open, and its message hides the reason."""
    if parts.scheme == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_SECONDS_TO_ANSWER)
            probe.connect(parts.path)
    elif parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), timeout=_SECONDS_TO_ANSWER).close()


def _reason(error: Exception) -> str:
    """Return what an error of the engine's client says, in one line."""
    text = str(getattr(error, "explanation", None) or error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
