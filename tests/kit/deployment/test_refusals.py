"""What is refused before a cluster is asked for anything, and what counts as a JobManager that is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from jobkit.cluster.rest import NoAnswer, RestClient
from jobkit.deployment import preparation
from jobkit.deployment.examination import HIDDEN
from jobkit.deployment.instance import Specification
from jobkit.deployment.version import APPLICATION, here, target_of, variables
from jobkit.errors import ClusterError, ConfigurationError

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


def test_a_checkpoint_is_not_disposed_of(tmp_path: Path) -> None:
    """It is Flink's own to remove, and shares files with others."""
    done = projects.jobkit(projects.tiny(tmp_path / "tiny").root, "savepoint", "--dispose", "file:/x/chk-4", XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == 2
    assert "This is no savepoint" in done.stderr
    assert "Traceback" not in done.stderr


class Answers(BaseHTTPRequestHandler):
    """Answers each request with the status that its path names, and no JSON."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(int(self.path.strip("/").split("/")[0]))
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """The address of such a server."""
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_job_manager_that_is_elected_is_away_and_not_wrong(url: str, status: int) -> None:
    """Flink, and proxies before it, answer so for a while: to be waited for."""
    with pytest.raises(NoAnswer, match=str(status)):
        RestClient(f"{url}/{status}").overview()


def test_another_service_is_no_job_manager(url: str) -> None:
    """What is no JSON ends with a message, and is not waited for."""
    with pytest.raises(ClusterError, match="What answers there is no JobManager") as refused:
        RestClient(f"{url}/200").overview()
    assert not isinstance(refused.value, NoAnswer)
