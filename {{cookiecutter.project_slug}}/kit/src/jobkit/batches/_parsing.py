"""The operator that parses: from batches of texts to records, by bucket and key."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, NoReturn

from pyflink.common import Row
from pyflink.datastream import OutputTag, RuntimeContext
from pyflink.datastream.functions import ProcessFunction

from ..errors import ConfigurationError
from . import _buckets, _failures, _garbage, frames
from .results import BATCH

REJECTED = OutputTag("rejected", BATCH)
COUNTERS = ("batches", "records", "rejected")
"""The counters of the operator: of the batches that it has parsed, of their records, and of the texts that are none."""
_LEAST, _MOST = -(2**63), 2**63 - 1
"""The bounds of a time."""


class Parsing(ProcessFunction):  # type: ignore[misc]
    """Parses batches of texts; emits, for each bucket, a batch of records by key.

    Attributes:
        key: Returns a record's key.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        parse: Callable[[bytes], Any],
        pack: Callable[[Any], tuple[Any, ...]],
        key: Callable[[Any], Hashable],
        event_time: Callable[[Any], int] | None,
        malformed: type[Exception],
        rejected: Callable[[bytes, Exception], str | bytes],
        buckets: tuple[int, ...],
        record: type[Any] = object,
        uid: str = "parse",
    ) -> None:
        self._parse, self._pack, self.key, self._event_time = parse, pack, key, event_time
        self._malformed, self._rejected, self._buckets = malformed, rejected, buckets
        self._record, self._place = record, f"the operator {uid}"

    def open(self, runtime_context: RuntimeContext) -> None:
        """Prepare Python for batches, and the counters: Flink's own count a batch as a record."""
        _garbage.relax()
        group = runtime_context.get_metrics_group()
        self._counters = [group.counter(name) for name in COUNTERS]

    def process_element(self, value: bytes, ctx: ProcessFunction.Context) -> Iterator[Any]:  # noqa: ARG002  (PyFlink's name)
        """Parse one batch."""
        texts = frames.split(value)
        records, refused = self._parsed(texts)
        try:
            divided = self._divided(records)
        except Exception:  # noqa: BLE001  (the user's functions may raise anything)
            records, refused = self._examined(texts, records, refused)
            divided = self._divided(records)
        by_bucket, (earliest, latest) = divided
        # No watermark may overtake a record that was collected with the one that it is made from: the last part brings it.
        last = len(by_bucket) - 1
        for number, (group, parts) in enumerate(by_bucket.items()):
            yield Row(self._buckets[group], latest if number == last else earliest, self._dumped(parts))
        if refused:
            yield REJECTED, frames.join([result for _, result in refused])
        for counter, count in zip(self._counters, (1, len(records), len(refused)), strict=True):
            counter.inc(count)

    def _parsed(self, texts: list[bytes]) -> tuple[list[Any], list[tuple[int, bytes]]]:
        """Return the records of some texts, and the places of those that are none, each with what is made of it."""
        parse, malformed = self._parse, self._malformed
        records: list[Any] = []
        refused: list[tuple[int, bytes]] = []
        for text in texts:
            try:
                records.append(parse(text))
            except malformed as error:  # noqa: PERF203  (one of them may fail, not all)
                refused.append((len(records) + len(refused), self._refused(text, error)))
            except Exception as error:  # noqa: BLE001  (the user's function may raise anything)
                self._fail(error, "parse", text)
        return records, refused

    def _divided(self, records: list[Any]) -> tuple[dict[int, list[tuple[Hashable, list[Any]]]], tuple[int | None, int | None]]:
        """Return records by key group and key, and the earliest and the latest of their event times."""
        by_key: dict[Hashable, list[Any]] = defaultdict(list)
        for each, packed in zip(map(self.key, records), map(self._pack, records), strict=True):
            by_key[each].append(packed)
        if 0 in by_key:
            zero = next(each for each in by_key if each == 0)
            by_key[_buckets.normal(zero)] = by_key.pop(zero)
        by_group: dict[int, list[tuple[Hashable, list[Any]]]] = defaultdict(list)
        count = len(self._buckets)
        for each, members in by_key.items():
            by_group[_buckets.key_group(each, count)].append((each, members))
        if self._event_time is None or not records:
            return by_group, (None, None)
        times = list(map(self._event_time, records))
        bounds = min(times), max(times)
        for time in bounds:
            _require_time(time)
        return by_group, bounds

    def _examined(
        self, texts: list[bytes], records: list[Any], refused: list[tuple[int, bytes]]
    ) -> tuple[list[Any], list[tuple[int, bytes]]]:
        """Look at records one by one, after something of them has failed; return those that are left, and all that are refused."""
        left, more = [], []
        none = {place for place, _ in refused}
        for record, place in zip(records, [place for place in range(len(texts)) if place not in none], strict=True):
            name = "parse"
            try:
                self._require_record(record)
                name = "key"
                _buckets.key_group(self.key(record), 1)
                name = "event_time"
                if self._event_time is not None:
                    _require_time(self._event_time(record))
            except self._malformed as error:
                more.append((place, self._refused(texts[place], error)))
            except Exception as error:  # noqa: BLE001  (the user's functions may raise anything)
                self._fail(error, name, texts[place])
            else:
                left.append(record)
        return left, sorted([*refused, *more])

    def _require_record(self, record: Any) -> None:
        """Refuse what is no record, such as None for a text that is to be left out, or a list of several records."""
        if not isinstance(record, self._record):
            raise ConfigurationError(
                f"`parse` returned no {self._record.__name__}.",
                found=f"{_failures.shortened(record)}, of the class {type(record).__qualname__}",
                remedy=f"It returns one record for each text. {self._way_out} What holds several is one record with a list of them.",
            )
        self._pack(record)

    def _refused(self, text: bytes, reason: Exception) -> bytes:
        """Return what `rejected` makes of a text."""
        try:
            return _as_bytes(self._rejected(text, reason))
        except Exception as error:  # noqa: BLE001  (the user's function may raise anything)
            _failures.of_text(error, "rejected", self._place, text, "It has to make something of every text that is refused.")

    def _dumped(self, parts: list[tuple[Hashable, list[Any]]]) -> bytes:
        """Return the bytes of records by key, or say which record has none."""
        try:
            return dump(parts)
        except Exception:
            for key, members in parts:
                for packed in members:
                    try:
                        pickle.dumps(packed, pickle.HIGHEST_PROTOCOL)
                    except Exception as error:  # noqa: PERF203  (something has failed already)
                        refused = ConfigurationError(
                            f"A record holds something that cannot be sent: {_failures.described(error)}.",
                            found=_failures.shortened(packed),
                            where=f"{self._place}, at the key {_failures.shortened(key)}",
                            remedy="Let `parse` put plain values into it: numbers, texts, bytes, lists and dictionaries.",
                        )
                        raise _failures.told(refused) from error
            raise

    def _fail(self, error: Exception, name: str, text: bytes) -> NoReturn:
        _failures.of_text(error, name, self._place, text, self._way_out)

    @property
    def _way_out(self) -> str:
        """Say how a text is rejected."""
        kind = getattr(self._malformed, "__name__", self._malformed)
        return f"To have such a text rejected, and the job go on, raise {kind}: the class that `malformed` names."


def _as_bytes(result: Any) -> bytes:
    """Return what `rejected` has made as bytes; refuse what is no result."""
    if not isinstance(result, (str, bytes)):
        raise ConfigurationError(
            "`rejected` returned something that is neither a text nor bytes.",
            found=f"{_failures.shortened(result)}, of the class {type(result).__qualname__}",
            remedy="It makes a record for the stream of rejected ones: return the text itself, or json.dumps of what is to be known.",
        )
    return result.encode() if isinstance(result, str) else result


def _require_time(time: Any) -> None:
    """Refuse what is no event time."""
    if type(time) is not int or not _LEAST <= time <= _MOST:
        raise ConfigurationError(
            "`event_time` returned no time.",
            found=f"{_failures.shortened(time)}, of the class {type(time).__qualname__}",
            remedy="It returns whole milliseconds since 1970: int(seconds * 1000), or int(date.timestamp() * 1000)."
            " A record without a time is refused by `parse`.",
        )


def dump(parts: Iterable[tuple[Hashable, list[Any]]]) -> bytes:
    """Return the bytes of records by key, on their way from one operator to the next.

    They are in no snapshot whose barriers are aligned; an unaligned one holds what is on its way. Not by marshal, which is
    faster: without a word it makes bytes of a number of NumPy's, and of a bytearray.
    """
    return pickle.dumps(list(parts), pickle.HIGHEST_PROTOCOL)
