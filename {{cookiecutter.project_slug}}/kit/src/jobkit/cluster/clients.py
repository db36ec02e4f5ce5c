"""kafka-python's clients, imported without the warnings that its own files cause."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import ClusterError
from .waiting import SECONDS_TO_START

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its own files in a way that Python has deprecated
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import KafkaAdminClient, NewTopic
    from kafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError

__all__ = [
    "InvalidReplicationFactorError",
    "KafkaError",
    "NewTopic",
    "TopicAlreadyExistsError",
    "TopicPartition",
    "admin",
    "reader",
    "writer",
]

_PATIENCE = {"bootstrap_timeout_ms": 1000 * SECONDS_TO_START}
"""A broker that has just started, on a busy machine, may need longer for its first answer than kafka-python waits by itself (30 s)."""


def admin(servers: str) -> Any:
    """Return a client that makes, lists and removes topics.

    Raises:
        ClusterError: When the broker does not answer.
    """
    with _connecting(servers):
        return KafkaAdminClient(bootstrap_servers=servers, **_PATIENCE)


def reader(servers: str, *, group: str | None = None, committed: bool = True, **options: Any) -> Any:
    """Return a consumer that reads from the beginning and commits nothing.

    Args:
        servers: The broker.
        group: The group whose offsets it asks for, if any.
        committed: Leave out what transactions have not committed.
        options: More of kafka-python's.

    Raises:
        ClusterError: When the broker does not answer.
    """
    with _connecting(servers):
        return KafkaConsumer(
            bootstrap_servers=servers,
            group_id=group,
            enable_auto_commit=False,
            isolation_level="read_committed" if committed else "read_uncommitted",
            auto_offset_reset="earliest",
            **{**_PATIENCE, **options},
        )


def writer(servers: str, *, linger_ms: int, **options: Any) -> Any:
    """Return a producer each of whose records is written once, in order, or refused.

    Args:
        servers: The broker.
        linger_ms: How long a batch may wait for more records.
        options: More of kafka-python's.

    Raises:
        ClusterError: When the broker does not answer.
    """
    with _connecting(servers):
        return KafkaProducer(
            bootstrap_servers=servers, acks="all", enable_idempotence=True, linger_ms=linger_ms, **{**_PATIENCE, **options}
        )


@contextmanager
def _connecting(servers: str) -> Iterator[None]:
    """Make the error of a client that finds no broker one of ours."""
    try:
        yield
    except KafkaError as error:
        raise ClusterError("The broker does not answer.", found=str(error), where=servers) from error
