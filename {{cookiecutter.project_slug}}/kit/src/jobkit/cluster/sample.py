"""The sample: what a local run feeds the job, and how it judges what came out."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, NamedTuple, Protocol, cast

from .. import entry
from ..errors import ConfigurationError, JobkitError
from ..project import Project
from . import failure


class Record(NamedTuple):
    """A Kafka record: its key, which may be missing, and its value."""

    key: bytes | None
    value: bytes


@dataclass(frozen=True)
class Verdict:
    """What a run came to.

    Attributes:
        title: Says what the table shows.
        columns: The heads of its columns.
        rows: Its first rows, as texts.
        counts: How many records of each kind there were.
        differences: Each deviation from what was expected, one line; empty when all is right.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    counts: dict[str, int]
    differences: Sequence[str]


class Sample(Protocol):
    """What `[tool.jobkit] sample` names: a class that takes the job's settings. It may have a method `endless`, see there.

    Attributes:
        input_topic: The topic that the job reads.
        partitions: How many partitions each topic has.
        output_topics: The topics that the job writes.
        group_id: The consumer group whose committed offsets show how far the job is.
        held_back: How many of the last records are fed only once the job has processed all others: late ones, say.
    """

    input_topic: str
    partitions: int
    output_topics: Sequence[str]
    group_id: str
    held_back: int

    def __len__(self) -> int:
        """Return the number of records."""

    def records(self) -> Iterator[Record]:
        """Return the records, the same ones in the same order each time."""

    def judge(self, input: Sequence[Record], outputs: Mapping[str, Sequence[Record]]) -> Verdict:  # noqa: A002
        """Compare what came out with an independent computation over what went in."""


def endless(sample: Sample) -> tuple[Iterator[Record], bool]:
    """Return records without end, and whether they are the sample's own: `endless()`, which a sample may have.

    Another sample is repeated as it is. To a job in event time all but the first round of it is late.
    """
    own = getattr(sample, "endless", None)
    if own is not None:
        return own(), True
    return chain.from_iterable(sample.records() for _ in repeat(None)), False


def load(project: Project, environment: Mapping[str, str]) -> Sample:
    """Make the project's sample.

    Args:
        project: Its `sample` names the class.
        environment: The variables that the job's settings are read from, on top of this process's own.

    Raises:
        ConfigurationError: When there is none, or the settings are wrong.
        JobFailed: When the job's or the sample's modules raise something else.
    """
    if project.sample is None:
        raise ConfigurationError(
            "The project has no sample to feed the job.",
            where=f"{project.root / 'pyproject.toml'}, [tool.jobkit]",
            remedy='Write sample = "sample.module:Class"; its methods are those of jobkit.cluster.sample.Sample.',
        )
    try:
        settings = entry.settings(entry.find(project), {**os.environ, **environment})
        kind: Any = entry.attribute(project.sample, "sample", project)
        return cast("Sample", kind(settings))
    except JobkitError:
        raise
    except Exception as error:
        raise failure.read(traceback.format_exc()).error("The project's own code fails before anything is started.") from error
