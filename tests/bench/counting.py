"""A contender's program for tests: it does the benchmark's job in plain Python, with a flaw if it is told one."""

from __future__ import annotations

import base64
import json
import os
import time
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import KafkaConsumer, KafkaProducer


def main() -> None:
    """Run until the process is ended."""
    flaw = os.environ.get("FLAW", "")
    if flaw == "stop":
        raise SystemExit("out of order")
    servers = os.environ["BENCH_SERVERS"]
    consumer = KafkaConsumer(os.environ["BENCH_INPUT"], bootstrap_servers=servers, group_id=None, auto_offset_reset="earliest")
    producer = KafkaProducer(bootstrap_servers=servers, linger_ms=20)
    counts: dict[str, tuple[int, int]] = {}
    for number, message in enumerate(consumer):
        try:
            flight = json.loads(message.value)
            key, delay = flight["key"], int(flight["delay"])
        except (ValueError, KeyError, TypeError) as error:
            reject = {"reason": str(error), "value": base64.b64encode(message.value).decode()}
            producer.send(os.environ["BENCH_REJECTS"], json.dumps(reject).encode())
            continue
        count, total = counts.get(key, (0, 0))
        counts[key] = count, total = count + 1, total + delay
        record = json.dumps({"key": key, "count": count, "mean": total / count + (flaw == "mean" and number == 500)}).encode()
        for _ in range(2 if flaw == "twice" and number == 500 else 1):
            producer.send(os.environ["BENCH_OUTPUT"], record, partition=0)
        if number % 100 == 0:
            time.sleep(0.02)  # not all at once, so that there is a pace to measure
        if number == 3000 and flaw == "slow":
            producer.flush()
            time.sleep(3600)


if __name__ == "__main__":
    main()
