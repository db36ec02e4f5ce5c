"""An exception of the user's code says which operator, key, record and text it was at."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import pytest
from jobkit._codec import as_tuple
from jobkit.batches import Context, KeyedFunction, RecordFunction, frames
from jobkit.batches._failures import described, shortened
from jobkit.batches._keyed import Keyed, load
from jobkit.batches.function import Result
from jobkit.batches.reading import Parsing, dump
from jobkit.errors import ConfigurationError, FunctionFailed
from jobkit.testing.keyed import KeyedOperator
from jobkit.testing.operators import Operator
from pyflink.common import Types
from pyflink.datastream import OutputTag

from tests.kit.guardrails.judging import line_of

ASIDE = OutputTag("aside", Types.STRING())


class Order(NamedTuple):
    """A record."""

    customer: Any
    cents: Any = 0


@dataclass
class Kept:
    """A state."""

    total: Any = 0


class Malformed(ValueError):
    """What a text is rejected for."""


def share(order: Order) -> Any:
    """Fail for an order of no cents."""
    return 100 / order.cents  # share


class Shares(KeyedFunction[Order, Kept]):
    """Fails in a function of its own, and in timers."""

    state = Kept

    def process(self, key: Any, state: Kept, records: list[Order], context: Context) -> Iterator[Result]:
        """Fail for an order of no cents."""
        context.register_event_time_timer(7)
        for each in records:
            state.total += share(each)  # process
            yield f"{key} {state.total}"

    def on_timer(self, key: Any, state: Kept, timestamp: int, context: Context) -> list[Result]:  # noqa: ARG002
        """Fail."""
        return [{}[key]]


class SharesOneByOne(RecordFunction[Order, Kept]):
    """Fails for one record."""

    state = Kept

    def process_record(self, key: Any, state: Kept, record: Order, context: Context) -> list[Result]:  # noqa: ARG002
        """Fail for an order of no cents."""
        return [f"{100 / record.cents}"]


class Sum(KeyedFunction[Order, Kept]):
    """Fails where no variable is a record."""

    state = Kept

    def process(self, key: Any, state: Kept, records: list[Order], context: Context) -> None:  # noqa: ARG002
        """Fail for an order without a number."""
        state.total += sum(map(attrgetter("cents"), records))


def failure(operator: KeyedOperator[Any, Any], key: Any, *records: Order) -> FunctionFailed:
    """Return what comes of records."""
    with pytest.raises(FunctionFailed) as raised:
        operator.process(key, *records)
    return raised.value


def test_a_function_s_exception_names_the_key_and_the_record() -> None:
    """And its own lines, the last first; what it raised is the cause, and the traceback ends where it was."""
    error = failure(KeyedOperator(Shares(), Order), "ann", Order("ann", 5), Order("ann", 0), Order("ann", 1))
    assert str(error) == (
        "Shares failed at the key 'ann': ZeroDivisionError: division by zero."
        " Found: 3 records, and order = Order(customer='ann', cents=0)."
        f" Where: batches/test_failures.py:{line_of(__file__, 'share')} in share,"
        f" batches/test_failures.py:{line_of(__file__, 'process')} in process, the function Shares."
        " A record that can never be processed is best rejected where it is parsed, or sent to a side output."
    )
    assert error.args == (str(error),), "thread mode would show less"
    assert type(error.__cause__) is ZeroDivisionError
    assert traceback.extract_tb(error.__traceback__)[-1].name == "share"


@pytest.mark.parametrize(
    ("function", "records", "found"),
    [
        (Shares(), [Order("k", 0)], "one record, Order(customer='k', cents=0)"),
        (SharesOneByOne(), [Order("k", 1), Order("k", 0), Order("k", 2)], "3 records, and record = Order(customer='k', cents=0)"),
        (Sum(), [Order("k", 1), Order("k", "x")], "2 records, the first of them Order(customer='k', cents=1)"),
    ],
    ids=["one", "one by one", "no variable"],
)
def test_the_record_is_named_as_well_as_may_be(function: KeyedFunction[Order, Kept], records: list[Order], found: str) -> None:
    """The only one, the one that a function is called with, or the first of them."""
    assert failure(KeyedOperator(function, Order), "k", *records).found == found


def test_a_timer_s_exception_names_the_key() -> None:
    """And what is behind a KeyError."""
    operator = KeyedOperator(Shares(), Order)
    operator.process("bob", Order("bob", 5))
    with pytest.raises(
        FunctionFailed, match=r"Shares failed at the key 'bob': KeyError: 'bob'\. Where: .* in on_timer, the function Shares"
    ):
        operator.advance_watermark(7)


def test_the_operator_is_named_by_its_uid() -> None:
    """Where there is one: two operators may run one function."""
    adapter = Keyed(Shares(), Order, Types.STRING(), 1, "shares-by-customer")
    operator = Operator(adapter, key=lambda _: 0, key_type=Types.INT())
    with pytest.raises(FunctionFailed, match="the operator shares-by-customer"):
        operator.process(as_batch("ann", Order("ann", 0)))


def as_batch(key: Any, *records: Order) -> bytes:
    """Return a batch of records of one key."""
    return dump([(key, [tuple(record) for record in records])])


class Answer(KeyedFunction[Order, Kept]):
    """Returns, or keeps, what the record says."""

    state = Kept

    def process(self, key: Any, state: Kept, records: list[Order], context: Context) -> Any:  # noqa: ARG002
        """Do it."""
        what, value = records[0].cents
        if what == "keep":
            state.total = value
            return None
        return value


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (("return", [7]), r"returned something that is no result\. Found: 7, .*Where: the function Answer, at the key 'ann'\."),
        (("return", "text"), r"returned a single result\. Found: 'text'\. Where: the function Answer, at the key 'ann'\."),
        (("keep", Malformed("x")), r"holds an object of the class .*Malformed\. .*Where: the function Answer, at the key 'ann'\."),
        (("return", ["a", "\ud800"]), r"returned a text that is no Unicode: .* Found: '\\ud800'\. Where: the function Answer\. JSON may"),
        (("return", [b"a", "\ud800"]), r"returned a text that is no Unicode"),
        (("return", [(ASIDE, "\ud800")]), r"returned a text that is no Unicode"),
    ],
    ids=["no result", "single", "state", "surrogate", "surrogate among bytes", "surrogate aside"],
)
def test_what_is_refused_names_the_key(answer: tuple[str, Any], message: str) -> None:
    """As what a function raises does."""
    with pytest.raises(ConfigurationError, match=message):
        KeyedOperator(Answer(), Order).process("ann", Order("ann", answer))


def parsing(
    *, parse: Any = None, key: Any = itemgetter(0), event_time: Any = None, malformed: type[Exception] = Malformed, rejected: Any = None
) -> Operator:
    """Return the operator that parses JSON."""
    parse = parse or (lambda text: Order(*json.loads(text)))
    rejected = rejected or (lambda text, error: f"{type(error).__name__}|".encode() + text)
    return Operator(Parsing(parse, as_tuple(Order), key, event_time, malformed, rejected, tuple(range(16)), Order, "orders"))


def outcome(operator: Operator, *texts: bytes) -> tuple[list[Any], list[bytes]]:
    """Process a batch; return the records, in the order of their keys, and what was rejected."""
    operator.process(frames.join(texts))
    records = [record for row in operator.take() for _, members in load(row[2]) for record in members]
    return sorted(records, key=repr), [text for batch in operator.take("rejected") for text in frames.split(batch)]


def none_for_bob(order: Order) -> Any:
    """Have no key, or no time, for some."""
    if order.customer == "bob":
        raise Malformed("bob")
    if order.customer == "eve":
        raise KeyError("eve")
    return order.cents if order.customer != "ned" else None


WAY_OUT = "To have such a text rejected, and the job go on, raise Malformed: the class that `malformed` names."


@pytest.mark.parametrize(
    ("role", "text", "message"),
    [
        ("parse", b'["eve", 1]', "KeyError: 'eve'"),
        ("key", b'["eve", 1]', "KeyError: 'eve'"),
        ("event_time", b'["eve", 1]', "KeyError: 'eve'"),
        ("rejected", b'["bob", 1]', "ValueError: cannot say why"),
    ],
)
def test_an_exception_for_a_text_shows_it(role: str, text: bytes, message: str) -> None:
    """Whichever function has raised it; and how it would be rejected."""

    def fail(_text: bytes, _error: Exception) -> bytes:
        raise ValueError("cannot say why")

    functions: dict[str, dict[str, Any]] = {
        "parse": {"parse": lambda text: none_for_bob(Order(*json.loads(text))) and Order("a")},
        "key": {"key": lambda order: str(none_for_bob(order))},
        "event_time": {"event_time": none_for_bob},
        "rejected": {"event_time": none_for_bob, "rejected": fail},
    }
    with pytest.raises(FunctionFailed) as raised:
        outcome(parsing(**functions[role]), b'["ann", 1]', text, b'["ann", 2]')
    assert str(raised.value).startswith(
        f"`{role}` failed for a text: {message}. Found: {text!r}, 10 bytes. Where: batches/test_failures.py:"
    )
    assert "the operator orders." in str(raised.value)
    assert (WAY_OUT in str(raised.value)) == (role != "rejected")
    assert raised.value.__cause__ is not None


@pytest.mark.parametrize("role", ["key", "event_time"])
def test_a_record_without_key_or_time_is_rejected(role: str) -> None:
    """With its bytes, as a text that is no record, and in the order in which they came; the others go on."""
    functions: dict[str, Any] = {role: none_for_bob} if role == "event_time" else {"key": lambda order: str(none_for_bob(order))}

    def parse(text: bytes) -> Order:
        if text == b"no":
            raise Malformed
        return Order(*json.loads(text))

    texts = [b"no", b'["bob", 1]', b'["ann", 2]', b"no", b'["bob", 3]', b'["ann", 4]']
    assert outcome(parsing(parse=parse, **functions), *texts) == (
        [("ann", 2), ("ann", 4)],
        [b"Malformed|no", b'Malformed|["bob", 1]', b"Malformed|no", b'Malformed|["bob", 3]'],
    )
    assert outcome(parsing(parse=parse, **functions), b'["bob", 1]') == ([], [b'Malformed|["bob", 1]'])


def test_half_of_a_surrogate_pair_is_no_key() -> None:
    """JSON brings it in, and no bytes can be made of it: the record is rejected, or named."""
    poison = rb'["\ud800", 1]'
    assert outcome(parsing(malformed=ValueError), poison, b'["ann", 1]') == ([("ann", 1)], [b"UnicodeEncodeError|" + poison])
    with pytest.raises(
        FunctionFailed, match=r"`key` failed for a text: UnicodeEncodeError: .*surrogates not allowed\. Found: b'\[\"\\\\ud800"
    ):
        outcome(parsing(), poison)


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        (
            {"parse": lambda _: None},
            r"`parse` returned no Order\. Found: None, of the class NoneType\..*It returns one record for each text",
        ),
        ({"parse": lambda _: [Order("a"), Order("b")]}, r"`parse` returned no Order\. Found: \[Order\(.*What holds several is one record"),
        ({"key": lambda _: None}, r"A key is a text or a number\. Found: None, of the class builtins\.NoneType\."),
        ({"key": lambda _: ["a"]}, r"A key is a text or a number\. Found: \['a'\]"),
        ({"event_time": lambda _: 1.5}, r"`event_time` returned no time\. Found: 1\.5, of the class float\. .*int\(seconds \* 1000\)"),
        ({"event_time": lambda _: None}, r"`event_time` returned no time\. Found: None, of the class NoneType"),
        ({"event_time": lambda order: order.cents or None}, r"`event_time` returned no time\. Found: None, of the class NoneType"),
        ({"event_time": lambda _: 2**63}, r"`event_time` returned no time\. Found: 9223372036854775808"),
    ],
    ids=["none", "several", "no key", "a list", "a float", "no time", "one without a time", "too late"],
)
def test_what_is_none_shows_the_text(functions: Any, message: str) -> None:
    """A record, a key or a time that cannot be used."""
    with pytest.raises(ConfigurationError, match=message) as raised:
        outcome(parsing(**functions), b'["ann", 0]', b'["ann", 1]')
    assert """the operator orders, for the text b'["ann", 0]', 10 bytes.""" in str(raised.value)


def test_rejected_returns_a_text() -> None:
    """Or bytes; of anything else nothing could be written."""
    with pytest.raises(
        ConfigurationError, match=r"`rejected` returned something that is neither.*Found: None.*for the text b'no', 2 bytes"
    ):
        outcome(parsing(malformed=ValueError, rejected=lambda _text, _error: None), b"no")
    with pytest.raises(FunctionFailed, match=r"`rejected` failed for a text: UnicodeEncodeError"):
        outcome(parsing(malformed=ValueError, rejected=lambda _text, _error: "\ud800"), b"no")


def test_a_record_that_cannot_be_sent_is_shown() -> None:
    """It has something in it that cannot be pickled."""
    with pytest.raises(ConfigurationError, match=r"holds something that cannot be sent: .*Found: \('b', <function .*at the key 'b'"):
        outcome(parsing(parse=lambda text: Order(text.decode(), 1 if text == b"a" else lambda: None)), b"a", b"b")


def test_what_is_long_is_shortened() -> None:
    """A record may have megabytes, and a message of Flink's shows all."""
    assert shortened(b"x" * 1000) == f"{b'x' * 200!r} and so on, 1000 bytes"
    assert shortened("x" * 1000) == f"'{'x' * 199} and so on, 1002 characters"
    assert described(ValueError("x " * 1000)) == f"ValueError: {'x ' * 194} and so on"
    assert described(KeyError()) == "KeyError"
    assert described(ValueError("a\n  b \ud800.")) == r"ValueError: a b \ud800"


def test_a_record_whose_repr_fails_is_no_obstacle() -> None:
    """The error is about what the function has raised."""

    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shortened(Odd()).endswith("Odd, whose repr fails: RuntimeError")
