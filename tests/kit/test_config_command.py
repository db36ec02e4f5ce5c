"""`jobkit config` shows what is in effect and what is wrong, and never a secret."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jobkit.cli import main

pytestmark = pytest.mark.usefixtures("jvm")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a base and two environments."""
    (tmp_path / "pyproject.toml").write_text("[tool.jobkit]\n")
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "base.yaml").write_text("execution.checkpointing.incremental: true\nexecution.checkpointing.interval: 30 s\n")
    (conf / "prod.yaml").write_text("execution:\n  checkpointing:\n    interval: 1 min\n")
    (conf / "dev.yaml").write_text("")
    return tmp_path


Jobkit = Callable[..., tuple[int, str, str]]


@pytest.fixture
def jobkit(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Jobkit]:
    """Run `jobkit config` in the project, in this process: its JVM is shared. Returns exit code, output, errors."""
    monkeypatch.chdir(project)
    monkeypatch.delenv("JOBKIT_ENV", raising=False)
    before = dict(os.environ)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["jobkit", "config", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    yield run
    os.environ.clear()  # the command sets variables for PyFlink's JVM
    os.environ.update(before)


def test_the_values_in_effect_with_origin_and_default(jobkit: Jobkit) -> None:
    """Production when nothing else is said; the value that lost is shown beside the one that won."""
    code, out, err = jobkit("--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "environment": "prod",
        "values": [
            {
                "key": "execution.checkpointing.incremental",
                "value": "true",
                "origin": "conf/base.yaml:1",
                "default": "false",
                "overrides": None,
            },
            {
                "key": "execution.checkpointing.interval",
                "value": "1 min",
                "origin": "conf/prod.yaml:3",
                "default": None,
                "overrides": {"value": "30 s", "origin": "conf/base.yaml:2"},
            },
        ],
        "findings": [],
    }


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"), [((), "dev", "dev"), (("--env", "dev"), None, "dev"), (("--env", "dev"), "prod", "dev")]
)
def test_the_environment_is_an_option_or_a_variable(
    arguments: tuple[str, ...], environment: str | None, expected: str, jobkit: Jobkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option wins."""
    if environment is not None:
        monkeypatch.setenv("JOBKIT_ENV", environment)
    _, out, _ = jobkit("--json", *arguments)
    assert json.loads(out)["environment"] == expected


def test_mistakes_of_files_keys_and_values_are_shown_at_once(project: Path, jobkit: Jobkit) -> None:
    """The table and the JSON document have them all, and the exit code is 2."""
    (project / "conf" / "prod.yaml").write_text(
        "state.backend.incremental: false\nexecution.checkpointing.intervall: 3\nparallelism.default: two\n"
        "rest.port: 1\nrest.port: 2\ns3.endpoint: x\n"
    )
    code, out, _ = jobkit("--json")
    assert code == 2
    found = [(finding["kind"], finding["origin"], finding["status"]) for finding in json.loads(out)["findings"]]
    assert sorted(found) == [
        ("conflict", "conf/prod.yaml:1", "fail"),
        ("conflict", "conf/prod.yaml:5", "fail"),
        ("open-family", "conf/prod.yaml:6", "unknown"),
        ("unknown-key", "conf/prod.yaml:2", "fail"),
        ("wrong-type", "conf/prod.yaml:3", "fail"),
    ]
    code, out, _ = jobkit()
    assert code == 2
    assert all(place in out for _, place, _ in found)
    assert "4 wrong, 1 that Flink cannot check" in out


def test_secrets_are_shown_nowhere(project: Path, jobkit: Jobkit) -> None:
    """Not as a value, as what was overridden, in a finding, or in an error; with and without JSON."""
    secret = "hunter2"
    keys = [
        "s3.secret-key",
        "security.ssl.rest.key-password",
        "fs.azure.account.key.x",
        "metrics.reporter.dog.apikey",
        "rest.flamegraph.token",
    ]
    (project / "conf" / "base.yaml").write_text("".join(f"{key}: {secret}-base\n" for key in keys))
    text = "".join(f"{key}: {secret}\n" for key in keys)
    (project / "conf" / "prod.yaml").write_text(text + f"user.artifacts.http-headers: {secret}\n")
    for arguments in ((), ("--json",)):
        code, out, err = jobkit(*arguments)
        assert code == 2
        assert secret not in out + err
        assert out.count("******") >= 2 * len(keys)
    (project / "conf" / "prod.yaml").write_text(f"{text}{keys[0]}: {secret}: {secret}\n")
    code, out, err = jobkit()
    assert code == 2
    assert secret not in out + err


@pytest.mark.parametrize("arguments", [("--env", "prd"), ("--env", "../conf/dev")])
def test_an_unknown_environment_is_one_paragraph(arguments: tuple[str, ...], project: Path, jobkit: Jobkit) -> None:
    """It names those that exist; nothing is started."""
    code, out, err = jobkit(*arguments)
    assert (code, out) == (2, "")
    assert "dev, prod" in err
    assert len(err.splitlines()) == 1
    assert not (project / ".jobkit").exists()
