"""What is refused before a cluster is asked for anything."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest
from jobkit.deployment import preparation
from jobkit.deployment.examination import HIDDEN
from jobkit.deployment.examiner import Examiner, Late
from jobkit.deployment.instance import Specification
from jobkit.deployment.version import APPLICATION, here, target_of, variables
from jobkit.errors import ConfigurationError

from tests.kit import projects

PLAIN = Specification.from_json({"environment": "prod", "mode": "session", "url": "http://localhost:8081"})


@pytest.mark.parametrize(
    ("url", "values", "expected"),
    [
        (None, {}, "http://localhost:8081"),
        (None, {"rest.address": "flink", "rest.port": "8082", "security.ssl.rest.enabled": "true"}, "https://flink:8082"),
        ("https://flink.example.com/", {}, "https://flink.example.com:443"),
        ("http://[::1]:8081", {}, "http://[::1]:8081"),
    ],
)
def test_an_address_has_a_scheme_and_a_port(url: str | None, values: dict[str, str], expected: str) -> None:
    """What the user has left out is added, from the configuration or by the scheme."""
    assert preparation.address(url, values) == expected


@pytest.mark.parametrize(
    "url", ["localhost:8081", "ftp://flink:1", "http://flink:8081/proxy", "http://ann:s3cret@flink:8081", "http://flink:no"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """The message never shows a password."""
    with pytest.raises(ConfigurationError, match="This is no address of a JobManager") as refused:
        preparation.address(url, {})
    assert "s3cret" not in str(refused.value)


def test_a_secret_that_is_not_set_here_is_asked_for() -> None:
    """The ledger does not hold it; all other settings are as they were deployed, also those that were not set."""
    specification = replace(PLAIN, settings={"TOKEN": HIDDEN, "TOPIC": "words", "GROUP": None})
    with pytest.raises(ConfigurationError, match="TOKEN is not set"):
        variables(specification, {"TOPIC": "other"})
    found = variables(specification, {"TOKEN": "s3cret", "TOPIC": "other", "GROUP": "mine"})
    assert found == {"TOKEN": "s3cret", "TOPIC": "words", "JOBKIT_ENV": "prod"}


def test_an_application_cluster_of_another_machine_is_not_judged_from_here() -> None:
    """Its processes cannot be seen from here, and so would be taken for gone."""
    with pytest.raises(ConfigurationError, match="another machine"):
        target_of(replace(PLAIN, mode=APPLICATION, arguments={"place": "elsewhere:/home/ann"}))
    assert target_of(replace(PLAIN, mode=APPLICATION, arguments={"place": here()})) is not None


def test_a_job_that_is_not_built_in_time_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has been stopped by then; the message says where it waits."""
    project = projects.tiny(tmp_path / "tiny")
    there = tmp_path / "there"
    waiting = f"def waiting():\n    pathlib.Path({str(there)!r}).touch()\n    time.sleep(600)\n\n\n"
    project.replace("src/tiny/pipeline.py", "def build(env", f"{waiting}def build(env")
    project.replace("src/tiny/pipeline.py", "    stream = env", "    waiting()\n    stream = env")
    project.replace("src/tiny/pipeline.py", "from pyflink.common", "import pathlib\nimport time\n\nfrom pyflink.common")

    class AsSoonAsItWaits(Timer):
        """Does not go by the clock."""

        def run(self) -> None:
            while not there.exists():
                time.sleep(0.1)
            self.function()

    monkeypatch.setattr("jobkit.deployment.examiner.Timer", AsSoonAsItWaits)
    with pytest.raises(ConfigurationError, match="The job was not built within 300 seconds") as refused:
        Examiner(project.root, "local", projects.environment(TINY_NAME="tiny"), {})
    assert 'tiny/pipeline.py", line' in str(refused.value)
    assert "in waiting" in str(refused.value)


def test_a_checkpoint_is_not_disposed_of(tmp_path: Path) -> None:
    """It is Flink's own to remove, and shares files with others."""
    done = projects.jobkit(projects.tiny(tmp_path / "tiny").root, "savepoint", "--dispose", "file:/x/chk-4", XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == 2
    assert "This is no savepoint" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_libraries_print_need_be_no_text(tmp_path: Path) -> None:
    """One byte that is no UTF-8 on standard error once kept the process, and who asked it, waiting for ever."""
    project = projects.tiny(tmp_path / "tiny")
    noise = "os.write(2, bytes([255, 10]) * 100_000)\n\n\n"
    project.replace("src/tiny/pipeline.py", "def build(env", f"{noise}def build(env")
    project.replace("src/tiny/pipeline.py", "from pyflink.common", "import os\n\nfrom pyflink.common")
    with Examiner(project.root, "local", projects.environment(TINY_NAME="tiny"), {}) as examiner:
        assert examiner.description["name"] == "tiny"
        assert "\ufffd" in examiner._said
        examiner._process.send_signal(signal.SIGSTOP)
        with pytest.raises(Late, match=r"(?s)has not answered within 0 seconds.*Where: savepoints"):
            examiner._ask("savepoints", 0.1, folder="file:/nowhere")
