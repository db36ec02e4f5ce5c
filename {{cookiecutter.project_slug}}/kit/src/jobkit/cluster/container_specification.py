"""What a container is made of, and how testcontainers is told."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from docker.types import Mount
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

_HERE = "127.0.0.1"


@dataclass(frozen=True)
class Specification:
    """What a container is made of.

    Attributes:
        image: The image's name or id.
        command: The program and its arguments; they take the place of the image's entry point, too.
        log: The file that its output is added to; it must be in one of the folders.
        environment: Variables, besides those that the image sets.
        user: Who it runs as, `uid:gid`.
        network: The network that it is in.
        aliases: What the network's other containers call it; the first is its host name.
        folders: Folders of this machine, and where it sees them.
        ports: Its ports that this machine reaches, and at which port of 127.0.0.1; None leaves the choice to the kernel.
    """

    image: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    user: str
    network: Network
    aliases: Sequence[str]
    folders: Mapping[Path, str]
    ports: Mapping[int, int | None] = field(default_factory=dict)


def prepare(specification: Specification, labels: Mapping[str, str], title: str) -> DockerContainer:
    """Describe a container whose output goes straight into its log, where it stays when the container is gone.

    The image's entry point is passed over: Flink's would turn root into another user, who may not write into the folders.
    """
    container = DockerContainer(specification.image)
    container.image = specification.image  # as it is: a mirror's prefix is there already
    container.with_name(title).with_network(specification.network).with_network_aliases(*specification.aliases)
    container.with_envs(**specification.environment)
    container.with_command(["-c", f'exec "$0" "$@" >>{shlex.quote(str(specification.log))} 2>&1', *specification.command])
    # An address and a port, which testcontainers passes on as they are.
    container.ports = cast("dict[str, int | None]", {f"{port}/tcp": (_HERE, chosen) for port, chosen in specification.ports.items()})
    return container.with_kwargs(
        entrypoint=["/bin/sh"],
        user=specification.user,
        hostname=specification.aliases[0],
        labels=dict(labels),
        mounts=[Mount(target, str(source), type="bind") for source, target in specification.folders.items()],
    )


@contextmanager
def without_ryuk() -> Iterator[None]:
    """Keep testcontainers from starting Ryuk, its container that cleans up; only here, for a test may use it for others.

    It is one more image to have, it is privileged, and it takes a connection that breaks for the end of the session. A
    session's own watchdog needs none of that.
    """
    before = testcontainers_config.ryuk_disabled
    testcontainers_config.ryuk_disabled = True
    try:
        yield
    finally:
        testcontainers_config.ryuk_disabled = before
