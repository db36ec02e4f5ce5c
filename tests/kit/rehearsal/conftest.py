"""What the tests of rehearsals share: a production with a broker and a cluster, what its job has left, and rehearsals as processes."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jobkit import configuration
from jobkit.cluster import jars, java, snapshots
from jobkit.cluster.broker import Broker
from jobkit.cluster.flink import FlinkCluster
from jobkit.cluster.machine import Machine
from jobkit.cluster.sample import Record
from jobkit.cluster.topics import Topics
from jobkit.cluster.waiting import until
from jobkit.project import Project

from tests.kit.cluster.conftest import copy_of_tally
from tests.kit.projects import JOBKIT, environment

SECONDS = 600
HIDDEN = 'os.environ["PRODUCTION_KAFKA"]'
"""The servers come from a variable that the kit does not know: only the graph can be redirected."""


def words(first: int, last: int) -> list[Record]:
    """Return the words of some numbers, as the sample has them."""
    return [Record(word, word) for word in (f"word{number * number % 37}".encode() for number in range(first, last))]


def version(folder: Path, *edits: tuple[str, str]) -> Project:
    """Make a version of the small project, whose job finds production's Kafka where nobody else looks."""
    return change(
        copy_of_tally(folder),
        ("import sys\n", "import os\nimport sys\n"),
        ('environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")', HIDDEN),
        *edits,
    )


def change(project: Project, *edits: tuple[str, str]) -> Project:
    """Make another version of a project's job."""
    file = project.root / "src" / "tally" / "pipeline.py"
    text = file.read_text(encoding="utf-8")
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return project


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file in a folder, and when it was written."""
    return {
        str(file.relative_to(folder)): f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file.stat().st_mtime_ns}"
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@dataclass(frozen=True)
class Production:
    """What runs, and what a job of it has left.

    Attributes:
        root: The folder of all of it.
        broker: Its Kafka, which is up.
        topics: A client of that.
        savepoint: A canonical one, of the running job.
        checkpoint: The retained, incremental one that the cancelled job has left.
        counts: How often the job had seen each word at the checkpoint.
    """

    root: Path
    broker: Broker
    topics: Topics
    savepoint: Path
    checkpoint: Path
    counts: Counter[str]

    def offsets(self) -> tuple[Any, ...]:
        """Return what would tell that somebody has written, or committed."""
        return self.topics.ends("counts", committed=False), self.topics.committed_offsets("tally", "words"), self.topics.names()


@pytest.fixture(scope="package")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """A production whose job has numbered 1,000 words and is cancelled; 100 more words are waiting."""
    project = version(tmp_path_factory.mktemp("production") / "tally")
    folder, held = project.work / "run", [*words(0, 500), *words(500, 1000)]
    broker = Broker(folder, classpath=jars.broker_classpath(project), java=java.find(17))
    place = Machine(project.root, library=jars.library(project), java=java.find())
    values = configuration.load(project.conf, "local").values | {"execution.checkpointing.dir": snapshots.address(folder / "checkpoints")}
    cluster = FlinkCluster(folder, place=place, configuration=values)
    topics: Topics | None = None
    try:
        cluster.start_job_manager()
        topics = Topics(broker.wait())
        topics.create(["words", "counts"], 2)
        topics.produce("words", held[:500], 2)
        cluster.wait_for_job_manager()
        for _ in range(2):
            cluster.start_task_manager()
        cluster.wait_for_task_managers()
        cluster.submit(["-p", "2", "-pym", "tally"], {"PRODUCTION_KAFKA": broker.servers})
        job = until(lambda: next(iter(cluster.rest.jobs()), None), what="the job is there", seconds=SECONDS)
        numbered(topics, 500)
        topics.produce("words", held[500:], 2)
        numbered(topics, 1000)
        savepoint = cluster.rest.savepoint(job, folder / "savepoints")
        cluster.rest.cancel(job)
        cluster.stop()
        checkpoint = snapshots.newest(folder / "checkpoints" / job)
        assert checkpoint is not None
        topics.produce("words", words(0, 100), 2)
        yield Production(folder, broker, topics, savepoint, checkpoint, Counter(record.value.decode() for record in held))
    finally:
        cluster.stop()
        if topics is not None:
            topics.close()
        broker.stop()


def numbered(topics: Topics, count: int) -> None:
    """Wait until the job has numbered so many words, and says so."""

    def probe() -> bool | None:
        return topics.committed("tally", "words") >= count or None

    until(probe, what=f"{count} words are numbered", seconds=SECONDS)


@dataclass
class Run:
    """A rehearsal that was started.

    Attributes:
        project: Whose it is.
    """

    project: Project
    _process: subprocess.Popen[str]
    _notes: Path

    def notes(self, wait_for: str = "") -> str:
        """Return what it has written to stderr, once a text is in it."""
        return until(lambda: text if wait_for in (text := self._notes.read_text()) else None, what=f"{wait_for} appears", seconds=SECONDS)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def finish(self) -> tuple[int, str]:
        """Wait until it is over; return its exit code and stdout."""
        stdout, _ = self._process.communicate(timeout=SECONDS)
        return self._process.returncode, stdout

    def document(self) -> tuple[int, dict[str, Any]]:
        """Wait until it is over; return its exit code and its document."""
        code, stdout = self.finish()
        assert stdout, self.notes()
        return code, json.loads(stdout)

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def start(project: Project, production: Production, snapshot: Path, *options: str) -> Run:
    """Start a rehearsal of a project's job."""
    notes = project.root.parent / f"{project.root.name}.stderr"
    command = [*JOBKIT, "rehearse", "--from", str(snapshot), "--env", "local", *options]
    variables = environment(PRODUCTION_KAFKA=production.broker.servers, JOBKIT_ENV="local")
    with notes.open("w") as log:
        process = subprocess.Popen(
            command, cwd=project.root, env=variables, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    return Run(project, process, notes)


def remains(project: Project) -> set[str]:
    """Return what a rehearsal has left in its folder."""
    folder = project.work / "rehearsal"
    return {entry.name for entry in folder.iterdir()} if folder.exists() else set()
