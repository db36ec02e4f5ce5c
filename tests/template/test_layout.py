"""What a generated project holds, and that every file of it can be read by those it is for."""

from __future__ import annotations

import ast
import gzip
from collections.abc import Callable

import pytest
import yaml

from tests.conftest import TEMPLATE, BakedProject

Bake = Callable[..., BakedProject]

EXPECTED = [
    ".dockerignore",
    ".github/workflows/ci.yaml",
    ".gitignore",
    ".gitlab-ci.yml",
    ".pre-commit-config.yaml",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "compose.yaml",
    "conf/base.yaml",
    "conf/dev.yaml",
    "conf/local.yaml",
    "conf/prod.yaml",
    "flink.lock",
    "kit/pyproject.toml",
    "kit/src/jobkit/cli.py",
    "monitoring/alerts.yaml",
    "monitoring/grafana-dashboard.json",
    "monitoring/prometheus.yaml",
    "pyproject.toml",
    "sample/README.md",
    "sample/__init__.py",
    "sample/flights.jsonl.gz",
    "sample/flights.py",
    "src/wait_times/__init__.py",
    "src/wait_times/__main__.py",
    "src/wait_times/connection.py",
    "src/wait_times/functions.py",
    "src/wait_times/pipeline.py",
    "src/wait_times/records.py",
    "src/wait_times/replay.py",
    "src/wait_times/settings.py",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/integration/test_failures.py",
    "tests/integration/test_flights.py",
    "tests/integration/test_replay.py",
    "tests/integration/test_state.py",
    "tests/test_functions.py",
    "tests/test_guardrails.py",
    "tests/test_pipeline.py",
    "tests/test_records.py",
    "tests/test_sample.py",
    "tests/test_settings.py",
]


def test_project_has_its_files(bake: Bake) -> None:
    """The rooms are there, and the package has the name that was chosen."""
    project = bake(project_name="Wait Times")
    assert project.path.name == "wait-times"
    assert set(EXPECTED) <= set(project.files())


def test_kit_is_copied_byte_for_byte(bake: Bake) -> None:
    """Nothing in the kit is rendered, nested folders included."""
    kit = {path: content for path, content in bake(project_name="Wait Times").files().items() if path.startswith("kit/")}
    assert len(kit) > 10
    assert {path: (TEMPLATE / path).read_bytes() for path in kit} == kit


@pytest.mark.parametrize("flink", ["2.2", "2.0", "1.20"])
def test_files_parse(bake: Bake, flink: str) -> None:
    """TOML, YAML and Python are valid, and no expression is left over."""
    project = bake(flink_version=flink)
    for path, content in project.files().items():
        if path.startswith("kit/") or path.endswith(".gz"):
            continue
        text = content.decode("utf-8")
        assert "cookiecutter" not in text, path
        if path.endswith(".yaml"):
            assert yaml.safe_load(text), path
        if path.endswith(".py"):
            ast.parse(text, path)
    assert project.pyproject()["tool"]["jobkit"]["flink"].startswith(f"{flink}.")


@pytest.mark.parametrize("licence", ["Apache-2.0", "MIT", "Proprietary"])
def test_licence_is_the_chosen_one(bake: Bake, licence: str) -> None:
    """The licence file and the metadata say the same."""
    project = bake(license=licence, organisation="Müller & Söhne, Inc.")
    text = project.files()["LICENSE"].decode("utf-8")
    first = {"Apache-2.0": "Apache License", "MIT": "MIT License", "Proprietary": "Copyright (c) Müller & Söhne, Inc."}
    assert text.strip().splitlines()[0].strip().startswith(first[licence])
    assert project.pyproject()["project"]["license"].endswith(licence)


@pytest.mark.parametrize("text", ["it's 100 % done: #1, - [x] & *y !z |a @b", "Verspätungen für Zürich, 東京", "- : # '''"])
def test_unusual_text_is_kept(bake: Bake, text: str) -> None:
    """A description or an owner that means something to TOML or YAML arrives as it was written."""
    project = bake(description=text, organisation=f"{text} 1")
    metadata = project.pyproject()["project"]
    assert (metadata["description"], metadata["authors"]) == (text, [{"name": f"{text} 1"}])
    for path, content in project.files().items():
        if path.endswith(".yaml"):
            yaml.safe_load(content.decode("utf-8"))


def test_sample_holds_real_flights(bake: Bake) -> None:
    """The compressed sample is not taken for text."""
    lines = gzip.decompress(bake().files()["sample/flights.jsonl.gz"]).splitlines()
    assert len(lines) == 20_000
    assert lines[0] == b'{"date":"2001/01/01 00:47","delay":66,"distance":1750,"origin":"DTW","destination":"LAS"}'
