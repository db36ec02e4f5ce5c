"""What a contender is: something that can be started on an input, watched, and stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from jobkit.cluster.rest import Checkpoint


class Contract(Enum):
    """What a contender writes, and so how its output is checked."""

    EACH = "one record for each record of the input"
    SAME = "the input as it is"
    FINAL = "an update for each key now and then, the last of each key among them"
    HOURS = "one row for each airport and hour, once it is over"
    LATEST_HOURS = "updates of the row of each airport and hour, the last one among them"

    @property
    def is_of_hours(self) -> bool:
        """Whether its input are flights in the order of time, and its output the delays of each airport and hour."""
        return self in {Contract.HOURS, Contract.LATEST_HOURS}


@dataclass(frozen=True)
class Task:
    """What a run gives a contender.

    Attributes:
        servers: The broker.
        input: The topic to read from its beginning.
        output: The topic for counts and means.
        rejects: The topic for malformed records.
        late: The topic for records that came too late.
        group: A consumer group of its own.
        folder: For state, checkpoints and logs; removed after the run.
        commit_seconds: The time between two checkpoints or commits.
    """

    servers: str
    input: str
    output: str
    rejects: str
    late: str
    group: str
    folder: Path
    commit_seconds: float

    @property
    def variables(self) -> dict[str, str]:
        """The same, for the environment of a program."""
        return {
            "BENCH_SERVERS": self.servers,
            "BENCH_INPUT": self.input,
            "BENCH_OUTPUT": self.output,
            "BENCH_REJECTS": self.rejects,
            "BENCH_LATE": self.late,
            "BENCH_GROUP": self.group,
            "BENCH_STATE": str(self.folder / "state"),
            "BENCH_COMMIT_SECONDS": str(self.commit_seconds),
        }


class Running(Protocol):
    """A contender at work."""

    def processes(self) -> Sequence[int]:
        """Return the ids of its processes; their children count with them."""

    def check(self) -> None:
        """Raise a JobkitError when it has failed."""

    def checkpoints(self) -> Sequence[Checkpoint]:
        """Return its checkpoints, in the order in which they began, while it is still running; none where it cannot be asked."""

    def stop(self) -> None:
        """End it, and wait until nothing of it is left."""


class Contender(Protocol):
    """A way to do the benchmark's job."""

    @property
    def name(self) -> str:
        """What it is called on the command line and in the results."""

    @property
    def guarantee(self) -> str:
        """What it promises when something fails, in words."""

    @property
    def contract(self) -> Contract:
        """What it writes."""

    @property
    def workers(self) -> str:
        """How it uses two cores, in words."""

    def prepare(self) -> Mapping[str, str]:
        """Fetch what it needs, once, and return the versions of what it is made of."""

    def start(self, task: Task) -> Running:
        """Start it; it may still be starting when this returns."""
