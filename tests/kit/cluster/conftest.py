"""What the tests of the local cluster share: a small project, a broker and a cluster, each started once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from jobkit import configuration
from jobkit.cluster import jars, java, snapshots
from jobkit.cluster.broker import Broker
from jobkit.cluster.flink import FlinkCluster
from jobkit.cluster.machine import Machine
from jobkit.cluster.topics import Topics
from jobkit.project import Project, find_project


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes that have to do with a folder: in their command line or their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            texts = [*process.cmdline(), *process.environ().values()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE and any(str(folder) in text for text in texts):
            found.append(process)
    return found


def copy_of_tally(folder: Path) -> Project:
    """Make a project of its own out of the small one."""
    ignored = shutil.ignore_patterns("__pycache__", ".jobkit")
    return find_project(Path(shutil.copytree(Path(__file__).parent / "tally", folder, ignore=ignored)))


@pytest.fixture(scope="package")
def tally(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small project; the cluster and broker of these tests work in its folder."""
    return copy_of_tally(tmp_path_factory.mktemp("cluster") / "tally")


@pytest.fixture(scope="package")
def broker_classpath(tally: Project) -> list[Path]:
    """Kafka's jars."""
    return jars.broker_classpath(tally)


@pytest.fixture(scope="package")
def broker(tally: Project, broker_classpath: list[Path]) -> Iterator[Broker]:
    """A Kafka broker."""
    broker = Broker(tally.work / "run", classpath=broker_classpath, java=java.find(17))
    broker.wait()
    yield broker
    broker.stop()


@pytest.fixture(scope="package")
def topics(broker: Broker) -> Iterator[Topics]:
    """A client of the broker, which has the small project's topics."""
    topics = Topics(broker.wait())
    topics.create(["words", "counts"], 2)
    yield topics
    topics.close()


@pytest.fixture(scope="package")
def cluster(tally: Project) -> Iterator[FlinkCluster]:
    """A Flink cluster with two TaskManagers of one slot each."""
    folder = tally.work / "run"
    values = configuration.load(tally.conf, "local").values | {"execution.checkpointing.dir": snapshots.address(folder / "checkpoints")}
    place = Machine(tally.root, library=jars.library(tally), java=java.find())
    cluster = FlinkCluster(folder, place=place, configuration=values)
    try:
        cluster.start(task_managers=2)
        yield cluster
    finally:
        cluster.stop()
