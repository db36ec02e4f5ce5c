"""Puts an input into its topic with Kafka's own console producer: a client in Python is slower than most contenders."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterable

from jobkit.cluster.sample import Record

from .errors import BenchmarkError
from .place import Place

_PROPERTIES = {"acks": "all", "linger.ms": 50, "batch.size": 262_144}
_RECORDS_BETWEEN_REPORTS = 20_000
_SECONDS_TO_END = 60


def feed(place: Place, servers: str, topic: str, records: Iterable[Record], progress: Callable[[int], None]) -> None:
    """Send records as fast as they go; a record's partition follows from its key.

    Args:
        place: What the producer runs with.
        servers: The broker.
        topic: Where the records go.
        records: Neither key nor value has a line break in it, nor the key a tabulator.
        progress: Called now and then with the number of those that were handed over.

    Raises:
        BenchmarkError: When the producer fails. One that the broker did not take, though it was tried again, is not noticed here.
    """
    command = [*place.kafka_tool("ConsoleProducer"), "--bootstrap-server", servers, "--topic", topic, "--property", "parse.key=true"]
    for name, value in _PROPERTIES.items():
        command += ["--producer-property", f"{name}={value}"]
    count = 0
    with tempfile.TemporaryFile() as said:
        producer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            with producer.stdin or said as lines:
                for count, record in enumerate(records, 1):
                    lines.write(b"%b\t%b\n" % (record.key or b"", record.value))
                    if count % _RECORDS_BETWEEN_REPORTS == 0:
                        progress(count)
            producer.wait(timeout=_SECONDS_TO_END)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            pass
        finally:
            producer.kill()
            producer.wait()
        said.seek(0)
        last = said.read().decode(errors="replace").strip().splitlines()[-1:]
    if producer.returncode != 0:
        raise BenchmarkError("The input could not be sent.", found="".join(last) or f"exit code {producer.returncode}", where=topic)
    if count % _RECORDS_BETWEEN_REPORTS:
        progress(count)
