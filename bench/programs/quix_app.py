"""The job for Quix Streams: exactly once, state in RocksDB with a changelog in Kafka."""

from __future__ import annotations

import base64
from typing import Any

from flight import MALFORMED, read  # type: ignore[import-not-found]
from quixstreams import Application, State  # type: ignore[import-not-found]
from settings import from_environment  # type: ignore[import-not-found]


def parse(value: bytes) -> dict[str, Any]:
    """Return a flight's key and delay, or why there are none, with the bytes."""
    try:
        flight = read(value)
    except MALFORMED as error:
        return {"reason": str(error), "value": base64.b64encode(value).decode()}
    return {"key": flight.key, "delay": flight.delay}


def count(value: bytes, state: State) -> dict[str, Any]:
    """Count one flight; the state is that of the Kafka record's key, which is the flight's."""
    flight = parse(value)
    if "reason" in flight:
        return flight
    number, total = state.get("count-and-sum", (0, 0))
    number, total = number + 1, total + flight["delay"]
    state.set("count-and-sum", (number, total))
    return {"key": flight["key"], "count": number, "mean": total / number}


def main() -> None:
    """Run until the process is ended."""
    settings = from_environment()
    app = Application(
        broker_address=settings.servers,
        consumer_group=settings.group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=settings.commit_seconds,
        state_dir=settings.state,
        loglevel="INFO",
    )
    output = app.topic(settings.output, value_serializer="json")
    rejects = app.topic(settings.rejects, value_serializer="json")
    results = app.dataframe(app.topic(settings.input, value_deserializer="bytes")).apply(count, stateful=True)
    # One chain that picks the topic: two branches would copy every value.
    results.to_topic(lambda value, _key, _timestamp, _headers: rejects if "reason" in value else output)
    app.run()


if __name__ == "__main__":
    main()
