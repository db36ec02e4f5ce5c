"""How commands fail: with --json one document on stdout, whatever it is that is wrong, and the exit code that says whose fault it is."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from jobkit import cli
from jobkit.cluster.http import Declined, NotFound
from jobkit.cluster.waiting import InVain
from jobkit.deployment import artefact
from jobkit.deployment.deployed import DeployedJob, NotRunning
from jobkit.deployment.stopping import Gone
from jobkit.errors import ConfigurationError
from jobkit.project import find_project

from tests.kit import projects


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder."""
    return projects.tiny(tmp_path_factory.mktemp("failures") / "tiny").root


@pytest.mark.parametrize(
    ("arguments", "ledger", "what"),
    [
        (["deploy"], "", "A start is either from a snapshot or without state."),
        (["deploy", "--nonsense"], "", "No such option: --nonsense"),
        (["instances", "show", "no-uid"], "", "This is no uid of an instance."),
        (["instances", "logs", "abcd"], "", "The ledger has no such instance."),
        (["status"], "", "Nothing of tiny/prod runs."),
        (["stop"], "mysql://host/database", "A ledger is a file of SQLite or a database of PostgreSQL."),
        (["instances"], "/proc/no/ledger", "The folder of the ledger cannot be made."),
        (["config", "--env", "nowhere"], "", "There is no environment 'nowhere'."),
        (["bench", "--env", "nowhere"], "", "There is no environment 'nowhere'."),
    ],
)
def test_a_failure_is_a_document(  # noqa: PLR0913, PLR0917
    root: Path,
    arguments: list[str],
    ledger: str,
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With the parts of the message; the same is on stderr, for whoever looks on, but where the command shows its own."""
    monkeypatch.chdir(root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("JOBKIT_ENV", raising=False)
    monkeypatch.setenv("JOBKIT_LEDGER", ledger)
    document = _fails([*arguments, "--json"], 2, monkeypatch, capfd)
    assert document["error"]["what"].rstrip(".") == what.rstrip(".")
    assert document["error"]["message"].startswith(document["error"]["what"])
    assert document["error"].keys() >= {"found", "where", "remedy"}


def _fails(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> dict[str, dict[str, str]]:
    monkeypatch.setattr(sys, "argv", ["jobkit", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    document: dict[str, dict[str, str]] = json.loads(capfd.readouterr().out)
    return document


def test_outside_of_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """It is said where it was looked for."""
    monkeypatch.chdir(tmp_path)
    assert "pyproject.toml" in _fails(["upgrade", "--json"], 2, monkeypatch, capfd)["error"]["message"]


def test_an_interruption_is_a_document(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends with 130, as shells have it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(DeployedJob, "state", interrupt)
    assert _fails(["status", "--json"], 130, monkeypatch, capfd)["error"]["what"] == "Interrupted."
    monkeypatch.setattr("jobkit.deployment.ledger.Ledger.open", interrupt)
    assert _fails(["instances", "--json"], 130, monkeypatch, capfd)["error"]["what"] == "Interrupted."


def test_what_a_cluster_refuses_is_not_wrong_input() -> None:
    """The exit code is that of a platform that refuses."""
    assert {kind.exit_code for kind in (Declined, Gone, InVain, NotFound, NotRunning)} == {1}


def test_a_file_whose_name_is_no_text(tmp_path: Path) -> None:
    """An archive cannot hold it; the name is shown as far as it can be."""
    root = projects.tiny(tmp_path / "tiny").root
    (root / "src" / "tiny" / os.fsdecode(b"na\xefve.py")).write_text("")
    with pytest.raises(ConfigurationError, match=r"not UTF-8. Found: src/tiny/na\\xefve.py"):
        artefact.build(find_project(root))
