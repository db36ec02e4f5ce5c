"""Real flights for local runs, with what real topics hold besides, and the judge of what the job made of them."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import count, cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobkit.cluster.sample import Record, Verdict

if TYPE_CHECKING:
    from {{ cookiecutter.package_name }}.settings import Settings

FLIGHTS = Path(__file__).parent / "flights.jsonl.gz"
SHOWN = 10
"""How many differences of a kind, and rows of the result, are worth reading."""

FIRST_DAY = date(2001, 1, 1)

MALFORMED = {
    b"": "not JSON",
    b'{"date":"2001/01/05 10:00","delay":3,': "not JSON",
    b'["2001/01/05 10:00",3,300,"ATL","BOS"]': "wrong type",
    b'{"date":"2001/01/05 10:00","delay":3,"distance":300,"destination":"BOS"}': "missing field",
    b'{"delay":3,"distance":300,"origin":"ATL","destination":"BOS"}': "missing field",
    b'{"date":"2001/01/05 10:00","delay":null,"distance":300,"origin":"ATL","destination":"BOS"}': "null field",
    b'{"date":"2001/01/05 10:00","delay":3,"distance":300,"origin":null,"destination":"BOS"}': "null field",
    b'{"date":"2001/01/05 10:00","delay":"3","distance":300,"origin":"ATL","destination":"BOS"}': "wrong type",
    b'{"date":"2001/01/05 10:00","delay":true,"distance":300,"origin":"ATL","destination":"BOS"}': "wrong type",
    b'{"date":"2001/01/05 10:00","delay":3.5,"distance":300,"origin":"ATL","destination":"BOS"}': "wrong type",
    b'{"date":"2001/01/05 10:00","delay":9999999999999999999,"distance":300,"origin":"ATL","destination":"BOS"}': "wrong type",
    b'{"date":"2001/01/05 10:00","delay":3,"distance":300,"origin":"\\ud800","destination":"BOS"}': "wrong type",
    b'{"date":"2001/02/29 10:00","delay":3,"distance":300,"origin":"ATL","destination":"BOS"}': "impossible date",
    b'{"date":"2001/01/05 24:00","delay":3,"distance":300,"origin":"ATL","destination":"BOS"}': "impossible date",
    b'{"date":"2001-01-05T10:00","delay":3,"distance":300,"origin":"ATL","destination":"BOS"}': "impossible date",
    b'{"date":"2001/01/05 10:00","delay":3,"distance":300,"origin":"\xff\xfe\x00","destination":"BOS"}': "invalid UTF-8",
}
"""Records that are no flights, each with the kind of mistake that the job must name."""

_DATE = b'{"date":"'
_TIME = len(_DATE) + len("2001/01/01")
"""How each flight of the sample begins, and where the time of day stands in it."""

KINDS = frozenset(MALFORMED.values())


class Flights:
    """The sample: 20,000 flights, duplicates, late flights and malformed records.

    Attributes:
        input_topic: Where the records are fed.
        output_topics: What the judge wants to see.
        group_id: The consumer group that shows how far the job has read.
        partitions: How many partitions each topic gets.
        held_back: How many of the last records are fed only once the job has processed all others.
    """

    # How many of the last records come only once the job has processed all others: the watermark is past them then.
    held_back = 100
    # One for each source of a local run. With more, a source reads now from one, now from another; and the sample is so
    # sparse that what it reads in one go spans days: flights would be late by the thousand.
    partitions = 2

    def __init__(self, settings: Settings) -> None:
        self.input_topic = settings.flights_topic
        self.group_id = settings.group_id
        self._stats, self._late, self._rejected = settings.stats_topic, settings.late_topic, settings.rejected_topic
        self.output_topics: Sequence[str] = (self._stats, self._late, self._rejected)

    def __len__(self) -> int:
        """Return how many records there are."""
        return sum(1 for _ in self.records())

    def records(self) -> Iterator[Record]:
        """Yield the records, always the same ones in the same order."""
        flights = [_record(line) for line in gzip.decompress(FLIGHTS.read_bytes()).splitlines()]
        malformed = list(MALFORMED)
        for number, flight in enumerate(flights):
            yield flight
            if number % 97 == 0:
                yield flight  # a duplicate is a flight of its own
            if number % 151 == 0:
                yield Record(None, malformed[number // 151 % len(malformed)])
            if number % 499 == 0 and number >= len(flights) // 2:
                yield flights[number // 499]  # months too late
        # Held back until the watermark has passed New Year's Day: late for certain.
        yield from islice(flights, self.held_back)

    def endless(self) -> Iterator[Record]:
        """Yield day after day, for `jobkit bench`; on each, all flights of the sample take off, at the times at which they did.

        So they are about as dense as they were: the sample is drawn from all flights of some months, and has a day's worth of them.
        """
        flights = sorted((record for record in self.records() if record.value not in MALFORMED), key=lambda flight: flight.value[_TIME:])
        malformed = cycle(MALFORMED)
        for day in count():
            today, before = (_text(FIRST_DAY + timedelta(days=each)) for each in (day, day - 1))
            for number, (key, value) in enumerate(flights):
                yield Record(key, _DATE + (before if number % 499 == 1 else today) + value[_TIME:])
                if number % 151 == 0:
                    yield Record(None, next(malformed))

    def judge(self, input: Sequence[Record], outputs: Mapping[str, Sequence[Record]]) -> Verdict:  # noqa: A002 - as jobkit has it
        """Compare what the job wrote with an independent computation over what it was fed.

        Which flights are late depends on how the watermark raced the input, so it is read from their topic: every
        record fed must be counted, late or rejected, once; and the rows must be those of the counted ones.

        Args:
            input: All that the input topic holds.
            outputs: All that each output topic holds, read committed.
        """
        fed = Counter(record.value for record in input)
        late = Counter(record.value for record in outputs[self._late])
        rejected, differences = _rejected(outputs[self._rejected])
        due = Counter({value: count for value, count in fed.items() if value in MALFORMED})
        differences += _surplus("rejected, but fine", rejected - due) + _surplus("malformed, but not rejected", due - rejected)
        differences += _surplus("late, but never fed (or fed less often)", late - (fed - due))
        counted = fed - due - late
        rows, emitted = _rows(outputs[self._stats])
        differences += emitted + _compare(_expected(counted), rows)
        missing = sorted(KINDS - {MALFORMED[value] for value in rejected if value in MALFORMED}) + ([] if late else ["late"])
        differences += [f"no record of the kind: {kind}" for kind in missing]
        counts = {"fed": fed.total(), "counted": counted.total(), "late": late.total(), "rejected": rejected.total(), "hours": len(rows)}
        busiest = sorted(rows.items(), key=lambda row: (-row[1][0], row[0]))[:SHOWN]
        return Verdict(
            title="The busiest hours of all airports",
            columns=("origin", "hour", "flights", "mean delay", "max delay", "late share"),
            rows=[
                (*key, str(flights), f"{mean:.1f} min", f"{longest} min", f"{share:.0%}")
                for key, (flights, mean, longest, share) in busiest
            ],
            counts=counts,
            differences=differences,
        )


def _text(day: date) -> bytes:
    return day.strftime("%Y/%m/%d").encode()


Key = tuple[str, str]
Row = tuple[int, float, int, float]


def _record(line: bytes) -> Record:
    return Record(json.loads(line)["origin"].encode(), line)


def _rejected(records: Iterable[Record]) -> tuple[Counter[bytes], list[str]]:
    """Return the original values of the rejected records, and where the reason is not the right one."""
    values: Counter[bytes] = Counter()
    differences = []
    for record in records:
        content = json.loads(record.value)
        value = base64.b64decode(content["value"])
        values[value] += 1
        kind = MALFORMED.get(value)
        if kind is not None and content["reason"].partition(":")[0] != kind:
            differences.append(f"rejected as {content['reason']!r} instead of {kind!r}: {value!r}")
    return values, differences


def _rows(records: Iterable[Record]) -> tuple[dict[Key, Row], list[str]]:
    """Return the emitted rows by airport and hour, and which were emitted more than once."""
    rows: dict[Key, Row] = {}
    differences = []
    for record in records:
        row = json.loads(record.value)
        key = (row["origin"], row["hour"])
        if key in rows:
            differences.append(f"emitted twice: {key}")
        rows[key] = (row["flights"], row["mean_delay"], row["max_delay"], row["late_share"])
    return rows, differences


def _expected(counted: Counter[bytes]) -> dict[Key, Row]:
    delays: dict[Key, list[int]] = defaultdict(list)
    for value in counted.elements():
        flight = json.loads(value)
        delays[flight["origin"], flight["date"][:13] + ":00"].append(flight["delay"])
    return {
        key: (len(minutes), sum(minutes) / len(minutes), max(minutes), sum(delay >= 15 for delay in minutes) / len(minutes))  # noqa: PLR2004
        for key, minutes in delays.items()
    }


def _compare(expected: Mapping[Key, Row], emitted: Mapping[Key, Row]) -> list[str]:
    differing = [key for key in sorted({*expected, *emitted}) if expected.get(key) != emitted.get(key)]
    lines = [f"{key}: expected {expected.get(key)}, emitted {emitted.get(key)}" for key in differing[:SHOWN]]
    return lines + _more(differing)


def _surplus(what: str, values: Counter[bytes]) -> list[str]:
    return [f"{what}: {count} x {value!r}" for value, count in islice(values.items(), SHOWN)] + _more(list(values))


def _more(differences: Sequence[Any]) -> list[str]:
    return [f"and {len(differences) - SHOWN} more"] if len(differences) > SHOWN else []
