"""Both ends of a job for Pathway: what it reads, what it writes, and how it runs."""

from __future__ import annotations

import base64

import pathway as pw  # type: ignore[import-not-found]
from settings import Settings  # type: ignore[import-not-found]

_AUTOCOMMIT_MS = 200


@pw.udf(deterministic=True)  # type: ignore[untyped-decorator]
def _as_text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def read(settings: Settings) -> pw.Table:
    """Return the records of the input, as bytes."""
    return pw.io.kafka.read(_client(settings), topic=settings.input, format="raw", autocommit_duration_ms=_AUTOCOMMIT_MS)


def write(settings: Settings, rows: pw.Table, rejects: pw.Table) -> None:
    """Write rows, and of what was rejected a reason and the bytes in base64."""
    pw.io.kafka.write(rows, _client(settings), topic_name=settings.output, format="json")
    texts = rejects.select(pw.this.reason, value=_as_text(pw.this.value))
    pw.io.kafka.write(texts, _client(settings), topic_name=settings.rejects, format="json")


def run(settings: Settings) -> None:
    """Run until the process is ended."""
    storage = pw.persistence.Backend.filesystem(settings.state)
    pw.run(
        persistence_config=pw.persistence.Config(storage, snapshot_interval_ms=round(settings.commit_seconds * 1000)),
        monitoring_level=pw.MonitoringLevel.NONE,
    )


def _client(settings: Settings) -> dict[str, str]:
    return {"bootstrap.servers": settings.servers, "group.id": settings.group, "auto.offset.reset": "earliest"}
