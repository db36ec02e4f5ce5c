"""The job for Bytewax: two processes of one worker each, and a recovery store."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op  # type: ignore[import-not-found]
from bytewax._bytewax import cluster_main  # type: ignore[import-not-found]
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource  # type: ignore[import-not-found]
from bytewax.dataflow import Dataflow  # type: ignore[import-not-found]
from bytewax.recovery import RecoveryConfig, init_db_dir  # type: ignore[import-not-found]
from flight import MALFORMED, Flight, Rejected, Result, read, write  # type: ignore[import-not-found]
from settings import from_environment  # type: ignore[import-not-found]

_PROCESSES = 2
_BATCH = 1_000
_ADDRESSES = "BENCH_ADDRESSES"


def parse(message: Any) -> tuple[str, Any]:
    """Return a flight and its key, or why there is none, with the bytes."""
    try:
        flight = read(message.value)
    except MALFORMED as error:
        return "", Rejected(str(error), base64.b64encode(message.value).decode())
    return flight.key, flight


def count(state: tuple[int, int] | None, flight: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Count one flight."""
    number, total = state or (0, 0)
    state = number + 1, total + flight.delay
    return state, state


def counted(item: tuple[str, tuple[int, int]]) -> Any:
    """Return the record for the output."""
    key, (number, total) = item
    return KafkaSinkMessage(key.encode(), write(Result(key, number, total / number)))


def rejected(item: tuple[str, Any]) -> Any:
    """Return the record for the reject topic."""
    return KafkaSinkMessage(None, write(item[1]))


def flow() -> Any:
    """Build the dataflow."""
    settings = from_environment()
    graph = Dataflow("flights")
    messages = op.input("input", graph, KafkaSource([settings.servers], [settings.input], batch_size=_BATCH))
    parts = op.branch("is-good", op.map("parse", messages, parse), lambda item: isinstance(item[1], Flight))
    counts = op.map("counted", op.stateful_map("count", parts.trues, count), counted)
    op.output("counts", counts, KafkaSink([settings.servers], settings.output))
    op.output("rejects", op.map("rejected", parts.falses, rejected), KafkaSink([settings.servers], settings.rejects))
    return graph


def main() -> None:
    """Run one process of the cluster; the first one starts the other."""
    settings = from_environment()
    addresses, number = os.environ.get(_ADDRESSES, ""), 1
    store = Path(settings.state)
    if not addresses:
        init_db_dir(store, _PROCESSES)
        addresses, number = ",".join(_addresses()), 0
        subprocess.Popen([sys.executable, __file__], env={**os.environ, _ADDRESSES: addresses})  # noqa: S603
    cluster_main(
        flow(),
        addresses.split(","),
        number,
        epoch_interval=timedelta(seconds=settings.commit_seconds),
        recovery_config=RecoveryConfig(str(store)),
        worker_count_per_proc=1,
    )


def _addresses() -> list[str]:
    """Return an address with a free port for each process."""
    sockets = [socket.socket() for _ in range(_PROCESSES)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    finally:
        for each in sockets:
            each.close()


if __name__ == "__main__":
    main()
