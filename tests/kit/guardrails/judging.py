"""Builds a job as launch does, and judges it by all the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from jobkit import graph, states
from jobkit.guardrails import Job, Result, judge
from jobkit.origins import Origins
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment

Build = Callable[[StreamExecutionEnvironment], None]

PRODUCTION = {
    "parallelism.default": "1",
    "pipeline.max-parallelism": "128",
    "pipeline.auto-generate-uids": "false",
    "python.execution-mode": "thread",
    "state.backend.type": "rocksdb",
    "execution.checkpointing.incremental": "true",
    "execution.checkpointing.interval": "30 s",
    "execution.checkpointing.mode": "EXACTLY_ONCE",
    "execution.checkpointing.min-pause": "10 s",
    "execution.checkpointing.timeout": "10 min",
    "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    "execution.checkpointing.dir": "s3://bucket/checkpoints",
    "execution.checkpointing.savepoint-dir": "s3://bucket/savepoints",
}
"""A configuration that no rule finds fault with."""


def built(build: Build, changes: Mapping[str, str | None] | None = None) -> graph.JobGraph:
    """Build a job with the production configuration; a change to None leaves the key out."""
    configuration = Configuration()
    for key, value in {**PRODUCTION, **(changes or {})}.items():
        if value is not None:
            configuration.set_string(key, value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    with Origins() as origins:
        build(env)
    return graph.read(env, origins, "job")


def judged(build: Build, changes: Mapping[str, str | None] | None = None, environment: str = "prod") -> list[Result]:
    """Build a job and return what every rule came to; its functions are not opened, which takes most of the time."""
    return judge(Job(built(build, changes), environment))


def judged_with_states(build: Build) -> list[Result]:
    """Build a job twice, find its states, and return what every rule came to."""
    job, again = built(build), built(build)
    return judge(Job(states.discover(job, again), "prod", again))


def by_rule(results: list[Result], rule: str) -> list[Result]:
    """Return what one rule came to; a rule that is not in force comes to nothing, which fails every test of it."""
    found = [result for result in results if result.rule == rule]
    assert found, f"{rule} was not judged"
    return found


def line_of(file: str | Path, mark: str) -> int:
    """Return the only line of a file that ends with a mark."""
    lines = [number for number, line in enumerate(Path(file).read_text(encoding="utf-8").splitlines(), 1) if line.endswith(f"# {mark}")]
    assert len(lines) == 1, (mark, lines)
    return lines[0]
