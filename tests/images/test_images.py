"""The stand-ins are built once, never in place of an official image, and behave as the official ones where tests rely on it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import images, require
from tests.images import build

FLINK, KAFKA, *_ = images()


@pytest.fixture
def foreign() -> Iterator[str]:
    """An image that is no stand-in."""
    require()
    name = "jobkit-test/official:1"
    subprocess.run("tar -c -T /dev/null | docker import - jobkit-test/official:1", shell=True, check=True, capture_output=True)  # noqa: S602
    yield name
    subprocess.run(["docker", "image", "rm", name], check=True, capture_output=True)


def identities() -> dict[str, str]:
    """Return the ids of the images that tests need."""
    return {name: build._identity(name) for name in images()}


def said(*arguments: str) -> str:
    """Return what `docker run` prints, whatever it exits with."""
    done = subprocess.run(["docker", "run", "--rm", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout


def test_nothing_is_built_twice() -> None:
    """The second time is over at once, and changes nothing."""
    require()
    before = identities()
    assert all(before.values())
    done = subprocess.run([sys.executable, build.__file__], capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == sorted(images())
    assert identities() == before


def test_an_official_image_is_left_alone(foreign: str, tmp_path: Path) -> None:
    """Whatever a stand-in of its name would be made from. One that is missing is wanted."""
    image = build.StandIn(foreign, tmp_path, build._nothing)
    assert not build._is_wanted(image)
    assert build._is_wanted(dataclasses.replace(image, name="jobkit-test/nowhere:1"))


def test_a_stand_in_follows_what_it_is_made_from(tmp_path: Path) -> None:
    """A file of its folder, the name of a file, or an input: each gives another digest."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    image = build.StandIn("any", tmp_path, build._nothing, {"base": "1"})
    digests = {image.digest, dataclasses.replace(image, inputs={"base": "2"}).digest}
    (tmp_path / "Dockerfile").write_text("FROM other\n")
    digests.add(image.digest)
    (tmp_path / "Dockerfile").rename(tmp_path / "run")
    digests.add(image.digest)
    assert len(digests) == 4


def test_flink_passes_a_command_through() -> None:
    """As its own user when it was root; there is no PyFlink in it."""
    require()
    assert said(FLINK, "id", "-u").strip() == "9999"
    assert said("--user", "4321", FLINK, "sh", "-c", "id -u; echo $FLINK_HOME").split() == ["4321", "/opt/flink"]
    assert "No module named" in said(FLINK, "python3", "-c", "import pyflink") or "not found" in said(FLINK, "python3", "--version")


def test_kafka_writes_its_configuration_where_only_its_own_user_may() -> None:
    """This is why a broker that runs as another user has a folder mounted there."""
    require()
    assert "file not writable" in said("--user", "4321", KAFKA)


@pytest.mark.parametrize(("value", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_engine(value: str, outcome: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails continuous integration, and is named when a developer's tests are skipped."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing")
    monkeypatch.setenv("CI", value)
    with pytest.raises(outcome, match="there is no Docker engine: there is nothing at unix://"):
        require.__wrapped__()
