"""Send rejected or late records again: `python -m {{ cookiecutter.package_name }}.replay --help`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from itertools import chain

from jobkit.errors import ConfigurationError, JobkitError
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from .records import Malformed, original, parse
from .settings import Settings

_ABOUT = """\
Send what the job put aside to another topic, byte for byte as it first came, and keyed by its origin where it has one.

rejected: each record's original bytes. Unless the job's parser has changed since, or a program between the topics
mends them, the job will reject them again.

late: each flight as it was read. Its hour was emitted without it, and the job has forgotten that hour: sent to the
topic that the job reads, it is late once more and comes back. Send late flights to a topic of their own, and let
whoever reads delay-stats add them to the rows that are there; or to the input of a job that starts with no state.

A second call goes on where the first one stopped, also after a crash: reading and writing are one transaction."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__}.replay", description=_ABOUT, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("rejected", "late"))
    parser.add_argument("--to", required=True, metavar="TOPIC", help="the topic to send them to; it must exist")
    options = parser.parse_args(arguments)
    try:
        settings = Settings.from_environment(os.environ)
    except JobkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    source, restore = (settings.rejected_topic, original) if options.what == "rejected" else (settings.late_topic, bytes)
    try:
        count = replay(settings, source, restore, options.to)
    except JobkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except Malformed as error:
        print(f"error: {source} holds a record that the job has not written: {error}.", file=sys.stderr)
        return 2
    except KafkaError as error:
        print(f"error: Kafka at {settings.kafka.servers} did not do it: {error or type(error).__name__}", file=sys.stderr)
        return 2
    print(f"{count} records sent from {source} to {options.to}.")
    return 0


def replay(settings: Settings, source: str, restore: Callable[[bytes], bytes], target: str) -> int:
    """Copy what a topic holds now, and was not copied before, to another topic.

    Args:
        settings: Where Kafka is, and the name of the job.
        source: The topic to read, committed records only.
        restore: Makes the record to send from the record that was read.
        target: The topic to write to.

    Returns:
        How many records were copied.

    Raises:
        ConfigurationError: When one of the topics does not exist, or both are the same.
        KafkaError: When Kafka is not there, or refuses.
    """
    name = f"{settings.job_name}-replay-{source}-to-{target}"
    consumer = KafkaConsumer(
        group_id=name, isolation_level="read_committed", auto_offset_reset="earliest", enable_auto_commit=False, **settings.kafka.client()
    )
    try:
        _check_topics(consumer, source, target)
        partitions = [TopicPartition(source, number) for number in sorted(consumer.partitions_for_topic(source))]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        producer = KafkaProducer(transactional_id=name, acks="all", **settings.kafka.client())
        try:
            producer.init_transactions()
            return _copy(consumer, producer, ends, restore, target)
        finally:
            producer.close()
    finally:
        consumer.close()


def _copy(
    consumer: KafkaConsumer, producer: KafkaProducer, ends: dict[TopicPartition, int], restore: Callable[[bytes], bytes], target: str
) -> int:
    count = 0
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        batches = consumer.poll(timeout_ms=1000)
        if not batches:
            continue
        producer.begin_transaction()
        for record in chain.from_iterable(batches.values()):
            value = restore(record.value or b"")
            producer.send(target, key=_key(value), value=value)
            count += 1
        read = {partition: OffsetAndMetadata(consumer.position(partition), "", -1) for partition in batches}
        producer.send_offsets_to_transaction(read, consumer.group_metadata())
        producer.commit_transaction()
    return count


def _check_topics(consumer: KafkaConsumer, source: str, target: str) -> None:
    topics = consumer.topics()
    for topic in (source, target):
        if topic not in topics:
            raise ConfigurationError(
                "There is no such topic.", found=topic, remedy="Create it first, with as many partitions as it should have."
            )
    if source == target:
        raise ConfigurationError("A topic cannot be sent to itself.", found=target, remedy="Name another topic with --to.")


def _key(value: bytes) -> bytes | None:
    try:
        return parse(value).origin.encode()
    except Malformed:
        return None


if __name__ == "__main__":
    sys.exit(main())
