"""How far a job has read its input."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

from .rest import RestClient
from .topics import Topics

_OFFSET = re.compile(r"KafkaSourceReader\.topic\.(?P<topic>.+)\.partition\.(?P<partition>\d+)\.currentOffset$")


Offsets: TypeAlias = dict[tuple[str, int], int]
"""The offset of the next record, by topic and partition."""


def read(rest: RestClient, job: str, topics: Topics, group: str, names: Iterable[str]) -> Offsets:
    """Return how far a job has read some topics.

    What a source has read shows in its metric `currentOffset`, once it has read anything since its start, and in the
    offsets that its consumer group has committed. The latter alone would do, but be late: the source commits between
    two polls, and a poll for which there is nothing new takes 10 s (POLL_TIMEOUT in KafkaPartitionSplitReader).

    Args:
        rest: The cluster.
        job: The job's id.
        topics: The broker.
        group: The consumer group of the job's sources.
        names: The topics.
    """
    current: Offsets = {}
    for name, value in rest.largest_metrics(job, _OFFSET).items():
        found = _OFFSET.search(name)
        if found:
            current[found["topic"], int(found["partition"])] = int(value) + 1
    return {
        (topic, partition): max(offset, current.get((topic, partition), 0))
        for topic in names
        for partition, offset in topics.committed_offsets(group, topic).items()
    }


def unread(reached: Offsets, topics: Topics, names: Iterable[str]) -> int:
    """Return how many records of some topics lie beyond what was reached."""
    ends = {(topic, partition): end for topic in names for partition, end in topics.ends(topic).items()}
    return sum(max(0, end - reached.get(place, 0)) for place, end in ends.items())
