"""What every program is told, through its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where a program reads and writes.

    Attributes:
        servers: The broker.
        input: The topic to read from its beginning; four partitions, keyed.
        output: The topic for `{"key", "count", "mean"}`, one for each good record.
        rejects: The topic for `{"reason", "value"}`, the value in base64, one for each malformed record.
        late: The topic for flights that came too late, of the template's own job.
        group: The consumer group, new in each run; transactional ids may begin with it.
        state: A folder for state, if the program keeps any itself.
        commit_seconds: The time between two commits.
    """

    servers: str
    input: str
    output: str
    rejects: str
    late: str
    group: str
    state: str
    commit_seconds: float


def from_environment() -> Settings:
    """Return the settings of this process."""
    value = os.environ
    return Settings(
        servers=value["BENCH_SERVERS"],
        input=value["BENCH_INPUT"],
        output=value["BENCH_OUTPUT"],
        rejects=value["BENCH_REJECTS"],
        late=value["BENCH_LATE"],
        group=value["BENCH_GROUP"],
        state=value["BENCH_STATE"],
        commit_seconds=float(value["BENCH_COMMIT_SECONDS"]),
    )
