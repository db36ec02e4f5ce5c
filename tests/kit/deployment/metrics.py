"""A place that Flink's metrics are sent to, in the form in which Prometheus reads them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Gateway:
    """What has come from Flink's PrometheusPushGatewayReporter.

    Attributes:
        url: Its address.
        texts: The last text of each process, by the path that it is sent to.
    """

    def __init__(self, url: str) -> None:
        """Begin with nothing."""
        self.url = url
        self.texts: dict[str, str] = {}

    @property
    def configuration(self) -> dict[str, str]:
        """What a cluster must be told to send its metrics here."""
        values = {
            "factory.class": "org.apache.flink.metrics.prometheus.PrometheusPushGatewayReporterFactory",
            "hostUrl": self.url,
            "jobName": "flink",
            "interval": "1 SECONDS",
        }
        return {f"metrics.reporter.gateway.{key}": value for key, value in values.items()}


@contextmanager
def gateway() -> Iterator[Gateway]:
    """Listen until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            opened.texts[self.path] = (self.rfile.read(size) if size else b"".join(_chunks(self.rfile))).decode()
            self.send_response(202)
            self.end_headers()

        def do_DELETE(self) -> None:
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        opened = Gateway(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield opened
        server.shutdown()


def _chunks(file: Any) -> Iterator[bytes]:
    """Read a body that says its size piece by piece."""
    while size := int(file.readline().strip() or b"0", 16):
        yield file.read(size)
        file.readline()
