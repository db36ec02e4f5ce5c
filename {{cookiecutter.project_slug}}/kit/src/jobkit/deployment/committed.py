"""What a version has committed to Kafka: how far its topics were before and after it, and the committed records in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import JobkitError
from .change import Change
from .version import Version


def is_countable(change: Change, new: Version) -> bool:
    """Say whether Kafka answers from here; asked while the old version runs, so that nobody waits for that when it is stopped."""
    return ends(change, new) is not None


def ends(change: Change, new: Version) -> dict[str, Any] | None:
    """Return how far the topics are that a version writes to, or None when Kafka cannot be asked from here."""
    try:
        return new.examiner.ends()
    except JobkitError as error:
        change.tell(f"what the new version commits cannot be counted: {error}")
        return None


def between(change: Change, new: Version, begin: Mapping[str, Any] | None, end: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the committed records between two such points by topic and partition, as `{"from", "to", "records"}`; None when not known."""
    if begin is None or end is None:
        return None
    try:
        counts = new.examiner.count(begin, end)
    except JobkitError as error:
        change.tell(f"what the new version has committed cannot be counted: {error}")
        return None
    return {
        topic: {
            partition: {"from": begin.get(topic, {}).get(partition, 0), "to": end[topic][partition], "records": records}
            for partition, records in partitions.items()
        }
        for topic, partitions in counts.items()
    }


def uncounted(new: Version) -> list[str] | None:
    """Return the sinks of a version that do not say where they write to, or None when it cannot be asked."""
    try:
        return list(new.examiner.description["unknown_sinks"])
    except JobkitError:
        return None
