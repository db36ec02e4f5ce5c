"""A Kafka broker of one node, as a process."""

from __future__ import annotations

import re
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import ClusterError
from . import jvm
from .java import Java
from .processes import Process
from .waiting import until

_SECONDS_TO_START = 60

_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    # Port 0: the kernel picks one that is free, so that two runs on one machine never clash.
    "listeners": "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.bootstrap.servers": "127.0.0.1:0",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "auto.create.topics.enable": "false",
    # A local run is resumed days later, too: what the job was fed must still be there.
    "log.retention.ms": "-1",
    "offsets.retention.minutes": "525600",
    # A broker that was killed is taken back at once, not when its old session ends after 9 s.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
}

_LOGGING = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %c - %m%n
"""


class Broker:
    """A Kafka broker in KRaft mode; its data outlives it.

    Attributes:
        data: The folder of its data.
        process: The broker's process.
    """

    def __init__(self, folder: Path, *, classpath: Sequence[Path], java: Java, held: Iterable[int] = ()) -> None:
        """Start a broker, with the data that is there or without any.

        Args:
            folder: For its data and configuration (in `kafka`), its log (in `logs`) and temporary files (in `tmp`).
            classpath: The jars of `jars.broker_classpath`.
            java: The Java to run it, 17 at least for Kafka 4.
            held: See `Process`.
        """
        own = folder / "kafka"
        self.data = own / "data"
        self._java = [str(java.executable), "-cp", ":".join(map(str, classpath))]
        self._environment = jvm.environment(java, folder / "tmp")
        self._properties = own / "server.properties"
        logging = own / "log4j2.properties"
        own.mkdir(parents=True, exist_ok=True)
        logging.write_text(_LOGGING)
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in {**_PROPERTIES, "log.dirs": str(self.data)}.items()))
        if not is_formatted(self.data):
            self._format()
        options = ["-Xmx512m", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={logging.as_uri()}"]
        self.process = Process(
            "the Kafka broker",
            [*self._java, *options, "kafka.Kafka", str(self._properties)],
            log=folder / "logs" / "kafka.log",
            environment=self._environment,
            held=held,
        )

    def wait(self) -> str:
        """Wait until it serves clients, and return its address.

        Raises:
            ClusterError: When it stops or does not come up.
        """
        return until(self._address, what="the Kafka broker serves clients", seconds=_SECONDS_TO_START, log=self.process.log)

    def stop(self) -> None:
        """Shut it down; its data stays."""
        self.process.stop()

    def _address(self) -> str | None:
        self.process.require_running()
        output = self.process.output()
        if "Kafka Server started" not in output:
            return None
        before, found, _ = output.partition("listenerType=BROKER, nodeId=1] Created data-plane acceptor")
        ports = re.findall(r"Awaiting socket connections on 127\.0\.0\.1:(\d+)", before)
        if not found or not ports:
            raise ClusterError("The Kafka broker does not say which port it listens on.", where=str(self.process.log))
        return f"127.0.0.1:{ports[-1]}"

    def _format(self) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ["-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}"]
        command = [*self._java, *tool, "--config", str(self._properties)]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            last = (done.stdout + done.stderr).strip().splitlines()[-1:]
            raise ClusterError("Kafka cannot format its data folder.", found="".join(last), where=str(self.data))


def is_formatted(data: Path) -> bool:
    """Say whether a folder holds the data of a broker."""
    return (data / "meta.properties").is_file()
