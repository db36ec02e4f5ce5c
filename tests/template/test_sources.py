"""The template gives the same project from wherever it is used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import BakedProject

SOURCES = ("folder", "zip", "git", "cruft")


@pytest.fixture(scope="session")
def repository(clean_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a git repository of the template with one commit."""
    folder = tmp_path_factory.mktemp("git") / "flink-job"
    shutil.copytree(clean_template, folder)
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "--quiet"], ["add", "--all"], [*identity, "commit", "--quiet", "--message", "All"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="session")
def addresses(clean_template: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what to give cookiecutter or cruft for each source."""
    base = tmp_path_factory.mktemp("zip") / "flink-job"
    archive = shutil.make_archive(str(base), "zip", clean_template.parent, clean_template.name)
    return {"folder": str(clean_template), "zip": archive, "git": repository.as_uri(), "cruft": repository.as_uri()}


@pytest.mark.parametrize("source", SOURCES)
def test_project_is_the_same(
    source: str, tmp_path: Path, bake: Callable[..., BakedProject], addresses: dict[str, str], cookiecutter_config: Path
) -> None:
    """Folder, zip, clone and `cruft create` give the same files."""
    command = ["cruft", "create"] if source == "cruft" else ["cookiecutter"]
    output = tmp_path / "output"
    output.mkdir()
    arguments = [addresses[source], "--no-input", "--config-file", str(cookiecutter_config), "--output-dir", str(output)]
    program = Path(sys.executable).with_name(command[0])
    subprocess.run([program, *command[1:], *arguments], check=True, env={**os.environ, "HOME": str(tmp_path)})
    files = BakedProject(output / "flight-delays", {}, {}).files()
    assert ".cruft.json" in files or source != "cruft"
    files.pop(".cruft.json", None)
    assert files == bake().files()


def test_project_follows_the_template(tmp_path: Path, repository: Path, cookiecutter_config: Path) -> None:
    """`cruft check` finds a fresh project up to date."""
    cruft = Path(sys.executable).with_name("cruft")
    arguments = [repository.as_uri(), "--no-input", "--config-file", str(cookiecutter_config), "--output-dir", str(tmp_path)]
    subprocess.run([cruft, "create", *arguments], check=True)
    subprocess.run([cruft, "check"], cwd=tmp_path / "flight-delays", check=True)
