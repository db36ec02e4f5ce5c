"""Which keys share a batch: those of one key group, so that batches divide over subtasks as Flink divides keys."""

from __future__ import annotations

import functools
import math
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
    row = jvm.org.apache.flink.types.Row(1)
    while len(buckets) < max_parallelism:
        row.setField(0, number)
        buckets.setdefault(assignment.assignToKeyGroup(row, max_parallelism), number)
        number += 1
    return tuple(buckets[group] for group in range(max_parallelism))


def key_group(key: Hashable, count: int) -> int:
    """Return the key group of a key; the same in every process and Python version, and for equal keys.

    Args:
        key: A text or a number.
        count: How many key groups there are.

    Raises:
        ConfigurationError: When it is something else.
    """
    return crc32(key.encode() if type(key) is str else repr(_number(key)).encode()) % count


def normal(key: Hashable) -> Hashable:
    """Return a key as it is written in the state: of 0.0 and -0.0, which are one key to Python and two to Java's maps, the first."""
    return 0.0 if type(key) is float and key == 0 else key


def _number(key: Any) -> int | float:
    """Return a number as it is written: 1 and 1.0 are one key to a dictionary.

    Of no other class, not even of one that inherits from these: Flink would write an enum's member otherwise than it is compared.
    """
    if type(key) is int:
        return key
    if type(key) is float and not math.isnan(key):  # which equals no key, not even itself
        return int(key) if key.is_integer() else key
    raise ConfigurationError(
        "A key is a text or a number.",
        found=f"{key!r}, of the class {type(key).__module__}.{type(key).__qualname__}",
        where="what the function `key`, given to jobkit.batches.read, returned",
        remedy="Make one text of it, or of its parts.",
    )
