"""A Kafka broker of one node, in a container."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ClusterError
from .broker import PROPERTIES
from .container import Container
from .container_place import java_environment
from .container_session import ContainerSession
from .container_specification import Specification
from .engine import EngineErrors
from .machine import free_port
from .waiting import SECONDS_TO_START, until

_ATTEMPTS = 5
_JOB_PORT = 19092
_CONFIG = "/opt/kafka/config"
_COMMAND = "/etc/kafka/docker/run"

_PROPERTIES = {
    **PROPERTIES,
    "controller.quorum.voters": "1@127.0.0.1:9093",
    "inter.broker.listener.name": "SELF",
    "listener.security.protocol.map": "HOST:PLAINTEXT,JOB:PLAINTEXT,SELF:PLAINTEXT,CONTROLLER:PLAINTEXT",
}


class ContainerBroker:
    """A Kafka broker in KRaft mode, which this machine and a job's network reach each in its own way.

    It has three listeners: HOST, at a port that this machine and the container number alike; JOB, in the job's network; and SELF,
    for what it tells itself even when the job's network is cut off.

    Attributes:
        servers: Its address for this machine.
        job_servers: Its address for the job.
        data: The folder of its data.
        member: Its container.
    """

    def __init__(self, folder: Path, *, image: str, session: ContainerSession) -> None:
        """Start a broker.

        Args:
            folder: For its data and configuration (in `kafka`), its log (in `logs`) and temporary files (in `tmp`).
            image: `apache/kafka`, by name or id.
            session: What the container belongs to.
        """
        self._folder = folder
        self._session = session
        self._is_connected = False
        self._alias = f"kafka-{session.number()}"
        self.job_servers = f"{self._alias}:{_JOB_PORT}"
        self.data = folder / "kafka" / "data"
        self._config = folder / "kafka" / "config"
        for needed in (self.data, self._config, folder / "logs", folder / "tmp"):
            needed.mkdir(parents=True, exist_ok=True)
        # Sorts before the job's: the ports that this machine uses stay with it when the job's network goes.
        self._own_network = session.network("a-broker")
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.member, self.servers = self._start(image, cluster)
        self.connect()

    def wait(self) -> str:
        """Wait until it serves clients, and return its address for this machine.

        Raises:
            ClusterError: When it stops or does not come up.
        """
        until(self._is_serving, what="the Kafka broker serves clients", seconds=SECONDS_TO_START, log=self.member.log)
        return self.servers

    def kill(self) -> None:
        """End it as a crash would; `restart` brings it back."""
        self.member.kill()

    def restart(self) -> None:
        """Kill it, start it again with the same addresses and data, and wait until it serves clients."""
        self.member.kill()
        self.member.restart()
        self.wait()

    def disconnect(self) -> None:
        """Cut it off from the job, whose packets then get no answer; this machine reaches it all the same."""
        if self._is_connected:
            self._call(lambda network: network.disconnect(self.member.id))
            self._is_connected = False

    def connect(self) -> None:
        """Let the job reach it again."""
        if not self._is_connected:
            self._call(lambda network: network.connect(self.member.id, aliases=[self._alias]))
            self._is_connected = True

    def stop(self) -> None:
        """Shut it down; its data stays."""
        self.member.stop()

    def _start(self, image: str, cluster: str) -> tuple[Container, str]:
        """Start the container at a port that is free; try again when somebody else takes it first."""
        problem: ClusterError | None = None
        for _ in range(_ATTEMPTS):
            port = free_port()
            try:
                return self._session.start("the Kafka broker", self._specification(image, cluster, port)), f"127.0.0.1:{port}"
            except ClusterError as error:
                if "port is already allocated" not in str(error) and "address already in use" not in str(error):
                    raise
                problem = error
        raise problem or ClusterError("The Kafka broker finds no free port.")

    def _specification(self, image: str, cluster: str, port: int) -> Specification:
        properties = {
            **_PROPERTIES,
            "listeners": f"HOST://0.0.0.0:{port},JOB://0.0.0.0:{_JOB_PORT},SELF://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093",
            "advertised.listeners": f"HOST://127.0.0.1:{port},JOB://{self.job_servers},SELF://127.0.0.1:9094",
            "log.dirs": str(self.data),
        }
        return Specification(
            image=image,
            command=[_COMMAND],
            log=self._folder / "logs" / "kafka.log",
            environment={
                **java_environment(self._folder / "tmp"),
                **{f"KAFKA_{key.upper().replace('.', '_')}": value for key, value in properties.items()},
                "KAFKA_HEAP_OPTS": "-Xmx512m",
                "CLUSTER_ID": cluster,
                "LOG_DIR": str(self._folder / "logs"),
            },
            user=self._session.engine.user,
            network=self._own_network,
            aliases=[self._alias],
            # The image's scripts write their configuration where only the image's own user may.
            folders={self._folder: str(self._folder), self._config: _CONFIG},
            ports={port: port},
        )

    def _is_serving(self) -> bool | None:
        self.member.require_running()
        return "Kafka Server started" in self.member.output() or None

    def _call(self, action: Callable[[Any], object]) -> None:
        try:
            action(self._session.engine.client.networks.get(self._session.job_network.id))
        except EngineErrors as error:
            raise ClusterError("The network of the Kafka broker cannot be changed.", found=str(error)) from error
