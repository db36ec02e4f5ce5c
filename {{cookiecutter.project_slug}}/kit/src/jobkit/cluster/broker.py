"""A Kafka broker of one node, as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..errors import ClusterError
from . import jvm
from .java import Java
from .processes import Process, stop_all
from .waiting import SECONDS_TO_START, until

PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
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
    # A broker that was killed is taken back sooner than after 9 s, when its old session ends. On a busy machine 2 s were too few to
    # stay in touch with the controller, in the same process.
    "broker.session.timeout.ms": "5000",
    "broker.heartbeat.interval.ms": "500",
}
"""What every broker of one node is configured with, wherever it runs."""

_OWN_PROPERTIES = {
    **PROPERTIES,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,JOB:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.quorum.bootstrap.servers": "127.0.0.1:0",
}

_FORWARDING = Path(__file__).with_name("forwarding.py")
_ACCEPTOR = re.compile(
    r"Awaiting socket connections on 127\.0\.0\.1:(\d+)\.[^\0]*?"
    r"Created data-plane acceptor and processors for endpoint : ListenerName\((\w+)\)"
)

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

    The job may get an address of its own, which leads to the broker until `disconnect`.

    Attributes:
        data: The folder of its data.
        process: The broker's process.
    """

    def __init__(self, folder: Path, *, classpath: Sequence[Path], java: Java, held: Iterable[int] = (), job_apart: bool = False) -> None:
        """Start a broker, with the data that is there or without any.

        Args:
            folder: For its data and configuration (in `kafka`), its log (in `logs`) and temporary files (in `tmp`).
            classpath: The jars of `jars.broker_classpath`.
            java: The Java to run it, 17 at least for Kafka 4.
            held: See `Process`.
            job_apart: Give the job an address that can be cut off.
        """
        self._own = folder / "kafka"
        self.data = self._own / "data"
        self._log = folder / "logs" / "kafka.log"
        self._held = tuple(held)
        self._java = [str(java.executable), "-cp", ":".join(map(str, classpath))]
        self._environment = jvm.environment(java, folder / "tmp")
        self._properties = self._own / "server.properties"
        self._logging = self._own / "log4j2.properties"
        self._own.mkdir(parents=True, exist_ok=True)
        self._logging.write_text(_LOGGING)
        # Port 0: the kernel picks one that is free, so that two runs on one machine never clash. Later starts keep it.
        self._ports = {"CONTROLLER": 0, "PLAINTEXT": 0, **({"JOB": 0} if job_apart else {})}
        self._forwarder: Process | None = None
        self._job_port = 0
        if job_apart:
            self.connect()
        self._write()
        if not is_formatted(self.data):
            self._format()
        self.process = self._start()

    @property
    def member(self) -> Process:
        """The broker's process."""
        return self.process

    @property
    def servers(self) -> str:
        """The address for this machine, once it was waited for."""
        return f"127.0.0.1:{self._ports['PLAINTEXT']}"

    @property
    def job_servers(self) -> str:
        """The address for the job."""
        return f"127.0.0.1:{self._job_port}" if self._job_port else self.servers

    def wait(self) -> str:
        """Wait until it serves clients, and return its address.

        Raises:
            ClusterError: When it stops or does not come up.
        """
        self._ports = until(self._listening, what="the Kafka broker serves clients", seconds=SECONDS_TO_START, log=self.process.log)
        self._target.write_text(str(self._ports.get("JOB", 0)))
        return self.servers

    def restart(self) -> None:
        """Kill it, and start it again at the same addresses, with the data that it has written.

        Raises:
            ClusterError: When it does not come up again: another process may have taken its port.
        """
        self.process.kill()
        self._write()
        self.process = self._start()
        self.wait()

    def disconnect(self) -> None:
        """Cut the job off: its connections break, new ones are refused. For this machine all stays as it is."""
        if self._forwarder is None:
            raise ClusterError("The job has no address of its own that could be cut off.")
        self._forwarder.kill()

    def connect(self) -> None:
        """Let the job reach the broker again, at the same address."""
        command = [sys.executable, "-I", "-S", str(_FORWARDING), str(self._job_port), str(self._target)]
        log = self._log.with_name("forwarding.log")
        forwarder = Process("the way to the broker", command, log=log, environment=os.environ, held=self._held)

        def port() -> int | None:
            forwarder.require_running()
            line = forwarder.output().partition("\n")
            return int(line[0]) if line[1] else None

        self._forwarder = forwarder
        self._job_port = until(port, what="the way to the broker is open", seconds=SECONDS_TO_START, log=log)

    def stop(self) -> None:
        """Shut it down; its data stays."""
        stop_all([self.process, *([self._forwarder] if self._forwarder else [])])

    @property
    def _target(self) -> Path:
        return self._own / "job-port"

    def _start(self) -> Process:
        options = ["-Xmx512m", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={self._logging.as_uri()}"]
        command = [*self._java, *options, "kafka.Kafka", str(self._properties)]
        return Process("the Kafka broker", command, log=self._log, environment=self._environment, held=self._held)

    def _write(self) -> None:
        advertised = {name: self._job_port if name == "JOB" else port for name, port in self._ports.items() if name != "CONTROLLER"}
        properties = {
            **_OWN_PROPERTIES,
            "listeners": _addresses(self._ports),
            "advertised.listeners": _addresses(advertised),
            "log.dirs": str(self.data),
        }
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))

    def _listening(self) -> dict[str, int] | None:
        self.process.require_running()
        output = self.process.output()
        if "Kafka Server started" not in output:
            return None
        if all(self._ports.values()):
            return self._ports
        ports = {name: int(port) for port, name in _ACCEPTOR.findall(output)}
        if set(ports) != set(self._ports):
            raise ClusterError("The Kafka broker does not say which ports it listens on.", found=str(ports), where=str(self.process.log))
        return ports

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


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
