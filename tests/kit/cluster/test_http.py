"""What the REST client takes for a JobManager that is away, and what for none at all."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import trustme
from jobkit.cluster.http import NoAnswer
from jobkit.cluster.rest import RestClient
from jobkit.errors import ClusterError


class Answers(BaseHTTPRequestHandler):
    """Answers each request with the status and the text that its path begins with."""

    def do_GET(self) -> None:
        """Answer."""
        _, status, text, *_ = self.path.split("/")
        self.send_response(int(status))
        self.end_headers()
        self.wfile.write(unquote(text).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of such a server."""
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_job_manager_that_is_elected_is_away_and_not_wrong(url: str, status: int) -> None:
    """Flink, and proxies before it, answer so for a while, with 500 when it waits for itself in vain: to be waited for."""
    with pytest.raises(NoAnswer, match=str(status)):
        RestClient(f"{url}/{status}/away").overview()


@pytest.mark.parametrize("ask", [RestClient.jobs, RestClient.job_manager_configuration])
@pytest.mark.parametrize("text", ["<html>", "{}", '{"jobs":[{}]}', "[]", '[{"name": 1}]', "1", "null"])
def test_another_service_is_no_job_manager(url: str, text: str, ask: Callable[[RestClient], Any]) -> None:
    """What is no JSON, or another, ends with a message that shows it, and is not waited for."""
    if (text, ask) == ("[]", RestClient.job_manager_configuration):
        assert ask(RestClient(f"{url}/200/{text}")) == {}, "an empty configuration is one"
        return
    with pytest.raises(ClusterError, match="What answers there is no JobManager") as refused:
        ask(RestClient(f"{url}/200/{text}"))
    assert not isinstance(refused.value, NoAnswer)
    assert refused.value.found == text


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs certificates."""
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(authority: trustme.CA) -> Iterator[str]:
    """The address of a server that speaks TLS, with a certificate for 127.0.0.1."""
    server = HTTPServer(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust what the authority has signed."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))


def refusal(url: str) -> ClusterError:
    """Return what is said instead of an overview; it must not be waited for."""
    with pytest.raises(ClusterError) as refused:
        RestClient(url).overview()
    assert not isinstance(refused.value, NoAnswer)
    return refused.value


@pytest.mark.usefixtures("trusted")
def test_who_is_trusted_is_asked(secure: str) -> None:
    """The variable that Python's other clients read names the certificates."""
    assert RestClient(f"{secure}/200/{{}}").job("any") == {}


def test_who_is_not_trusted_is_not_asked(secure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    error = refusal(secure)
    assert error.what == "The JobManager's certificate is not trusted."
    assert "REQUESTS_CA_BUNDLE" in str(error.remedy)


@pytest.mark.usefixtures("trusted")
def test_a_certificate_is_for_a_name(secure: str) -> None:
    """Another name of the same machine will not do."""
    error = refusal(secure.replace("127.0.0.1", "localhost"))
    assert error.what == "The JobManager's certificate is not trusted."
    assert error.remedy == "Write the name that it is for."


def test_certificates_that_are_not_there(secure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client of HTTP has an error of its own for these."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing.pem"))
    error = refusal(secure)
    assert error.what == "The certificates to trust cannot be read."
    assert "nothing.pem" in str(error.found)


def test_who_does_not_speak_tls(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To wait would not help."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    error = refusal(url.replace("http:", "https:"))
    assert error.what == "The JobManager does not speak TLS."
    assert error.remedy == "Write http:// instead."
