"""What the REST client takes for a JobManager that is away, and what for none at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import unquote

import pytest
from jobkit.cluster.rest import NoAnswer, RestClient
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


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_job_manager_that_is_elected_is_away_and_not_wrong(url: str, status: int) -> None:
    """Flink, and proxies before it, answer so for a while: to be waited for."""
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
