"""When readers of committed records see what was written."""

from __future__ import annotations

import threading
import time
from array import array

from ..cluster.clients import KafkaError, TopicPartition, reader
from ..errors import ClusterError

RESOLUTION_SECONDS = 0.02
"""The time between two looks at how far a topic is committed."""


class Visibility:
    """Notes when the committed end of each partition of a topic moves: from then on a reader of committed records sees them.

    It looks every `RESOLUTION_SECONDS`.
    """

    def __init__(self, servers: str, topic: str) -> None:
        """Begin to look, in a thread of its own."""
        self._servers, self._topic = servers, topic
        self._ended = threading.Event()
        self._steps: dict[int, tuple[array[float], array[int]]] = {}
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="visibility", daemon=True)
        self._thread.start()

    def stop(self) -> dict[int, tuple[array[float], array[int]]]:
        """End it; return for each partition the times, in seconds since the epoch, and the end offset that was seen at each.

        Raises:
            ClusterError: When the broker did not answer.
        """
        self._ended.set()
        self._thread.join()
        if self._error is not None:
            raise ClusterError("The ends of a topic could not be followed.", found=repr(self._error), where=self._topic)
        return self._steps

    def _run(self) -> None:
        try:
            consumer = reader(self._servers)
        except ClusterError as error:
            self._error = error
            return
        try:
            places = [TopicPartition(self._topic, number) for number in consumer.partitions_for_topic(self._topic) or ()]
            self._steps = {place.partition: (array("d"), array("q")) for place in places}
            while not self._ended.wait(RESOLUTION_SECONDS):
                found, now = consumer.end_offsets(places), time.time()
                for place, end in found.items():
                    times, offsets = self._steps[place.partition]
                    if not offsets or offsets[-1] != end:
                        times.append(now)
                        offsets.append(int(end))
        except KafkaError as error:
            self._error = error
        finally:
            consumer.close(autocommit=False)
