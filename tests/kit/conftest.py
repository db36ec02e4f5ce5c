"""What the kit's tests share: the jars, and one JVM for the session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobkit.cluster import distribution, jars, java
from jobkit.project import Project

from .projects import VERSIONS

_SECONDS_TO_STOP = 120


@pytest.fixture(scope="session")
def flink_lib(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Flink's own jars and the Kafka connector, as a project's `.jobkit/flink/lib`."""
    project = Project(root=tmp_path_factory.mktemp("library"), jars=tuple(VERSIONS["2.2"]["jars"]))
    return jars.library(project)


@pytest.fixture(scope="session")
def jvm(flink_lib: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """PyFlink's gateway, started once, with the connector on its class path and no trace in the environment after."""
    from pyflink import java_gateway

    folder = tmp_path_factory.mktemp("flink")
    (folder / "config.yaml").write_text(json.dumps({"env.java.opts.all": distribution.java_options()}), encoding="utf-8")
    started: list[subprocess.Popen[bytes]] = []
    launch = java_gateway.launch_gateway_server_process

    def remember(*args: Any) -> subprocess.Popen[bytes]:
        started.append(launch(*args))
        return started[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(java_gateway, "launch_gateway_server_process", remember)
        for name in ("PYFLINK_GATEWAY_PORT", "PYFLINK_PYTHON", "HADOOP_CONF_DIR", "HADOOP_CLASSPATH"):
            patch.delenv(name, raising=False)
        patch.setenv("JAVA_HOME", str(java.find().home))
        patch.setenv("FLINK_HOME", str(distribution.home()))
        patch.setenv("FLINK_LIB_DIR", str(flink_lib))
        patch.setenv("FLINK_CONF_DIR", str(folder))
        patch.setenv("FLINK_LOG_DIR", str(folder))
        patch.setenv("LOG4J_PROPERTIES", str(distribution.home() / "conf" / "log4j-cli.properties"))
        # Workers that the JVM starts are called `python`.
        patch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        gateway = java_gateway.get_gateway()
    yield
    gateway.shutdown()
    for process in started:
        process.communicate(timeout=_SECONDS_TO_STOP)  # the end of its input ends the JVM
