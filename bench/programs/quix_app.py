"""The job for Quix Streams: exactly once, state in RocksDB with a changelog in Kafka."""

from __future__ import annotations

import base64

from flight import MALFORMED, Rejected, Result, read, write  # type: ignore[import-not-found]
from quixstreams import Application, State  # type: ignore[import-not-found]
from quixstreams.models.serializers import SerializationContext, Serializer  # type: ignore[import-not-found]
from settings import from_environment  # type: ignore[import-not-found]


def count(value: bytes, state: State) -> tuple[bool, bytes]:
    """Count one flight; return whether it is one, and the record to write. The state is that of the Kafka record's key, the flight's."""
    try:
        flight = read(value)
    except MALFORMED as error:
        return False, write(Rejected(str(error), base64.b64encode(value).decode()))
    number, total = state.get("count-and-sum", (0, 0))
    number, total = number + 1, total + flight.delay
    state.set("count-and-sum", (number, total))
    return True, write(Result(flight.key, number, total / number))


class Second(Serializer):  # type: ignore[misc]
    """Writes the bytes of what `count` returns: one chain that picks the topic, since two branches would copy every value."""

    def __call__(self, value: tuple[bool, bytes], ctx: SerializationContext) -> bytes:
        """Return them."""
        del ctx
        return value[1]


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
    output = app.topic(settings.output, value_serializer=Second())
    rejects = app.topic(settings.rejects, value_serializer=Second())
    results = app.dataframe(app.topic(settings.input, value_deserializer="bytes")).apply(count, stateful=True)
    results.to_topic(lambda value, _key, _timestamp, _headers: output if value[0] else rejects)
    app.run()


if __name__ == "__main__":
    main()
