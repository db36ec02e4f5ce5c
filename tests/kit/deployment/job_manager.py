"""A stand-in for a JobManager's REST interface: answers what a test says, over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answers = Mapping[str, "bytes | int | dict[str, Any] | list[Any]"]
"""By path: a text, the code of an error, or a document."""


@contextmanager
def job_manager(answers: Answers) -> Iterator[str]:
    """Serve, and give the address."""

    class Handler(BaseHTTPRequestHandler):
        """Answers GET; a text without saying what its bytes mean, as Flink does."""

        def do_GET(self) -> None:
            answer = answers.get(self.path, 404)
            is_text = isinstance(answer, bytes)
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            content = (
                answer if isinstance(answer, bytes) else json.dumps({"errors": ["no"]} if isinstance(answer, int) else answer).encode()
            )
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
