"""What is asked of a rehearsal, and what is known before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..graph import JobGraph
from ..state.fates import Compatibility


@dataclass(frozen=True)
class Wishes:
    """What the user asks for.

    Attributes:
        snapshot: The folder of the snapshot, or its address.
        seconds: For how long the job processes.
        production_input: Whether its sources read production's topics.
        allowed: The uids of sources and sinks that may run as they are.
        topics: More topics for the local broker.
        parallelism: The job's; by default that of conf/local.yaml, or 2.
        within: Seconds in which the restore, and each checkpoint and savepoint, must be complete.
    """

    snapshot: str
    seconds: float = 15
    production_input: bool = False
    allowed: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    parallelism: int | None = None
    within: float = 600


@dataclass(frozen=True)
class Premise:
    """What was found out of the job and the snapshot, before anything is started.

    Attributes:
        graph: The job.
        compatibility: What the check of the snapshot came to.
        values: The configuration of the snapshot's environment.
    """

    graph: JobGraph
    compatibility: Compatibility
    values: Mapping[str, str] = field(repr=False)

    @property
    def leaves_behind(self) -> bool:
        """Whether Flink must be told that operators of the snapshot go: when the project's lock gives them all up."""
        known = {operator.id for operator in self.graph.operators}
        gone = [fate for fate in self.compatibility.fates if fate.verdict == "dropped" and fate.id not in known]
        return bool(gone) and all(fate.allowed for fate in gone)
