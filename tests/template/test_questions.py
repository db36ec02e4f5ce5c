"""The questions, and the table of versions that drives every pin."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.conftest import ROOT

CONTEXT: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
QUESTIONS = [name for name in CONTEXT if not name.startswith("_")]
VERSIONS: dict[str, Any] = CONTEXT["_flink_versions"]


def test_there_are_at_most_eight_questions() -> None:
    """More questions than that nobody reads."""
    assert len(QUESTIONS) <= 8


@pytest.mark.parametrize("name", QUESTIONS)
def test_question_has_help(name: str) -> None:
    """Each question is a sentence, and each choice has its words."""
    prompt = CONTEXT["__prompts__"][name]
    default = CONTEXT[name]
    if isinstance(default, list):
        assert sorted(set(prompt) - {"__prompt__"}) == sorted(default)
        prompt = prompt["__prompt__"]
    assert len(prompt.split()) >= 4


def test_table_has_each_version_that_can_be_chosen() -> None:
    """The choices are the table's, and every Python in the table can be chosen."""
    assert CONTEXT["flink_version"] == list(VERSIONS)
    assert sorted({python for version in VERSIONS.values() for python in version["pythons"]}) == sorted(CONTEXT["python_version"])


@pytest.mark.parametrize("version", VERSIONS)
def test_pins_fit_their_version(version: str) -> None:
    """PyFlink, image and connector are those of the Flink version; the first Python offered runs with each."""
    pins = VERSIONS[version]
    assert pins["pyflink"].startswith(f"{version}.")
    assert pins["image"] == f"flink:{pins['pyflink']}-java17"
    connectors = [jar for jar in pins["jars"] if "connector-kafka" in jar]
    assert [jar.rpartition("-")[2] for jar in connectors] == [version]
    assert all(re.fullmatch(r"[\w.]+:[\w.-]+:[\w.-]+", jar) for jar in pins["jars"])
    assert CONTEXT["python_version"][0] in pins["pythons"]
