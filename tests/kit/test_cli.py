"""The command line: what it prints, where, and what it exits with. Each call is a process of its own, as its users start it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from .projects import TinyProject, jobkit, tiny

OPERATOR = {"uid", "id", "name", "kind", "parallelism", "max_parallelism", "hidden", "fused", "states", "file", "line"}
RESULT = {"rule", "status", "box", "message", "remedy", "operator", "file", "line", "evidence"}
UIDS = ["source", "count/key-by", "count", "out"]


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    """A project whose job holds all guardrails in production."""
    return tiny(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    """The same for commands that leave it as it is."""
    return tiny(tmp_path_factory.mktemp("tiny"))


def document(done: subprocess.CompletedProcess[str]) -> Any:
    """Return the one JSON document of stdout."""
    return json.loads(done.stdout)


def paragraph(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one paragraph that a mistake of the user's must end as."""
    assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_graph_json_and_svg(shared: TinyProject) -> None:
    """The contract's keys, exactly; a picture with each uid; from a folder inside the project."""
    picture = shared.root / "graph.svg"
    done = jobkit(shared.root / "src", "graph", "--json", "--svg", str(picture))
    assert done.returncode == 0, done.stderr
    (job,) = document(done)["jobs"]
    assert set(job) == {"name", "operators"}
    assert all(set(operator) == OPERATOR for operator in job["operators"])
    by_uid = {operator["uid"]: operator for operator in job["operators"]}
    assert list(by_uid) == UIDS
    assert [operator["hidden"] for operator in by_uid.values()] == [False, True, False, False]
    assert by_uid["count"]["id"] == "b71731f1c0df9c3076c4a455334d0ad6"  # murmur3_128, by the package mmh3
    assert by_uid["count"]["states"] == [{"name": "count", "kind": "value", "type": "Long", "ttl": None}]
    assert (by_uid["count"]["parallelism"], by_uid["count"]["max_parallelism"]) == (1, 128)
    assert by_uid["count"]["file"] == "tiny/pipeline.py"
    texts = [element.text for element in ET.parse(picture).iter() if element.tag.endswith("}text")]  # noqa: S314 - our own file
    assert all(texts.count(uid) == 1 for uid in UIDS)


def test_graph_for_people(shared: TinyProject) -> None:
    """A table on stdout, that sample settings were used on stderr."""
    done = jobkit(shared.root, "graph", COLUMNS="160")
    assert done.returncode == 0, done.stderr
    for uid in UIDS:
        assert uid in done.stdout
    assert "pipeline.py:" in done.stdout
    assert "TINY_NAME is not set." in done.stderr


def test_check_of_a_correct_project(shared: TinyProject) -> None:
    """Nothing fails in production, and nothing is unknown; the document has the contract's keys."""
    done = jobkit(shared.root, "check", "--json", TINY_NAME="mine")
    assert done.returncode == 0, done.stdout + done.stderr
    results = document(done)["results"]
    assert {result["status"] for result in results} <= {"pass", "not-applicable"}
    assert all(set(result) >= RESULT for result in results)
    assert {result["job"] for result in results} == {"mine"}


def test_check_that_fails(project: TinyProject) -> None:
    """Exit code 1, with rule, place, reason and remedy; what is waived shows its reason."""
    project.replace("src/tiny/pipeline.py", '.uid("out")', "")
    project.replace("conf/base.yaml", "state.backend.type: rocksdb", "state.backend.type: hashmap")
    project.replace(
        "pyproject.toml", "[tool.jobkit]", '[[tool.jobkit.waivers]]\nrule = "rocksdb-backend"\nreason = "Small"\n\n[tool.jobkit]'
    )
    done = jobkit(project.root, "check", COLUMNS="160", TINY_NAME="mine")
    assert done.returncode == 1, done.stderr
    text = (project.root / "src/tiny/pipeline.py").read_text(encoding="utf-8")
    line = text[: text.index("counts.print()")].count("\n") + 1
    assert f"missing-uids  src/tiny/pipeline.py:{line}" in done.stdout
    assert "Why:" in done.stdout
    assert "Write:" in done.stdout
    assert "Waived: Small" in done.stdout
    assert "1 fail" in done.stdout
    assert "Traceback" not in done.stderr


def test_no_project(tmp_path: Path) -> None:
    """The way out is named."""
    assert "There is no jobkit project here" in paragraph(jobkit(tmp_path, "graph"))


MISTAKES = {
    "broken TOML": ("pyproject.toml", "[tool.jobkit\n", "not valid TOML"),
    "an unknown key": ("pyproject.toml", '[tool.jobkit]\npipline = "tiny.pipeline:build"\n', "pipline"),
    "another PyFlink": ("pyproject.toml", '[tool.jobkit]\nflink = "1.8.0"\npipeline = "tiny.pipeline:build"\n', "made for PyFlink 1.8.0"),
    "a missing module": ("pyproject.toml", '[tool.jobkit]\npipeline = "absent.pipeline:build"\n', "There is no module absent"),
    "an exception": ("src/tiny/pipeline.py", "\n1 / 0\n", "ZeroDivisionError: division by zero. Where: "),
    "no YAML": ("conf/base.yaml", "a: [\n", "conf/base.yaml"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_file_ends_as_one_paragraph(mistake: str, project: TinyProject) -> None:
    """No traceback, exit code 2; with --json the same on stdout, as the document, and nothing else."""
    file, text, shown = MISTAKES[mistake]
    project.write(file, text)
    done = jobkit(project.root, "check", "--json")
    said, done.stdout = json.loads(done.stdout)["error"]["message"], ""
    assert shown in paragraph(done)
    assert done.stderr == f"error: {said}\n"


@pytest.mark.parametrize("arguments", [("--env", "production"), ("--env", "../prod")])
def test_an_environment_that_there_is_not(arguments: tuple[str, ...], shared: TinyProject) -> None:
    """Those that there are, are named."""
    shown = paragraph(jobkit(shared.root, "check", *arguments))
    assert "local" in shown
    assert "prod" in shown


def test_a_picture_that_cannot_be_written(shared: TinyProject) -> None:
    """The folder is not there."""
    file = shared.root / "missing" / "graph.svg"
    assert f"The file cannot be written. Found: No such file or directory. Where: {file}." in paragraph(
        jobkit(shared.root, "graph", "--svg", str(file))
    )


@pytest.mark.parametrize("arguments", [("--no-such-option",), ("grahp",), ("graph", "--jar"), ("check", "--env")])
def test_a_wrong_word_ends_with_2(arguments: tuple[str, ...], shared: TinyProject) -> None:
    """Typer's own message, no traceback."""
    done = jobkit(shared.root, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(project: TinyProject) -> None:
    """Both of them: where jobkit gave up, and what it gave up on."""
    project.write("src/tiny/pipeline.py", "1 / 0\n")
    done = jobkit(project.root, "--debug", "graph")
    assert (done.returncode, done.stdout) == (2, "")
    assert "\nZeroDivisionError: division by zero\n" in done.stderr
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: tiny.pipeline cannot be imported.")
