"""The job for Pathway: it writes the change of each key at each commit, not a record for each record."""

from __future__ import annotations

import base64

import pathway as pw  # type: ignore[import-not-found]
from flight import MALFORMED, read  # type: ignore[import-not-found]
from settings import from_environment  # type: ignore[import-not-found]

_AUTOCOMMIT_MS = 200


@pw.udf(deterministic=True)  # type: ignore[untyped-decorator]
def parse(value: bytes) -> tuple[str, int, str]:
    """Return a flight's key and delay, and an empty reason; or a reason."""
    try:
        flight = read(value)
    except MALFORMED as error:
        return "", 0, str(error)
    return flight.key, flight.delay, ""


@pw.udf(deterministic=True)  # type: ignore[untyped-decorator]
def as_text(value: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(value).decode()


def main() -> None:
    """Run until the process is ended."""
    settings = from_environment()
    client = {"bootstrap.servers": settings.servers, "group.id": settings.group, "auto.offset.reset": "earliest"}
    values = pw.io.kafka.read(client, topic=settings.input, format="raw", autocommit_duration_ms=_AUTOCOMMIT_MS)
    parsed = values.select(value=pw.this.data, parts=parse(pw.this.data))
    flights = parsed.select(pw.this.value, key=pw.this.parts[0], delay=pw.this.parts[1], reason=pw.this.parts[2])
    good = flights.filter(pw.this.reason == "")
    sums = good.groupby(pw.this.key).reduce(pw.this.key, count=pw.reducers.count(), total=pw.reducers.sum(pw.this.delay))
    counts = sums.select(pw.this.key, pw.this.count, mean=pw.this.total / pw.this.count)
    rejects = flights.filter(pw.this.reason != "").select(pw.this.reason, value=as_text(pw.this.value))
    pw.io.kafka.write(counts, client, topic_name=settings.output, format="json")
    pw.io.kafka.write(rejects, client, topic_name=settings.rejects, format="json")
    storage = pw.persistence.Backend.filesystem(settings.state)
    pw.run(
        persistence_config=pw.persistence.Config(storage, snapshot_interval_ms=round(settings.commit_seconds * 1000)),
        monitoring_level=pw.MonitoringLevel.NONE,
    )


if __name__ == "__main__":
    main()
