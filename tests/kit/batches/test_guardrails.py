"""The guardrails look through the kit's operators at the user's function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from jobkit import batches
from jobkit.batches import Context, KeyedFunction
from jobkit.guardrails import Result
from pyflink.common import Duration, Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment

from tests.kit.guardrails.judging import by_rule, judged, judged_with_states, line_of

pytestmark = pytest.mark.usefixtures("jvm")

SEEN: dict[str, int] = {}


class Word(NamedTuple):
    """A record."""

    text: str


@dataclass
class Count:
    """A state."""

    count: int = 0


class Sound(KeyedFunction[Word, Count]):
    """Counts in its state."""

    state = Count

    def open(self, runtime_context: Any) -> None:
        """Make a metric, which is fine."""
        self.words = runtime_context.get_metrics_group().counter("words")

    def process(self, key: str, state: Count, records: list[Word], context: Context) -> Iterator[str]:
        """Count."""
        state.count += len(records)
        self.words.inc(len(records))
        context.register_event_time_timer(10)
        yield f"{key} {state.count}"

    def on_timer(self, key: str, state: Count, timestamp: int, context: Context) -> Iterator[str]:  # noqa: ARG002
        """Give the count."""
        yield f"{key} {state.count}"


class InAttribute(Sound):
    """Counts in an attribute."""

    def process(self, key: str, state: Count, records: list[Word], context: Context) -> Iterator[str]:  # noqa: ARG002
        """Count."""
        self.count = getattr(self, "count", 0) + len(records)  # attribute
        yield f"{key} {self.count}"


class InModule(Sound):
    """Counts in a variable of the module."""

    def on_timer(self, key: str, state: Count, timestamp: int, context: Context) -> Iterator[str]:  # noqa: ARG002
        """Count."""
        SEEN[key] = SEEN.get(key, 0) + 1  # module
        yield f"{key} {SEEN[key]}"


def parse(value: bytes) -> Word:
    """Read a word."""
    return Word(value.decode())


def parse_and_remember(value: bytes) -> Word:
    """Read a word, and keep it."""
    text = value.decode()
    SEEN[text] = SEEN.get(text, 0) + 1  # parsing
    return Word(f"{text} {SEEN[text]}")


def job(function: KeyedFunction[Word, Any], read: Callable[[bytes], Word] = parse) -> Callable[[StreamExecutionEnvironment], None]:
    """Return a job with a function."""

    def build(env: StreamExecutionEnvironment) -> None:
        values = env.from_collection(["a", "b"], Types.STRING()).uid("values")
        words, rejected = batches.read(
            values,
            read,
            record=Word,
            key=lambda word: word.text,
            event_time=lambda _: 0,
            watermarks=WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(5)),
            rejected=lambda value, _: value,
            uid="read",
        )
        words.process(function, uid="count").print().uid("out")
        rejected.print().uid("rejected")

    return build


def faults(results: list[Result]) -> list[str]:
    """Return the rules that are not kept."""
    return [result.rule for result in results if result.status != "pass"]


def test_a_function_that_counts_in_its_state_is_fine() -> None:
    """By all rules, with its states known; what the kit's operators keep themselves is no fault."""
    results = judged_with_states(job(Sound()))
    assert faults(results) == []
    assert [by_rule(results, rule)[0].status for rule in ("instance-variables", "module-variables", "unknown-states")] == ["pass"] * 3


@pytest.mark.parametrize(
    ("build", "rule", "operator", "mark", "name", "place"),
    [
        (job(InAttribute()), "instance-variables", "count", "attribute", "self.count", "a field of Count, the class of its state."),
        (job(InModule()), "module-variables", "count", "module", "SEEN", "a field of Count, the class of its state."),
        (job(Sound(), parse_and_remember), "module-variables", "read", "parsing", "SEEN", "a state that open() gets"),
    ],
)
def test_state_that_flink_does_not_know_of_is_found(build: Any, rule: str, operator: str, mark: str, name: str, place: str) -> None:  # noqa: PLR0913, PLR0917
    """In the user's function, at the line that changes it; the remedy says where it belongs."""
    results = judged(build)
    assert faults(results) == [rule]
    (result,) = by_rule(results, rule)
    assert (result.operator, result.file, result.line) == (operator, __file__, line_of(__file__, mark))
    assert name in result.message
    assert place in (result.remedy or "")


def test_a_uid_that_read_has_made_is_not_given_again() -> None:
    """The rule about uids names both operators, and the line of the second."""

    def build(env: StreamExecutionEnvironment) -> None:
        values = env.from_collection(["a", "b"], Types.STRING()).uid("values")
        words, rejected = batches.read(
            values, parse, record=Word, key=lambda word: word.text, event_time=lambda _: 0, rejected=lambda value, _: value, uid="read"
        )
        words.process(Sound(), uid="read-batches").print().uid("out")  # twice
        rejected.print().uid("rejected")

    (result,) = by_rule(judged(build), "duplicate-uids")
    assert (result.status, result.operator) == ("fail", "read-batches")
    assert "the uid “read-batches” that" in result.message
    assert "read: batches" in result.message
    assert (result.file, result.line) == (__file__, line_of(__file__, "twice"))
