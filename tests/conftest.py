"""Projects made from the template, for the tests of both."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tomli
from cookiecutter.main import cookiecutter

pytest_plugins = ["jobkit.testing.plugin"]

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
PYTHONS = ("3.10", "3.11", "3.12")
LEFTOVERS = shutil.ignore_patterns(
    ".git", ".venv", "build", "site", ".jobkit", "__pycache__", "*.egg-info", ".mypy_cache", ".pytest_cache", ".ruff_cache"
)


@dataclass(frozen=True)
class BakedProject:
    """A generated project.

    Attributes:
        path: Its folder.
        answers: The answers that differ from the defaults.
        environment: The variables that its commands run with.
    """

    path: Path
    answers: Mapping[str, str]
    environment: Mapping[str, str]

    def files(self) -> dict[str, bytes]:
        """Return the content of each file by its path in the project."""
        return {str(file.relative_to(self.path)): file.read_bytes() for file in sorted(self.path.rglob("*")) if file.is_file()}

    def pyproject(self) -> dict[str, Any]:
        """Return the parsed pyproject.toml."""
        return tomli.loads((self.path / "pyproject.toml").read_text(encoding="utf-8"))

    def run(self, *command: str) -> str:
        """Run a command in the project; return what it printed, and fail with that if it fails."""
        done = subprocess.run(
            command, cwd=self.path, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}"
        return done.stdout


def interpreters() -> dict[str, Path]:
    """Find the Pythons of this machine that work: on the path, and those of pyenv that are not on it."""
    found: dict[str, Path] = {}
    for version in PYTHONS:
        candidates = [shutil.which(f"python{version}"), *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))]
        for candidate in filter(None, candidates):
            asked = subprocess.run([str(candidate), "-c", "import sys; print(sys.executable)"], capture_output=True, text=True, check=False)
            if asked.returncode == 0:
                found[version] = Path(asked.stdout.strip())
                break
    return found


def pytest_report_header() -> str:
    """Say with which Pythons generated projects are set up; a combination whose Python is missing runs with another."""
    found = interpreters()
    missing = [version for version in PYTHONS if version not in found]
    return f"pythons: {', '.join(found)}" + (f"; missing: {', '.join(missing)}" if missing else "")


_LONG = ("tests/kit/deployment/", "tests/kit/rehearsal/", "tests/kit/lock/edits/", "tests/kit/test_shipping.py", "tests/images/")
_LASTING = ("tests/kit/cluster/", "tests/kit/testing/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files that take minutes first, so that no worker waits for one at the end; those whose clusters last for the session, last.

    What is idle costs too.
    """

    def rank(item: pytest.Item) -> int:
        name = item.nodeid
        return 0 if name.startswith(_LONG) else 2 if name.startswith(_LASTING) else 1

    items.sort(key=rank)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a user without an active virtual environment, with uv and every Python on the path."""
    links = tmp_path_factory.mktemp("pythons")
    for version, interpreter in interpreters().items():
        (links / f"python{version}").symlink_to(interpreter)
    (links / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    own = str(Path(sys.executable).parent)
    path = [folder for folder in os.environ["PATH"].split(os.pathsep) if folder != own]
    kept = {
        name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    }
    return {**kept, "PATH": os.pathsep.join([str(links), *path])}


@pytest.fixture(scope="session")
def cookiecutter_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a configuration that keeps cookiecutter's files out of the user's home."""
    folder = tmp_path_factory.mktemp("cookiecutter")
    config = folder / "config.yaml"
    config.write_text(f"cookiecutters_dir: {folder / 'templates'}\nreplay_dir: {folder / 'replay'}\n", encoding="utf-8")
    return config


@pytest.fixture(scope="session")
def clean_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the template as it would be checked out: without what tools left in the working folder."""
    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("template") / "flink-job", ignore=LEFTOVERS))


@pytest.fixture
def bake(tmp_path: Path, environment: dict[str, str], cookiecutter_config: Path, clean_template: Path) -> Callable[..., BakedProject]:
    """Return a function that generates a project from answers; those not given are the defaults."""

    def generate(**answers: str) -> BakedProject:
        path = cookiecutter(
            str(clean_template), no_input=True, extra_context=answers, output_dir=str(tmp_path), config_file=str(cookiecutter_config)
        )
        return BakedProject(Path(path), answers, environment)

    return generate
