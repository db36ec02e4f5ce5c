"""How every job on Flink writes to Kafka: the same for all of them, so that the table does not compare producers."""

from __future__ import annotations

PRODUCER = {
    # Milliseconds; the connector's default, an hour, is more than a broker allows.
    "transaction.timeout.ms": "600000",
    # Bytes of a request to a partition, as the template's job has it; Kafka's default is 16384. The peers' client, librdkafka, sends
    # up to 1,000,000.
    "batch.size": "262144",
}
"""Properties of Kafka's producer, over its defaults."""
