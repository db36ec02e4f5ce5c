"""The topics of one test: their own, on a broker that all tests of a session share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeAlias

from ..cluster import progress
from ..cluster.rest import RestClient
from ..cluster.sample import Record
from ..cluster.topics import Topics
from ..errors import ConfigurationError
from ..project import NamesForTests

__tracebackhide__ = True  # pytest shows the test's own lines; --full-trace shows these, too
PARTITIONS = 2
"""How many partitions each topic has: one for each source of a job with two subtasks."""

Value: TypeAlias = "Record | bytes | str"


class Servers(Protocol):
    """The addresses of a broker.

    Attributes:
        servers: That for this machine.
        job_servers: That for the job, which faults can cut off.
    """

    @property
    def servers(self) -> str:
        """The address for this machine."""

    @property
    def job_servers(self) -> str:
        """The address for the job."""


class Kafka:
    """Topics of a test's own, under the names that `[tool.jobkit.testing]` gives them.

    Attributes:
        topics: The real name of each topic.
        group: The job's consumer group.
        environment: The variables that tell the job all that.
        servers: The broker's address for programs on this machine; the job has another when it runs in containers.
    """

    def __init__(self, broker: Servers, names: NamesForTests, suffix: str) -> None:
        """Make the topics.

        Args:
            broker: Where they are made.
            names: How the job is told.
            suffix: Makes every name unique on this broker.
        """
        self._broker = broker
        self._client = Topics(broker.servers)
        self.topics: Mapping[str, str] = {topic: f"{topic}-{suffix}" for topic in names.topics}
        self.group = f"test-{suffix}"
        self.servers = broker.servers
        self.environment: Mapping[str, str] = {
            **{variable: self.topics[topic] for topic, variable in names.topics.items()},
            **dict.fromkeys((names.group, *names.names), f"test-{suffix}"),
            names.servers: broker.job_servers,
        }
        self._produced: set[str] = set()
        self._client.create(self.topics.values(), PARTITIONS)

    def produce(self, topic: str, values: Iterable[Value]) -> int:
        """Send records, and return how many; they are all acknowledged then.

        Args:
            topic: The topic, by its name in `[tool.jobkit.testing]`.
            values: The records, or their values. Those with the same key go to the same partition.
        """
        name = self.name(topic)
        self._produced.add(name)
        return self._client.produce(name, map(record, values), PARTITIONS)

    def records(self, topic: str) -> list[Record]:
        """Return all records of a topic whose transactions were committed, partition by partition, each in its order.

        Raises:
            ClusterError: When a transaction stays open.
        """
        return self._client.read(self.name(topic))

    def values(self, topic: str) -> list[bytes]:
        """Return the values of `records`."""
        return [record.value for record in self.records(topic)]

    def outputs(self, topics: Iterable[str]) -> dict[str, Sequence[Record]]:
        """Return the records of several topics, named by their real names or their names in tests."""
        return {topic: self.records(topic) for topic in topics}

    def read(self, rest: RestClient, job: str) -> progress.Offsets:
        """Return how far a job has read the topics that were produced to."""
        return progress.read(rest, job, self._client, self.group, self._produced)

    def unread(self, reached: progress.Offsets) -> int:
        """Return how many of the records that were produced lie beyond what was reached."""
        return progress.unread(reached, self._client, self._produced)

    def name(self, topic: str) -> str:
        """Return the real name of a topic.

        Raises:
            ConfigurationError: When tests have no such topic.
        """
        if topic in self.topics.values():
            return topic
        if topic not in self.topics:
            raise ConfigurationError(
                f"Tests have no topic {topic!r}.",
                found=", ".join(self.topics),
                where="pyproject.toml, [tool.jobkit.testing] topics",
                remedy=f'Add {topic} = "THE_VARIABLE_THAT_NAMES_IT".',
            )
        return self.topics[topic]

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Have no connection while the broker is restarted: the clients do not find back by themselves."""
        self._client.close()
        yield
        self._client = Topics(self._broker.servers)

    def close(self) -> None:
        """Remove the topics, and close all connections."""
        try:
            self._client.delete(self.topics.values())
        finally:
            self._client.close()


def record(value: Value) -> Record:
    """Return a record of a value, which has no key."""
    if isinstance(value, Record):
        return value
    return Record(None, value.encode() if isinstance(value, str) else value)
