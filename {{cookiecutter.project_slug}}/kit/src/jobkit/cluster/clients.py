"""kafka-python's clients, imported without the warnings that its own files cause."""

from __future__ import annotations

import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its own files in a way that Python has deprecated
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import KafkaAdminClient, NewTopic
    from kafka.errors import KafkaError

__all__ = ["KafkaAdminClient", "KafkaError", "NewTopic", "TopicPartition", "reader", "writer"]


def reader(servers: str, *, group: str | None = None, committed: bool = True, **options: Any) -> Any:
    """Return a consumer that reads from the beginning and commits nothing.

    Args:
        servers: The broker.
        group: The group whose offsets it asks for, if any.
        committed: Leave out what transactions have not committed.
        options: More of kafka-python's.
    """
    return KafkaConsumer(
        bootstrap_servers=servers,
        group_id=group,
        enable_auto_commit=False,
        isolation_level="read_committed" if committed else "read_uncommitted",
        auto_offset_reset="earliest",
        **options,
    )


def writer(servers: str, *, linger_ms: int, **options: Any) -> Any:
    """Return a producer each of whose records is written once, in order, or refused.

    Args:
        servers: The broker.
        linger_ms: How long a batch may wait for more records.
        options: More of kafka-python's.
    """
    return KafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True, linger_ms=linger_ms, **options)
