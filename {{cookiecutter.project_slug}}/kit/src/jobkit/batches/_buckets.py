"""Which keys share a batch: those of one key group, so that batches divide over subtasks as Flink divides keys."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from typing import Any
from zlib import crc32

from pyflink.java_gateway import get_gateway

from ..errors import ConfigurationError

MOST = 1024
"""The largest maximum parallelism for which buckets are made."""


@functools.cache
def of_key_groups(max_parallelism: int) -> tuple[int, ...]:
    """Return a bucket for each key group: the least number that Flink assigns to it.

    Args:
        max_parallelism: How many key groups there are.

    Raises:
        ConfigurationError: When it is not set, or larger than `MOST`.
    """
    if not 0 < max_parallelism <= MOST:
        raise ConfigurationError(
            "Batches need to know the maximum parallelism.",
            found=str(max_parallelism) if max_parallelism > 0 else "it is not set",
            where="env.set_max_parallelism, before jobkit.batches.read",
            remedy=f"Set it to a number from 1 to {MOST}, such as 128, and never change it.",
        )
    jvm = get_gateway().jvm
    assignment = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment
    buckets: dict[int, int] = {}
    number = 0
    while len(buckets) < max_parallelism:
        row = jvm.org.apache.flink.types.Row(1)
        row.setField(0, number)
        buckets.setdefault(assignment.assignToKeyGroup(row, max_parallelism), number)
        number += 1
    return tuple(buckets[group] for group in range(max_parallelism))


def key_group(key: Hashable, count: int) -> int:
    """Return the key group of a key; the same in every process and Python version, and for equal keys.

    Args:
        key: A text, bytes, a number, or a tuple of such.
        count: How many key groups there are.

    Raises:
        ConfigurationError: When it is something else.
    """
    content = key.encode() if isinstance(key, str) else key if isinstance(key, bytes) else repr(_plain(key)).encode()
    return crc32(content) % count


def _plain(key: Any) -> Any:
    """Return a key as each process writes it: an object of another class may have its address in its text, or its order by chance."""
    kind = type(key)
    if kind is int or kind is str or kind is bytes or key is None:
        return key
    if kind is bool or kind is float:  # True, 1 and 1.0 are one key to a dictionary
        return int(key) if kind is bool or key.is_integer() else key
    if isinstance(key, tuple):
        return tuple(_plain(part) for part in key)
    raise ConfigurationError(
        "A key is a text, bytes, a number, or a tuple of such.",
        found=f"{key!r}, of the class {kind.__module__}.{kind.__qualname__}",
        where="what the function `key`, given to jobkit.batches.read, returned",
        remedy="Make a text of it.",
    )
