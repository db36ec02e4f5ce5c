"""The pipelines of a generated project: judged by the checkers of their languages, and GitHub's run step by step, as a runner would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import engine
from tests.conftest import BakedProject
from tests.template.runner import Done, Runner

Bake = Callable[..., BakedProject]
Check = Callable[[Path], subprocess.CompletedProcess[str]]

GITHUB = ".github/workflows/ci.yaml"
GITLAB = ".gitlab-ci.yml"
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"
"""One that Debian's Go 1.19 builds, too."""

BROKEN_TEST = '"""A test for the pipeline to find."""\n\n\ndef test_broken() -> None:\n    """Fail."""\n    assert "a".upper() == "a"\n'


@pytest.fixture
def project(bake: Bake) -> BakedProject:
    """A project for the one Python that the stand-ins for images have."""
    return bake(project_name="Wait Times", python_version="3.11")


@pytest.fixture
def runner(project: BakedProject) -> Runner:
    """A runner of the project's workflow, on this machine."""
    environment = {name: value for name, value in project.environment.items() if not name.startswith(("PYTEST_", "JOBKIT_"))}
    return Runner(project, environment, read(project, GITHUB))


@pytest.fixture(scope="session")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """A function that checks a GitHub workflow with actionlint, built here; without Go the test is skipped, except in CI."""
    if shutil.which("go") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("there is no Go to build actionlint with")
    folder = tmp_path_factory.mktemp("actionlint")
    built = run("go", "install", ACTIONLINT, environment={**os.environ, "GOBIN": str(folder)})
    assert built.returncode == 0, built.stdout
    return lambda file: run(str(folder / "actionlint"), "-shellcheck=", "-pyflakes=", str(file))


def schema(name: str) -> Check:
    """Return a function that checks a file against a schema that comes with check-jsonschema."""
    program = Path(sys.executable).with_name("check-jsonschema")
    return lambda file: run(str(program), "--builtin-schema", f"vendor.{name}", str(file))


def run(*command: str, environment: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; what it printed is all in `stdout`."""
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def read(project: BakedProject, path: str) -> dict[str, Any]:
    """Return a parsed YAML file."""
    content: dict[str, Any] = yaml.safe_load((project.path / path).read_text(encoding="utf-8"))
    return content


def planted(project: BakedProject, path: str, right: str, wrong: str) -> Path:
    """Put a mistake into a file."""
    file = project.path / path
    text = file.read_text(encoding="utf-8")
    assert right in text
    file.write_text(text.replace(right, wrong), encoding="utf-8")
    return file


def targets(commands: list[str]) -> list[str]:
    """Return what make is called for."""
    lines = [line.split("|")[0].strip() for command in commands for line in command.splitlines()]
    return [line.removeprefix("make ") for line in lines if line.startswith("make ")]


def assert_passed(done: list[Done]) -> None:
    """Fail with what the first step that failed has printed."""
    for step in done:
        assert step.code == 0, f"{step.name} exited with {step.code}:\n{step.output}"


@pytest.mark.parametrize("flink", ["2.2", "2.0", "1.20"])
def test_files_are_valid(flink: str, bake: Bake, actionlint: Check) -> None:
    """The checkers of both languages find nothing."""
    path = bake(flink_version=flink, python_version="3.10").path
    for check, file in ((actionlint, GITHUB), (schema("github-workflows"), GITHUB), (schema("gitlab-ci"), GITLAB)):
        found = check(path / file)
        assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("runs-on: ubuntu-latest", "runs-on: ubuntu-oldest", 'label "ubuntu-oldest" is unknown'),
        ("hashFiles(", "hashFile(", 'undefined function "hashFile"'),
        ("github.job", "github.jobs", 'property "jobs" is not defined'),
        ("if: failure()", "if: failed()", 'undefined function "failed"'),
        ("timeout-minutes:", "timeout:", 'unexpected key "timeout"'),
        ("contents: read", "contents: look", '"look" is invalid'),
        ("actions/checkout@v6", "actions/checkout", 'specifying action "actions/checkout" in invalid format'),
    ],
)
def test_actionlint_sees_mistakes(right: str, wrong: str, message: str, project: BakedProject, actionlint: Check) -> None:
    """A workflow that GitHub would refuse does not pass."""
    found = actionlint(planted(project, GITHUB, right, wrong))
    assert found.returncode == 1
    assert message in found.stdout


@pytest.mark.parametrize(
    ("name", "path", "right", "wrong"),
    [
        ("github-workflows", GITHUB, "runs-on:", "run-on:"),
        ("github-workflows", GITHUB, "timeout-minutes:", "timeout:"),
        ("gitlab-ci", GITLAB, "when: on_failure", "when: on_failing"),
        ("gitlab-ci", GITLAB, "  script:", "  scripts:"),
        ("gitlab-ci", GITLAB, "reports:", "report:"),
    ],
)
def test_schemas_see_mistakes(name: str, path: str, right: str, wrong: str, project: BakedProject) -> None:
    """A file that the service would refuse does not pass."""
    found = schema(name)(planted(project, path, right, wrong))
    assert found.returncode == 1, found.stdout
    assert "Schema validation errors were encountered" in found.stdout


@pytest.mark.parametrize("flink", ["2.2", "2.0", "1.20"])
def test_images_that_are_kept_are_those_in_use(flink: str, bake: Bake) -> None:
    """The workflow's list is what the Dockerfile is built from, and the broker."""
    project = bake(flink_version=flink)
    dockerfile = (project.path / "Dockerfile").read_text(encoding="utf-8")
    used = set(re.findall(r"^(?:FROM |ARG FLINK_IMAGE=|COPY --from=)([\w./-]+:[\w.-]+)", dockerfile, re.MULTILINE))
    kept = read(project, GITHUB)["env"]["IMAGES"].split()
    assert set(kept) == used | {f"apache/kafka:{project.pyproject()['tool']['jobkit']['kafka']}"}
    assert sorted(kept) == sorted(engine.images(flink))


def test_gitlab_runs_what_github_runs(project: BakedProject) -> None:
    """Both call make for the same, in the same order; GitLab's tests run as processes."""
    github, gitlab = read(project, GITHUB), read(project, GITLAB)
    for job in ("check", "integration"):
        steps = [step["run"] for step in github["jobs"][job]["steps"] if "run" in step]
        assert targets([*gitlab["default"]["before_script"], *gitlab[job]["script"]]) == targets(steps)
    assert targets(gitlab["check"]["script"]) == ["lint", "test", "check"]
    assert (github["jobs"]["integration"]["env"], gitlab["integration"]["variables"]) == (
        {"JOBKIT_FLINK_BACKEND": "docker"},
        {"JOBKIT_FLINK_BACKEND": "process"},
    )


def test_jars_come_to_the_folder_that_gitlab_keeps(project: BakedProject) -> None:
    """Jars are fetched to where the variable says, and the cache holds that folder."""
    gitlab = read(project, GITLAB)
    folder = gitlab["variables"]["M2_REPO"].replace("$CI_PROJECT_DIR", str(project.path))
    program = "from jobkit.cluster.repository import connect; print(connect(lambda *_: None).repo_cache)"
    asked = run(sys.executable, "-c", program, environment={**os.environ, "M2_REPO": folder})
    assert asked.stdout.strip() == folder
    assert project.path.joinpath(gitlab["default"]["cache"]["paths"][0]) in Path(folder).parents


def test_check_job_runs(project: BakedProject, runner: Runner) -> None:
    """Every step passes in a fresh project; a test that fails fails the job, whatever its output is piped into."""
    done = runner.run("check")
    assert_passed(done)
    assert [step.name for step in done] == ["make setup", "make lint", "make test", "make check", "Summary"]
    assert re.search(r"^=+ \d+ passed.* =+$", runner.summary.read_text(encoding="utf-8"), re.MULTILINE)

    (project.path / "tests" / "test_broken.py").write_text(BROKEN_TEST, encoding="utf-8")
    runner.environment = {**runner.environment, "PYTEST_ADDOPTS": "-k broken"}
    done = runner.run("check")
    assert [(step.name, step.code == 0) for step in done[2:]] == [("make test", False), ("Summary", True)]
    assert "FAILED tests/test_broken.py::test_broken" in runner.summary.read_text(encoding="utf-8")


@pytest.fixture
def archive(project: BakedProject) -> Iterator[Path]:
    """The file with the images; it is large, and does not stay."""
    engine.require()
    file = project.path / ".jobkit" / "images.tar"
    yield file
    file.unlink(missing_ok=True)


def test_images_are_kept_and_loaded(runner: Runner, archive: Path) -> None:
    """Without the archive its images are pulled, or are there, and it is written; with it they are loaded."""
    runner.workflow["env"]["IMAGES"] = "astral/uv:0.9"
    steps = runner.workflow["jobs"]["integration"]["steps"]
    runner.workflow["jobs"]["integration"]["steps"] = [step for step in steps if step.get("name", "").startswith("Load")]
    (first,) = runner.run("integration")
    assert (first.code, first.output) == (0, "")
    assert archive.stat().st_size > 0
    (second,) = runner.run("integration")
    assert (second.code, second.output.strip()) == (0, "Loaded image: astral/uv:0.9")


def test_integration_job_runs_with_docker(project: BakedProject, runner: Runner, archive: Path) -> None:
    """The project's own integration tests pass in containers, in the image that its Dockerfile makes."""
    runner.environment = {**runner.environment, "JOBKIT_DOCKER_BUILD_OPTIONS": engine.BUILD_OPTIONS}
    done = runner.run("integration")
    assert_passed(done)
    assert archive.stat().st_size > 0
    tests = next(step for step in done if step.name == "make integration")
    assert "flink: docker backend" in tests.output
    assert (project.path / ".jobkit" / "test-results" / "docker-build.log").stat().st_size > 0
    assert re.search(r"^=+ \d+ passed in .*=+$", runner.summary.read_text(encoding="utf-8"), re.MULTILINE)
