"""What a rehearsed job is fed: the project's sample, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..cluster import sample as samples
from ..cluster.sample import Record, Verdict
from ..project import Project


class Nothing:
    """Stands for the sample of a project that has none; a `Sample`."""

    input_topic = ""
    partitions = 1
    output_topics: Sequence[str] = ()
    group_id = ""
    held_back = 0

    def __len__(self) -> int:
        """Return 0."""
        return 0

    def records(self) -> Iterator[Record]:
        """Return no records."""
        return iter(())

    def judge(self, input: Sequence[Record], outputs: Mapping[str, Sequence[Record]]) -> Verdict:  # noqa: A002
        """Return an empty verdict: nothing is expected of nothing."""
        del input, outputs
        return Verdict("", (), (), {}, ())


def load(project: Project, environment: Mapping[str, str], *, is_wanted: bool) -> samples.Sample:
    """Return the project's sample, or what stands for it when there is none, or none is wanted."""
    return samples.load(project, environment) if is_wanted and project.sample is not None else Nothing()
