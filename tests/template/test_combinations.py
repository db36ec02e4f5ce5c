"""Generated projects set themselves up and pass their own checks, whatever was answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import BakedProject

COMBINATIONS = {
    "default": {},
    "newest python": {"flink_version": "2.2", "python_version": "3.12", "license": "MIT"},
    "flink 2.0": {"flink_version": "2.0", "python_version": "3.10", "project_name": "Zebra Crossings"},
    "long-term support": {
        "flink_version": "1.20",
        "python_version": "3.10",
        "project_name": "A job with as long a name as anybody would want it",
        "project_slug": "as-long-a-name-as-a-platform-would-ever-take",
        "license": "Proprietary",
        "description": "it's 100 % done: #1, für Zürich",
        "organisation": "Müller & Söhne, Inc.",
    },
}


@pytest.mark.parametrize("name", COMBINATIONS)
def test_project_passes_its_own_checks(name: str, bake: Callable[..., BakedProject]) -> None:
    """Set-up, lint, types, tests and the production checklist pass, one after the other."""
    project = bake(**COMBINATIONS[name])
    for target in ("setup", "lint", "test", "check"):
        project.run("make", target)
    version = project.run(".venv/bin/python", "-c", "import pyflink.version; print(pyflink.version.__version__)")
    assert version.strip() == project.pyproject()["tool"]["jobkit"]["flink"]


def test_setup_bootstraps_uv(bake: Callable[..., BakedProject]) -> None:
    """Without uv on the machine, Python and make are enough."""
    project = bake()
    folders = [folder for folder in project.environment["PATH"].split(":") if not (Path(folder) / "uv").exists()]
    bare = BakedProject(project.path, {}, {**project.environment, "PATH": ":".join(folders)})
    bare.run("make", "setup")
    bare.run(".venv/bin/jobkit", "--help")


def test_lock_records_no_addresses(bake: Callable[..., BakedProject]) -> None:
    """The lock pins every requirement by hash, names no index and no folder, and set-up installs from it."""
    project = bake()
    project.run("make", "lock-requirements")
    lock = (project.path / "requirements.lock").read_text(encoding="utf-8")
    pins = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert all("==" in pin for pin in pins)
    assert any(pin.startswith("apache-flink==") for pin in pins)
    assert lock.count("--hash=") >= len(pins)
    assert "://" not in lock
    assert "jobkit" not in lock
    project.run("make", "setup")
    installed = project.run("sh", "-c", "uv pip freeze --python .venv/bin/python").splitlines()
    locked = {pin.split(" ")[0].rstrip("\\").strip() for pin in pins if ";" not in pin}
    assert locked <= {line.strip() for line in installed}
