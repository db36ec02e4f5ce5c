"""What the kit's tests share: one JVM for a session, and environments with a configuration of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def flink_lib(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Flink's own jars and the Kafka connector, as a project's `.jobkit/flink/lib`."""
    if "JOBKIT_TEST_LIB" in os.environ:
        return Path(os.environ["JOBKIT_TEST_LIB"])
    raise NotImplementedError


@pytest.fixture(scope="session")
def jvm(flink_lib: Path) -> Iterator[None]:
    """PyFlink's gateway, started once, with the connector on its class path and no trace in the environment after."""
    import pyflink

    os.environ["FLINK_HOME"] = str(Path(pyflink.__file__).parent)
    os.environ["FLINK_LIB_DIR"] = str(flink_lib)
    from pyflink.java_gateway import get_gateway

    get_gateway()
    yield
