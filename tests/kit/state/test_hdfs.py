"""`jobkit compat` on a snapshot in HDFS: a NameNode and a DataNode of Hadoop's, on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pytest
from jobkit.cluster import jars, java
from jobkit.cluster.machine import free_port
from jobkit.cluster.waiting import SECONDS_TO_START, until
from jobkit.project import find_project

from tests.kit.projects import TinyProject, jobkit

from .versions import GOLDEN, PROJECT

_HADOOP = "3.4.1"
_JARS = (
    *(f"org.apache.hadoop:hadoop-client-{part}:{_HADOOP}" for part in ("minicluster", "api", "runtime")),
    "org.slf4j:slf4j-simple:1.7.36",
)
_SERVERS = "org.apache.hadoop.hdfs.server"
_SHELL = "org.apache.hadoop.fs.FsShell"
_JOB = "/checkpoints/" + 32 * "a"


@dataclass(frozen=True)
class Hdfs:
    """A file system.

    Attributes:
        url: Its address: that of the NameNode.
        conf: For HADOOP_CONF_DIR.
        classpath: For HADOOP_CLASSPATH.
    """

    url: str
    conf: Path
    classpath: str

    def command(self, main: str, *arguments: str) -> list[str]:
        """Return a command that runs one of Hadoop's programs."""
        return [str(java.find().executable), "-XX:TieredStopAtLevel=1", "-cp", f"{self.conf}{os.pathsep}{self.classpath}", main, *arguments]

    def put(self, file: Path, address: str) -> None:
        """Store a file, and make the folder that it is in."""
        for arguments in (["-mkdir", "-p", address.rpartition("/")[0]], ["-put", str(file), address]):
            subprocess.run(self.command(_SHELL, *arguments), check=True, capture_output=True)


@pytest.fixture(scope="module")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hdfs]:
    """One that ends with the tests."""
    folder = tmp_path_factory.mktemp("hdfs")
    project = find_project(TinyProject(Path(shutil.copytree(PROJECT, folder / "rounds"))).root)
    port = free_port()
    url = f"hdfs://127.0.0.1:{port}"
    _write(folder / "conf" / "core-site.xml", {"fs.defaultFS": url, "hadoop.tmp.dir": str(folder / "data")})
    anywhere = ("namenode.http-address", "datanode.address", "datanode.http.address", "datanode.ipc.address")
    _write(folder / "conf" / "hdfs-site.xml", {"dfs.replication": "1", **{f"dfs.{name}": "127.0.0.1:0" for name in anywhere}})
    found = Hdfs(url, folder / "conf", os.pathsep.join(map(str, jars.fetch(project, _JARS, transitive=True))))
    name_node, data_node = f"{_SERVERS}.namenode.NameNode", f"{_SERVERS}.datanode.DataNode"
    subprocess.run(found.command(name_node, "-format", "-nonInteractive"), check=True, capture_output=True)
    with ExitStack() as stack:
        for main in (name_node, data_node):
            output = stack.enter_context((folder / f"{main.rpartition('.')[2]}.log").open("w"))
            server = stack.enter_context(subprocess.Popen(found.command(main), stdout=output, stderr=output))
            stack.callback(server.kill)
        log, ready = folder / "DataNode.log", "Successfully sent block report"
        until(lambda: ready in log.read_text() or None, what="HDFS has a DataNode", seconds=SECONDS_TO_START, log=log)
        yield found


def _write(file: Path, properties: dict[str, str]) -> None:
    """Write a configuration of Hadoop's."""
    file.parent.mkdir(exist_ok=True)
    entries = "".join(f"<property><name>{name}</name><value>{value}</value></property>" for name, value in properties.items())
    file.write_text(f"<configuration>{entries}</configuration>")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, hdfs: Hdfs) -> TinyProject:
    """The project whose snapshots are kept, with a checkpoint and its lock in HDFS."""
    made = TinyProject(Path(shutil.copytree(PROJECT, tmp_path_factory.mktemp("project") / "rounds")))
    assert jobkit(made.root, "lock", "--env", "local").returncode == 0
    hdfs.put(made.root / "flink.lock", f"{_JOB}/flink-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}.lock")
    hdfs.put(GOLDEN / "2.2" / "checkpoint" / "_metadata", f"{_JOB}/chk-7/_metadata")
    return made


def compat(project: TinyProject, address: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Compare a snapshot with the job."""
    return jobkit(project.root, "compat", address, "--env", "local", *arguments, **more)


@pytest.mark.parametrize("named", [True, False])
def test_a_checkpoint_and_its_lock(project: TinyProject, hdfs: Hdfs, *, named: bool) -> None:
    """Both are read by Hadoop's classes, from the server that the address names, or that Hadoop's configuration does."""
    place = f"{hdfs.url if named else 'hdfs://'}{_JOB}"
    more = {"HADOOP_CLASSPATH": hdfs.classpath} | ({} if named else {"HADOOP_CONF_DIR": str(hdfs.conf)})
    done = compat(project, f"{place}/chk-7", "--json", **more)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["lock"].startswith(f"{hdfs.url}{_JOB}/flink-")
    assert {operator["verdict"] for operator in document["operators"]} == {"restored"}
    assert sum(operator["bytes"] for operator in document["operators"]) > 10_000


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("{url}/checkpoints/chk-8", "There is no such snapshot, or it is not complete."),
        ("hdfs://127.0.0.1:1/checkpoints/chk-8", "The file system does not give the snapshot."),
        ("hdfs:///checkpoints/chk-8", "The address names no server."),
    ],
)
def test_what_is_not_there(project: TinyProject, hdfs: Hdfs, address: str, message: str) -> None:
    """A snapshot, a server, or its name: in one paragraph."""
    _refused(compat(project, address.format(url=hdfs.url), HADOOP_CLASSPATH=hdfs.classpath), message)


def test_hadoop_is_not_there(project: TinyProject, hdfs: Hdfs) -> None:
    """The message says how it gets there."""
    _refused(compat(project, f"{hdfs.url}{_JOB}/chk-7"), "export HADOOP_CLASSPATH=$(hadoop classpath)")


def _refused(done: subprocess.CompletedProcess[str], message: str) -> None:
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
