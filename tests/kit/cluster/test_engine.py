"""Without an engine, or an image, the error says what to do; the job's image is built from the project's Dockerfile."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from jobkit.cluster import engine
from jobkit.errors import ConfigurationError
from testcontainers.core.config import testcontainers_config

from tests.engine import VERSIONS, require

FLINK = VERSIONS["2.2"]["image"]
DOCKERFILE = """\
ARG FLINK_IMAGE=nowhere.example.org/flink:none
FROM ${FLINK_IMAGE}
ARG WORD=none
LABEL word=${WORD}
COPY here /there
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder to build."""
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "here").write_text("hello")
    (tmp_path / "context" / "Dockerfile").write_text(DOCKERFILE)
    return tmp_path / "context"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("unix://{folder}/nothing", "there is nothing at unix://"),
        ("unix://{folder}/nobody", "nobody answers at unix://"),
        ("tcp://127.0.0.1:{port}", "nobody answers at tcp://"),
        ("tcp://192.0.2.1:2375", "the engine at tcp://192.0.2.1:2375 is another machine's"),
    ],
)
def test_no_engine(address: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason differs, the remedy does not."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as local, socket.socket() as other:  # a short path
        local.bind(f"{folder}/nobody")  # and does not listen
        other.bind(("127.0.0.1", 0))
        monkeypatch.setenv("DOCKER_HOST", address.format(folder=folder, port=other.getsockname()[1]))
        found = engine.absence()
        with pytest.raises(ConfigurationError, match=r"No Docker engine can be used.*--flink-backend=process") as caught:
            engine.require()
    assert found
    assert found.startswith(reason)
    assert caught.value.exit_code == 2


def test_an_engine() -> None:
    """There is one, and it runs containers as this user."""
    found = require()
    assert engine.absence() is None
    assert found.user in (f"{os.getuid()}:{os.getgid()}", "0:0")


def test_an_image_that_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known by its name, with the prefix of a mirror where there is one, and by its variables."""
    found = require()
    assert found.image(FLINK, option="--flink-image", variable="JOBKIT_FLINK_IMAGE") == FLINK
    assert found.variables(FLINK)["FLINK_HOME"] == "/opt/flink"
    repository, _, tag = FLINK.partition(":")
    monkeypatch.setattr(testcontainers_config, "hub_image_name_prefix", f"{repository[:2]}")
    assert found.image(f"{repository[2:]}:{tag}", option="--flink-image", variable="JOBKIT_FLINK_IMAGE") == FLINK


def test_an_image_that_cannot_be_had() -> None:
    """The message names it, and how to name another."""
    nowhere = "nowhere.invalid/kafka:1"
    with pytest.raises(ConfigurationError, match=rf"The image {nowhere} .*--kafka-image or JOBKIT_KAFKA_IMAGE"):
        require().image(nowhere, option="--kafka-image", variable="JOBKIT_KAFKA_IMAGE")


def test_an_image_is_built(root: Path, tmp_path: Path) -> None:
    """On the base that is named, with more options from the environment."""
    found = require()
    options: Mapping[str, str] = {**os.environ, engine.BUILD_OPTIONS: "--build-arg 'WORD=two words' --label other=1"}
    log = tmp_path / "logs" / "build.log"
    image = found.build(root, tag="jobkit-test/built", log=log, arguments={"FLINK_IMAGE": FLINK}, environ=options)
    try:
        labels = found.client.images.get(image).labels
        assert (labels["word"], labels["other"]) == ("two words", "1")
        assert found.client.images.get("jobkit-test/built").id == image
        assert log.read_text()
    finally:
        found.client.images.remove("jobkit-test/built")


def test_a_build_that_fails_shows_the_end_of_its_log(root: Path, tmp_path: Path) -> None:
    """The command's own words are what helps."""
    with (root / "Dockerfile").open("a") as file:
        file.write("RUN echo last words; exit 4\n")
    log = tmp_path / "build.log"
    with pytest.raises(ConfigurationError, match=engine.BUILD_OPTIONS) as caught:
        require().build(root, tag="jobkit-test/failed", log=log, arguments={"FLINK_IMAGE": FLINK})
    assert "last words" in str(caught.value.found)
    assert caught.value.where == str(log)


def test_without_the_docker_command(root: Path, tmp_path: Path) -> None:
    """An engine alone cannot build."""
    with pytest.raises(ConfigurationError, match="no docker command"):
        require().build(root, tag="jobkit-test/none", log=tmp_path / "build.log", environ={"PATH": str(tmp_path)})
