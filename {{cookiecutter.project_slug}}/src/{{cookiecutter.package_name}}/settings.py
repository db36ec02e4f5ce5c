"""What differs between places: topics, names and bounds of time, from the environment, each checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from jobkit.errors import ConfigurationError

from .connection import Connection

LONGEST_TRANSACTION = 15 * 60
"""Seconds: the broker's `transaction.max.timeout.ms`. Raise this only after the broker's."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")


@dataclass(frozen=True)
class Settings:
    """The job's settings. The defaults suit a local run; every place sets its own servers.

    Attributes:
        job_name: The job's name in Flink, and the beginning of its transactional ids: unique in the Kafka cluster.
        kafka: How to reach Kafka.
        group_id: The consumer group whose offsets show how far the job has read.
        flights_topic: Where flights are read from.
        stats_topic: Where the delays of each airport and hour are written to.
        late_topic: Where flights go whose hour was over when they came.
        rejected_topic: Where records go that are no flights.
        out_of_orderness: How much later than a later one a flight may come and still count, in seconds of event time.
        idleness: After how many seconds without a flight a partition is no longer waited for.
        batch_time: How long a flight waits for others to be processed with, in milliseconds: longer is more throughput,
            and more latency. 0 processes each alone.
        transaction_timeout: After how many seconds Kafka gives up a transaction that nobody commits. It must be more
            than the time between checkpoints and the longest outage together: what it gives up is lost.
    """

    job_name: str = "{{ cookiecutter.project_slug }}"
    kafka: Connection = field(default_factory=Connection)
    group_id: str = "{{ cookiecutter.project_slug }}"
    flights_topic: str = "flights"
    stats_topic: str = "delay-stats"
    late_topic: str = "flights-late"
    rejected_topic: str = "flights-rejected"
    out_of_orderness: int = 10 * 60
    idleness: int = 30
    batch_time: int = 100
    transaction_timeout: int = LONGEST_TRANSACTION

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from environment variables; what is not set keeps its default.

        Raises:
            ConfigurationError: For the first variable that cannot be used.
        """
        settings = cls(
            job_name=_name(environ, "JOB_NAME", cls.job_name),
            kafka=Connection.from_environment(environ),
            group_id=_name(environ, "KAFKA_GROUP_ID", cls.group_id),
            flights_topic=_name(environ, "FLIGHTS_TOPIC", cls.flights_topic),
            stats_topic=_name(environ, "STATS_TOPIC", cls.stats_topic),
            late_topic=_name(environ, "LATE_TOPIC", cls.late_topic),
            rejected_topic=_name(environ, "REJECTED_TOPIC", cls.rejected_topic),
            out_of_orderness=_number(environ, "OUT_OF_ORDERNESS_SECONDS", cls.out_of_orderness, 0, 7 * 24 * 3600),
            idleness=_number(environ, "IDLENESS_SECONDS", cls.idleness, 1, 24 * 3600),
            batch_time=_number(environ, "BATCH_MILLISECONDS", cls.batch_time, 0, 60_000),
            transaction_timeout=_number(environ, "TRANSACTION_TIMEOUT_SECONDS", cls.transaction_timeout, 60, LONGEST_TRANSACTION),
        )
        topics = (settings.flights_topic, settings.stats_topic, settings.late_topic, settings.rejected_topic)
        if len(set(topics)) < len(topics):
            raise ConfigurationError(
                "Two topics have the same name.",
                found=", ".join(topics),
                where="FLIGHTS_TOPIC, STATS_TOPIC, LATE_TOPIC, REJECTED_TOPIC",
                remedy="Give each a name of its own.",
            )
        return settings


def _name(environ: Mapping[str, str], variable: str, default: str) -> str:
    text = environ.get(variable, default)
    if not _NAME.fullmatch(text) or text in {".", ".."}:
        raise ConfigurationError(
            f"{variable} is not a name that Kafka takes.",
            found=repr(text),
            where=f"environment variable {variable}",
            remedy="Use up to 200 letters, digits, dots, underscores and hyphens.",
        )
    return text


def _number(environ: Mapping[str, str], variable: str, default: int, least: int, most: int) -> int:
    text = environ.get(variable, str(default))
    if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most and len(text) <= len(str(most))):
        raise ConfigurationError(
            f"{variable} is not a number that the job can use.",
            found=repr(text),
            where=f"environment variable {variable}",
            remedy=f"Write a whole number from {least} to {most}.",
        )
    return int(text)
