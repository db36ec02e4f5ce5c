"""What a rehearsed job has read and written, and what its user should know of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..cluster.rest import RestClient
from ..cluster.topics import Topics
from .copying import Copied
from .ends import End
from .positions import Positions

_OFFSET = re.compile(r"KafkaSourceReader\.topic\.(?P<topic>.+)\.partition\.(?P<partition>\d+)\.currentOffset$")


class Accounts:
    """The books of one rehearsal."""

    def __init__(self, ends: Sequence[End], positions: Mapping[str, Positions | None], *, is_productions: bool) -> None:
        """Take what is known of the job's ends.

        Args:
            ends: Its sources and sinks.
            positions: By operator id of a source: how far it had read in the snapshot.
            is_productions: Whether the sources read production's topics.
        """
        self._is_productions = is_productions
        self._sinks = [end for end in ends if end.role == "sink" and end.is_kafka]
        self._read = {topic for end in ends if end.role == "source" for topic in end.topics}
        self._starts = {split: offset for known in positions.values() for split, offset in (known or {}).items()}

    @property
    def _restored(self) -> set[str]:
        """The topics that the snapshot's sources have read."""
        return {topic for topic, _ in self._starts}

    def read(self, rest: RestClient, job: str) -> dict[str, int]:
        """Return how many records of each topic were read: in production's, how many offsets since the snapshot."""
        found = dict.fromkeys(sorted(self._read), 0)
        for name, value in rest.largest_metrics(job, _OFFSET).items():
            match = _OFFSET.search(name)
            if match is None or value < 0:  # it has read nothing
                continue
            start = self._starts.get((match["topic"], int(match["partition"])), 0) if self._is_productions else 0
            found[match["topic"]] = found.get(match["topic"], 0) + max(0, int(value) + 1 - max(0, start))
        return found

    def written(self, topics: Topics, names: Iterable[str]) -> dict[str, int]:
        """Return how many committed records each of the local topics holds that the job does not read."""
        return {topic: len(topics.read(topic)) for topic in names if topic not in self._read | self._restored}

    def notes(self, copied: Copied, *, has_sample: bool) -> Iterator[str]:
        """Yield what else the user should know."""
        if copied.left_out:
            yield "Transactions that the snapshot holds uncommitted were left out of the copy: only production's Kafka can end them."
        if self._read and self._restored - self._read:
            theirs, ours = ", ".join(sorted(self._restored - self._read)), ", ".join(sorted(self._read))
            yield f"The snapshot's sources have read {theirs}, those of the job read {ours}: give it production's settings."
        if not has_sample and not self._is_productions:
            yield "The project has no sample: nothing was read, so that no function has read its state. See --production-input."
        unknown = ", ".join(end.label for end in self._sinks if not end.topics)
        if unknown:
            yield f"{unknown}: the topic depends on the record. One that the rehearsal's broker does not have is named with --topic."
