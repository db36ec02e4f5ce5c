"""Kafka to Kafka with no Python in between: what the cluster can do at best."""

from __future__ import annotations

from pyflink.common import WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment

from .kafka import sink, source
from .settings import Settings


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Write what is read."""
    env.from_source(source(settings), WatermarkStrategy.no_watermarks(), "input").sink_to(sink(settings, settings.output))
