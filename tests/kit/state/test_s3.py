"""`jobkit compat` on a snapshot in S3, through Flink's own plug-in; the server is moto's, on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
import requests
from jobkit.cluster.waiting import until

from tests.kit.projects import TinyProject, jobkit

from .versions import GOLDEN, PROJECT

_SERVER = """
import sys, threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
_SECONDS = 180


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a bucket, which ends with the tests."""
    python = tmp_path_factory.mktemp("moto") / "bin" / "python"
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--no-config", "--python", sys.executable, str(python.parents[1])], check=True)
    wanted = ["moto[s3]", "flask", "flask-cors"]
    subprocess.run([uv, "pip", "install", "--quiet", "--no-config", "--python", str(python), *wanted], check=True)
    with subprocess.Popen([str(python), "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        until(lambda: requests.put(f"{url}/bucket", timeout=5).ok or None, what="the server has a bucket", seconds=_SECONDS)
        yield url
        process.communicate(timeout=_SECONDS)  # the end of its input ends it


@pytest.fixture
def project(tmp_path: Path, s3: str) -> TinyProject:
    """The project whose snapshots are kept; its configuration says where S3 is."""
    made = TinyProject(Path(shutil.copytree(PROJECT, tmp_path / "rounds", ignore=shutil.ignore_patterns("__pycache__"))))
    made.write("conf/local.yaml", f"s3.endpoint: {s3}\ns3.path.style.access: true\ns3.access-key: a\ns3.secret-key: b\n")
    return made


def put(s3: str, key: str, file: Path) -> None:
    """Store a file in the bucket."""
    requests.put(f"{s3}/bucket/{key}", data=file.read_bytes(), timeout=5).raise_for_status()


def test_a_checkpoint_and_its_lock(project: TinyProject, s3: str) -> None:
    """Both are read by Flink's plug-in, which is fetched for it: the state's types are compared."""
    job = "checkpoints/" + 32 * "a"
    assert jobkit(project.root, "lock", "--env", "local").returncode == 0
    name = f"flink-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}.lock"
    put(s3, f"{job}/{name}", project.root / "flink.lock")
    put(s3, f"{job}/chk-7/_metadata", GOLDEN / "2.2" / "checkpoint" / "_metadata")
    done = jobkit(project.root, "compat", f"s3://bucket/{job}/chk-7", "--env", "local", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["lock"] == f"s3://bucket/{job}/{name}"
    assert {operator["verdict"] for operator in document["operators"]} == {"restored"}
    assert sum(operator["bytes"] for operator in document["operators"]) > 10_000


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://bucket/checkpoints/chk-8", "There is no such snapshot, or it is not complete."),
        ("s3://other/checkpoints/chk-7", "does not give the snapshot"),
    ],
)
def test_what_is_not_there(project: TinyProject, address: str, message: str) -> None:
    """A snapshot, or a whole bucket: in one paragraph."""
    done = jobkit(project.root, "compat", address, "--env", "local")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
