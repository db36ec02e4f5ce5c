"""Send rejected or late records again: `python -m {{ cookiecutter.package_name }}.replay --help`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import chain

from jobkit.errors import ConfigurationError, JobkitError
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
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

The first call for two topics needs --from-beginning. Each later one goes on where the one before it stopped, also after a crash:
reading and writing are one transaction. Kafka forgets how far that was when no call comes for a week (offsets.retention.minutes);
then nothing is sent until you say what to do."""
_POLL = 5_000
_SECONDS = 2
"""After how much time it says how far it is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__}.replay", description=_ABOUT, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("rejected", "late"))
    parser.add_argument("--to", required=True, metavar="TOPIC", help="the topic to send them to; it must exist")
    parser.add_argument("--from-beginning", action="store_true", help="send all that the topic holds, also what was sent before")
    options = parser.parse_args(arguments)
    try:
        settings = Settings.from_environment(os.environ)
    except JobkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    source, restore = (settings.rejected_topic, original) if options.what == "rejected" else (settings.late_topic, bytes)
    try:
        count = replay(settings, source, restore, options.to, from_beginning=options.from_beginning)
    except JobkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KafkaError as error:
        print(f"error: Kafka at {settings.kafka.servers} did not do it: {error or type(error).__name__}", file=sys.stderr)
        return 2
    print(f"{count} records sent from {source} to {options.to}.")
    return 0


def replay(settings: Settings, source: str, restore: Callable[[bytes], bytes], target: str, *, from_beginning: bool = False) -> int:
    """Copy what a topic holds now, and was not copied before, to another topic.

    Args:
        settings: Where Kafka is, and the name of the job.
        source: The topic to read, committed records only.
        restore: Makes the record to send from the record that was read.
        target: The topic to write to.
        from_beginning: Whether to copy what was copied before, too.

    Returns:
        How many records were copied.

    Raises:
        ConfigurationError: When one of the topics does not exist, when both are the same, or when Kafka does not know what was copied
            before.
        KafkaError: When Kafka is not there, or refuses.
    """
    name = f"{settings.job_name}-replay-{source}-to-{target}"
    consumer = KafkaConsumer(
        group_id=name,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_poll_records=_POLL,
        **settings.kafka.client(),
    )
    try:
        _check_topics(consumer, source, target)
        partitions = [TopicPartition(source, number) for number in sorted(consumer.partitions_for_topic(source))]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        producer = KafkaProducer(transactional_id=name, acks="all", **settings.kafka.client())
        try:
            producer.init_transactions()  # also ends what another call has left open, before it is looked how far that was
            if from_beginning:
                consumer.seek_to_beginning(*partitions)
            elif all(consumer.committed(partition) is None for partition in partitions):
                raise ConfigurationError(
                    "It is not known which records were sent before.",
                    found=f"no offsets of {source} to {target}: nothing was sent yet, or longer ago than Kafka remembers (a week)",
                    remedy="Add --from-beginning to send all that the topic holds now.",
                )
            return _copy(consumer, producer, ends, restore, target)
        finally:
            producer.close()
    finally:
        consumer.close()


def _copy(
    consumer: KafkaConsumer, producer: KafkaProducer, ends: dict[TopicPartition, int], restore: Callable[[bytes], bytes], target: str
) -> int:
    count = 0
    said = time.monotonic()
    records: Sequence[ConsumerRecord] = ()
    while True:
        producer.begin_transaction()
        try:
            sent = sum(_send(producer, record, restore, target) for record in records)
            # Of all partitions, so that Kafka forgets them all together, or none.
            reached = {partition: consumer.position(partition) for partition in ends}
            offsets = {partition: OffsetAndMetadata(position, "", -1) for partition, position in reached.items()}
            producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
            producer.commit_transaction()
        except BaseException:
            producer.abort_transaction()
            raise
        count += sent
        if time.monotonic() - said > _SECONDS:
            said = time.monotonic()
            print(f"{count:,} records sent; at {sum(reached.values()):,} of {sum(ends.values()):,}", file=sys.stderr)
        records = _next(consumer, ends)
        if not records:
            return count


def _next(consumer: KafkaConsumer, ends: dict[TopicPartition, int]) -> list[ConsumerRecord]:
    """Return the next records; none when the ends are reached."""
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        records = list(chain.from_iterable(consumer.poll(timeout_ms=1000).values()))
        if records:
            return records
    return []


def _send(producer: KafkaProducer, record: ConsumerRecord, restore: Callable[[bytes], bytes], target: str) -> bool:
    """Send a record; return False for one that the job has not written, which is named and stays where it is."""
    try:
        value = restore(record.value or b"")
    except Malformed as error:
        where = f"topic {record.topic}, partition {record.partition}, offset {record.offset}"
        print(f"not sent, for the job has not written it: {where}: {error}", file=sys.stderr)
        return False
    producer.send(target, key=_key(value), value=value)
    return True


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
