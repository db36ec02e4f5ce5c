"""Feeds a topic from several processes: one Python client of Kafka alone is slower than most jobs."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..cluster import sample as samples
from ..cluster.clients import writer
from ..cluster.sample import Sample
from ..cluster.topics import partition_of
from ..errors import ClusterError
from ..project import Project

_BATCH_BYTES = 262_144
_LINGER_MS = 50
_RECORDS_BETWEEN_REPORTS = 5_000
_SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True)
class Feed:
    """What is fed, and where.

    Attributes:
        project: Whose sample is fed.
        variables: What the sample's settings are read from, beside the environment.
        servers: The broker.
        count: How many records.
    """

    project: Project
    variables: Mapping[str, str]
    servers: str
    count: int

    def run(self, sample: Sample, progress: Callable[[int], None]) -> None:
        """Send all records, each partition's in their order; every process takes some of the partitions.

        Args:
            sample: The project's.
            progress: Called now and then with the number of records that are sent.

        Raises:
            ClusterError: When the broker does not take one, or the sample fails.
        """
        processes = max(1, min(sample.partitions, os.cpu_count() or 1))
        context = multiprocessing.get_context("spawn")
        counts = context.Array("q", processes)
        failures = context.SimpleQueue()
        senders = [context.Process(target=self._send, args=(number, processes, counts, failures)) for number in range(processes)]
        try:
            for sender in senders:
                sender.start()
            while any(sender.is_alive() for sender in senders) and failures.empty():
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                progress(min(sum(counts[:]), self.count - 1))
            for sender in senders if failures.empty() else ():
                sender.join()
            if not failures.empty() or any(sender.exitcode for sender in senders):
                found = failures.get() if not failures.empty() else f"exit codes {[sender.exitcode for sender in senders]}"
                raise ClusterError("The input could not be sent.", found=found, where=sample.input_topic)
        finally:
            for sender in senders:
                if sender.is_alive():
                    sender.kill()
        progress(self.count)

    def _send(self, number: int, processes: int, counts: Any, failures: Any) -> None:
        """Send the records of some partitions; runs in a process of its own, which does not outlive its parent."""
        threading.Thread(target=_leave_with_parent, daemon=True).start()
        try:
            sample = samples.load(self.project, self.variables)
            records, _ = samples.endless(sample)
            producer = writer(self.servers, linger_ms=_LINGER_MS, batch_size=_BATCH_BYTES)
            refused: list[BaseException] = []
            sent = 0
            for place, record in enumerate(islice(records, self.count)):
                partition = partition_of(place, record, sample.partitions)
                if partition % processes != number:
                    continue
                future = producer.send(sample.input_topic, key=record.key, value=record.value, partition=partition)
                future.add_errback(refused.append)
                sent += 1
                if sent % _RECORDS_BETWEEN_REPORTS == 0:
                    counts[number] = sent
            producer.flush()
            producer.close(timeout=5)
            if refused:
                failures.put(repr(refused[0]))
        except BaseException:  # noqa: BLE001  (the sample is the user's code)
            failures.put(traceback.format_exc().strip().splitlines()[-1])


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
