"""The template's own job, as a project with the default answers has it: delays of each airport and hour, in event time."""

from __future__ import annotations

from flight_delays.connection import Connection  # type: ignore[import-not-found]
from flight_delays.pipeline import build as build_job  # type: ignore[import-not-found]
from flight_delays.settings import Settings as JobSettings  # type: ignore[import-not-found]
from pyflink.datastream import StreamExecutionEnvironment

from .settings import Settings


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Build the job, with its own defaults but for names."""
    build_job(
        env,
        JobSettings(
            job_name=settings.group,
            kafka=Connection(servers=settings.servers),
            group_id=settings.group,
            flights_topic=settings.input,
            stats_topic=settings.output,
            late_topic=settings.late,
            rejected_topic=settings.rejects,
        ),
    )
