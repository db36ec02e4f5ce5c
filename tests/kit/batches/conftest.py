"""What these tests share: a small project whose job works in batches, and a session of clusters for it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobkit.project import Project, find_project
from jobkit.testing.backends import ProcessBackend
from jobkit.testing.session import Session


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy of the small project, in a folder with a space in its name."""
    ignored = shutil.ignore_patterns("__pycache__", ".jobkit")
    folder = tmp_path_factory.mktemp("batches") / "a numbering"
    path = list(sys.path)
    yield find_project(Path(shutil.copytree(Path(__file__).parent / "numbering", folder, ignore=ignored)))
    sys.path[:] = path
    for name in [name for name in sys.modules if name.split(".")[0] == "numbering"]:
        del sys.modules[name]


@pytest.fixture(scope="package")
def flink(project: Project) -> Iterator[Session]:
    """The broker and the cluster for its job; those of other tests are for other projects."""
    session = Session(project, lambda _, held: ProcessBackend(project, held, lambda _: None))
    yield session
    session.close()
