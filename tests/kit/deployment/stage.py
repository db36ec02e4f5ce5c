"""A real session cluster, a real broker, and copies of a small project that are deployed to them as their users would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import jobkit
from jobkit.cluster import forwarding, jars, java, snapshots
from jobkit.cluster.broker import Broker
from jobkit.cluster.flink import FlinkCluster
from jobkit.cluster.machine import Machine, free_port
from jobkit.cluster.sample import Record
from jobkit.cluster.topics import Topics
from jobkit.cluster.waiting import until
from jobkit.configuration import load
from jobkit.deployment.ledger import Ledger
from jobkit.deployment.session import SessionCluster
from jobkit.deployment.target import Start
from jobkit.project import find_project
from kafka import TopicPartition

from tests.kit import projects

PROJECT = Path(__file__).parent / "project"
KIT = Path(jobkit.__file__).parent
FUNCTIONS, PIPELINE, BASE = "src/ordinals/functions.py", "src/ordinals/pipeline.py", "conf/base.yaml"
OPEN = "        self._count: ValueState"
"""The first line of the function's `open`."""
SECONDS = 600


@dataclass
class Deployment:
    """A copy of the project, with topics, a ledger and a state folder of its own.

    Attributes:
        root: Its folder.
        stage: What it is deployed to.
        topic: The number that its topics end with.
        sent: All words that were sent.
    """

    root: Path
    stage: Stage
    topic: int
    sent: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """The topic that it reads."""
        return f"words-{self.topic}"

    @property
    def counts(self) -> str:
        """The topic that it writes."""
        return f"counts-{self.topic}"

    @property
    def variables(self) -> dict[str, str]:
        """What the job's settings read, and where jobkit keeps its ledger."""
        return {
            "JOBKIT_ENV": "test",
            "JOB_NAME": f"ordinals-{self.topic}",
            "KAFKA_BOOTSTRAP_SERVERS": self.stage.servers,
            "WORDS_TOPIC": self.words,
            "COUNTS_TOPIC": self.counts,
            "ORDINALS_TOKEN": "s3cret-token",
            "XDG_STATE_HOME": str(self.root.parent / "state"),
        }

    def jobkit(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the project's folder."""
        return projects.jobkit(self.root, *arguments, **{**self.variables, **more})

    def begin(self, *arguments: str, stdout: IO[str] | None = None) -> subprocess.Popen[str]:
        """Start a command, and do not wait."""
        command = [*projects.JOBKIT, *arguments]
        with self.log.open("a") as log:
            return subprocess.Popen(
                command, cwd=self.root, env=projects.environment(**self.variables), stdout=stdout or log, stderr=log, text=True
            )

    def finish(self, command: subprocess.Popen[str]) -> int:
        """Wait until a command has ended, and return its exit code; one that does not is killed."""
        try:
            return command.wait(SECONDS)
        finally:
            if command.poll() is None:
                command.kill()
                command.wait()

    @property
    def log(self) -> Path:
        """What commands say that were begun."""
        return self.root.parent / "command.log"

    def ok(self, *arguments: str, **more: str) -> Any:
        """Run a command that must succeed, with `--json`, and return its document."""
        done = self.jobkit(*arguments, "--json", **more)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def replace(self, name: str, old: str, new: str) -> None:
        """Change a text of one of the project's files, which must be there once."""
        projects.TinyProject(self.root).replace(name, old, new)

    def lock(self, *arguments: str) -> None:
        """Write the project's lock."""
        done = self.jobkit("lock", *arguments)
        assert done.returncode == 0, done.stderr

    def version(self, name: str) -> None:
        """Make another version of the code, which says its name in each record."""
        file = self.root / FUNCTIONS
        lines = file.read_text(encoding="utf-8").splitlines()
        file.write_text("\n".join(f'VERSION = "{name}"' if line.startswith("VERSION") else line for line in lines) + "\n", encoding="utf-8")

    def send(self, words: Sequence[str]) -> None:
        """Send words to the job."""
        self.stage.topics.produce(self.words, [Record(word.encode(), word.encode()) for word in words], 2)
        self.sent += words

    def read(self) -> list[list[str]]:
        """Return what the job has committed: word, number and version of each record."""
        return [record.value.decode().split() for record in self.stage.topics.read(self.counts)]

    def offsets(self, version: str) -> dict[str, list[int]]:
        """Return, for each partition, the offsets of the committed records that a version has written."""
        consumer = self.stage.topics._consumer()
        ends = self.stage.topics.ends(self.counts)
        found: dict[str, list[int]] = {str(number): [] for number in ends}
        partitions = {TopicPartition(self.counts, number): end for number, end in ends.items()}
        consumer.assign(list(partitions))
        consumer.seek_to_beginning(*partitions)
        while any(consumer.position(partition) < end for partition, end in partitions.items()):
            for partition, batch in consumer.poll(timeout_ms=200).items():
                its = [record.offset for record in batch if record.value.decode().split()[2] == version]
                found[str(partition.partition)] += its
        return found

    def expect_all(self) -> list[list[str]]:
        """Wait until the job has committed as many records as were sent, and return them: each word with each number once."""
        found: list[list[str]] = []

        def probe() -> bool | None:
            nonlocal found
            found = self.read()
            return len(found) >= len(self.sent) or None

        until(probe, what=f"{len(self.sent)} records are committed", seconds=SECONDS, interval=0.5)
        assert Counter((word, int(number)) for word, number, _ in found) == numbered(self.sent)
        return found

    def upgrade(self, meanwhile: Sequence[str], *arguments: str) -> tuple[int, Any]:
        """Upgrade, and send words between the stop of the old version and the start of the new one; return exit code and document."""
        document = self.root.parent / "document.json"
        with document.open("w") as out:
            command = self.begin("upgrade", "--json", *arguments, stdout=out)
            with self.ledger() as ledger:

                def stopped() -> bool | None:
                    operation = ledger.unfinished("ordinals/test")
                    return (operation is not None and "stopped" in operation.details) or (command.poll() is not None) or None

                until(stopped, what="the old version is stopped", seconds=SECONDS, interval=0.05)
            self.send(meanwhile)
            code = self.finish(command)
        return code, json.loads(document.read_text() or "{}")

    def taken_back(self, meanwhile: Sequence[str], *arguments: str) -> Any:
        """Upgrade, as `upgrade` does, to a version that gives way to the old one; return what is said of that."""
        code, document = self.upgrade(meanwhile, *arguments)
        assert code == 1, self.log.read_text()
        error = document["error"]
        assert "the old one runs again" in error["what"], f"{error}\n{self.log.read_text()}"
        return error

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """Open the ledger."""
        ledger = Ledger.open(str(self.root.parent / "state" / "jobkit" / "ledger.sqlite"))
        try:
            yield ledger
        finally:
            ledger.close()

    def started_by_flinks_client(self, snapshot: str) -> str:
        """Start the project's code as it is from a snapshot, with `flink run` and without jobkit's commands; return what that says."""
        configuration = load(self.root / "conf", "test").values
        variables = projects.environment(**self.variables)
        folder = self.root.parent / "by-hand"
        start = Start("f" * 32, folder, self.root, "ordinals", configuration, variables, 1, 1, snapshot, leaves_state_behind=False)
        with Path(os.devnull).open() as held:
            client = SessionCluster(self.stage.cluster.rest.url)._submit(start, held.fileno())
        try:
            until(lambda: client.exit_code is not None or None, what="flink run has ended", seconds=SECONDS)
            return client.output()
        finally:
            client.stop()

    def state(self, uid: str) -> str:
        """Return the state of a job, as the cluster knows it."""
        return self.stage.cluster.rest.state(uid)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Put the files back that are changed meanwhile."""
        kept = {name: (self.root / name).read_text() for name in (FUNCTIONS, PIPELINE, BASE, "flink.lock")}
        yield
        for name, text in kept.items():
            (self.root / name).write_text(text)

    def begin_upgrade(self) -> tuple[subprocess.Popen[str], str]:
        """Begin an upgrade, and return its process and the new version's uid as soon as the cluster knows its job."""
        before = {instance["uid"] for instance in self.instances()}
        command = self.begin("upgrade")
        with self.ledger() as ledger:

            def known() -> str | None:
                assert command.poll() is None, f"it ended before: {self.log.read_text()}"
                newest = ledger.instances("ordinals/test")[0].uid
                return newest if newest not in before and newest in self.stage.cluster.rest.jobs() else None

            return command, until(known, what="the new version's job is known", seconds=SECONDS, interval=0.02)

    def running(self) -> list[str]:
        """Return the jobs of this cluster that have this deployment's name and are not over."""
        overview = self.stage.cluster.rest._get("/jobs/overview")["jobs"]
        name = f"ordinals-{self.topic}"
        return [job["jid"] for job in overview if job["name"] == name and job["state"] not in ("FINISHED", "FAILED", "CANCELED")]

    def instances(self) -> list[dict[str, Any]]:
        """Return what the ledger says, the newest first."""
        found: list[dict[str, Any]] = self.ok("instances")["instances"]
        return found


@dataclass
class Stage:
    """The cluster and the broker.

    Attributes:
        folder: Of everything.
        cluster: The session cluster.
        topics: A client of the broker.
        servers: The broker's address.
    """

    folder: Path
    cluster: FlinkCluster
    topics: Topics
    servers: str
    count: int = 0

    def replace_job_manager(self) -> None:
        """Kill the JobManager, and start another one at the same address."""
        before = self.cluster.job_manager
        assert before is not None
        before.kill()
        until(lambda: before.exit_code is not None or None, what="it has ended", seconds=SECONDS)
        self.cluster.replace_job_manager()

    def deployment(self) -> Deployment:
        """Make a copy of the project; nothing is deployed."""
        self.count += 1
        root = Path(
            shutil.copytree(PROJECT, self.folder / f"deployment-{self.count}" / "ordinals", ignore=shutil.ignore_patterns("__pycache__"))
        )
        # As generated projects have it: the kit travels with the job.
        shutil.copytree(KIT, root / "kit" / "src" / "jobkit", ignore=shutil.ignore_patterns("__pycache__"))
        state = snapshots.address(self.folder / f"deployment-{self.count}")
        host, _, port = self.cluster.rest.url.partition("://")[2].partition(":")  # of an application cluster: none yet
        configuration = {
            "jobmanager.memory.process.size": "1g",
            "taskmanager.memory.process.size": "1280m",
            "taskmanager.numberOfTaskSlots": "2",
            # Side by side with other clusters of this machine.
            "jobmanager.rpc.port": str(free_port()),
            "execution.checkpointing.dir": f"{state}/checkpoints",
            "execution.checkpointing.savepoint-dir": f"{state}/savepoints",
            "rest.address": host or "127.0.0.1",
            "rest.port": port or str(free_port()),
        }
        (root / "conf" / "test.yaml").write_text("".join(f"{key}: {value}\n" for key, value in configuration.items()), encoding="utf-8")
        (root / ".jobkit").symlink_to(self.folder / "jobkit")
        deployment = Deployment(root, self, self.count)
        self.topics.create([deployment.words, deployment.counts], 2)
        deployment.lock()
        return deployment


@contextmanager
def stage(folder: Path, *, session: bool = True, more: Mapping[str, str] = MappingProxyType({})) -> Iterator[Stage]:
    """Start a broker and, for sessions, a cluster of one TaskManager with four slots; `more` of Flink's keys are the cluster's."""
    shared = folder / "jobkit"
    shared.mkdir()
    copied = Path(shutil.copytree(PROJECT, folder / "shared"))
    (copied / ".jobkit").symlink_to(shared)
    project = find_project(copied)
    values = {
        "taskmanager.numberOfTaskSlots": "4",
        "taskmanager.memory.process.size": "2g",
        "classloader.parent-first-patterns.additional": "pemja.",
        "execution.checkpointing.num-retained": "3",
        "heartbeat.interval": "1000",
        **more,
    }
    bare = folder / "nothing"
    bare.mkdir()
    broker = Broker(folder, classpath=jars.broker_classpath(project), java=java.find(17))
    cluster = FlinkCluster(folder / "cluster", place=Machine(bare, library=jars.library(project), java=java.find()), configuration=values)
    try:
        if session:
            cluster.start(1)
        topics = Topics(broker.wait())
        try:
            yield Stage(folder, cluster, topics, broker.wait())
        finally:
            topics.close()
    finally:
        cluster.stop()
        broker.stop()
        for data in {*(folder / "cluster").glob("*"), folder / "kafka"} - {folder / "cluster" / "logs"}:
            shutil.rmtree(data, ignore_errors=True)


@contextmanager
def another_address(folder: Path, url: str) -> Iterator[str]:
    """Another address of a JobManager, as a proxy or a load balancer gives it, until the block ends."""
    target = folder / "port"
    target.write_text(url.rpartition(":")[2])
    command = [sys.executable, "-I", "-S", str(forwarding.__file__), "0", str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.kill()


def numbered(words: Iterable[str]) -> Counter[tuple[str, int]]:
    """Return what must come out for words: each with each number up to its count."""
    return Counter((word, number) for word, count in Counter(words).items() for number in range(1, count + 1))
