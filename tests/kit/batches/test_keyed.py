"""A KeyedFunction alone: its states, timers and outputs, key by key."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

import pytest
from jobkit.batches import Context, KeyedFunction, RecordFunction, _call, frames
from jobkit.batches._keyed import Keyed
from jobkit.batches.function import Result
from jobkit.batches.reading import dump
from jobkit.errors import ConfigurationError
from jobkit.testing.keyed import KeyedOperator
from jobkit.testing.operators import FIRST_WATERMARK, Operator
from pyflink.common import Types
from pyflink.datastream import OutputTag, TimeDomain

ASIDE, APART = OutputTag("aside", Types.STRING()), OutputTag("apart", Types.STRING())
Batch = dict[Any, list[str]]


class Order(NamedTuple):
    """What a record tells the function to do: `add`, `clear`, or anything else, with a time."""

    what: str
    time: int = 0


@dataclass
class Kept:
    """What is kept of a key."""

    seen: list[str] = field(default_factory=list)
    fired: int = 0


class Obedient(RecordFunction[Order, Kept]):
    """Does what records say, and says what it has seen."""

    state = Kept

    def process_record(self, key: Any, state: Kept, record: Order, context: Context) -> Iterator[Result]:
        """Do it."""
        state.seen.append(record.what)
        yield f"{key}: {' '.join(state.seen)}"
        if record.what == "clear":
            context.clear_state()
        elif record.what == "register":
            context.register_event_time_timer(record.time)
        elif record.what == "delete":
            context.delete_event_time_timer(record.time)
        elif record.what == "register-clock":
            context.register_processing_time_timer(record.time)
        elif record.what == "delete-clock":
            context.delete_processing_time_timer(record.time)

    def on_timer(self, key: Any, state: Kept, timestamp: int, context: Context) -> Iterator[Result]:
        """Say so, and do what the time's last digit says."""
        state.fired += 1
        yield f"{key} fired at {timestamp}, {state.fired} times, after {len(state.seen)}"
        if timestamp % 10 == 8:
            context.clear_state()
        elif timestamp % 10 == 9:
            context.register_event_time_timer(timestamp + 1)


class Bucket:
    """A function with the keys of one bucket, several of them in a batch."""

    def __init__(self, function: KeyedFunction[Any, Any], cached: int = 100, key_type: Any = None) -> None:
        """Start it."""
        self._operator = Operator(Keyed(function, Order, key_type or Types.STRING(), cached), key=lambda _: 0, key_type=Types.INT())

    def process(self, **orders: Order | list[Order]) -> list[str]:
        """Process a batch: the orders of each key; return what came out."""
        parts = [(key, [tuple(order) for order in (each if isinstance(each, list) else [each])]) for key, each in orders.items()]
        self._operator.process(dump(parts))
        return self.take()

    def advance(self, watermark: int) -> list[str]:
        """Move event time on; return what came out."""
        self._operator.advance_watermark(watermark)
        return self.take()

    def advance_clock(self, time: int) -> list[str]:
        """Move processing time on; return what came out."""
        self._operator.advance_processing_time(time)
        return self.take()

    def take(self) -> list[str]:
        """Return what came out since the last time."""
        return [text.decode() for batch in self._operator.take() for text in frames.split(batch)]

    def contents(self) -> tuple[Any, ...]:
        """Return all that a snapshot would hold, but for Flink's timers."""
        return tuple(self._operator.state(name, key=0) for name in ("states", "event-time-timers", "processing-time-timers"))

    @property
    def timers(self) -> list[int]:
        """The times of Flink's event-time timers."""
        return self._operator.timers()


def order(what: str, time: int = 0) -> Order:
    """Return a record."""
    return Order(what, time)


@pytest.mark.parametrize("cached", [0, 1, 100])
def test_keys_of_one_batch_do_not_mix(cached: int) -> None:
    """Each has its own state, with its records in their order."""
    bucket = Bucket(Obedient(), cached)
    assert bucket.process(a=[order("1"), order("2")], b=order("3")) == ["a: 1", "a: 1 2", "b: 3"]
    assert bucket.process(b=order("4"), a=order("5")) == ["b: 3 4", "a: 1 2 5"]
    assert bucket.contents()[0] == {"a": (1, (["1", "2", "5"], 0)), "b": (1, (["3", "4"], 0))}


@pytest.mark.parametrize("cached", [0, 1, 100])
def test_a_cleared_state_is_gone(cached: int) -> None:
    """The next record finds a new one, in the same batch and in the next; other keys keep theirs."""
    bucket = Bucket(Obedient(), cached)
    bucket.process(a=order("1"), b=order("2"))
    assert bucket.process(a=[order("clear"), order("rest")]) == ["a: 1 clear", "a: rest"]
    assert bucket.contents()[0] == {"a": (1, (["rest"], 0)), "b": (1, (["2"], 0))}
    assert bucket.process(a=[order("3"), order("clear"), order("4"), order("clear")]) == [
        "a: rest 3",
        "a: rest 3 clear",
        "a: 4",
        "a: 4 clear",
    ]
    assert bucket.contents()[0] == {"b": (1, (["2"], 0))}
    assert bucket.process(a=order("5"), b=order("6")) == ["a: 5", "b: 2 6"]


@pytest.mark.parametrize("cached", [0, 1, 100])
def test_a_function_over_batches_has_one_state_a_batch(cached: int) -> None:
    """What it changes after it has cleared the state is not kept."""

    class Clearing(KeyedFunction[Order, Kept]):
        state = Kept

        def process(self, key: Any, state: Kept, records: list[Order], context: Context) -> list[Result]:
            state.seen += [record.what for record in records]
            if "clear" in state.seen:
                context.clear_state()
                state.seen.append("too late")
            return [f"{key}: {' '.join(state.seen)}"]

    bucket = Bucket(Clearing(), cached)
    assert bucket.process(a=[order("clear"), order("rest")], b=order("1")) == ["a: clear rest too late", "b: 1"]
    assert bucket.contents()[0] == {"b": (1, (["1"], 0))}
    assert bucket.process(a=order("2")) == ["a: 2"]


class Looking(KeyedFunction[Order, Kept]):
    """Keeps the records of which it is told to; looks at the others."""

    state = Kept

    def process(self, key: Any, state: Kept, records: list[Order], context: Context) -> None:  # noqa: ARG002
        """Keep some, and have a timer for each key."""
        for record in records:
            context.register_event_time_timer(record.time)
            if record.what == "keep":
                state.seen.append(record.what)
            elif record.what == "forget":
                context.clear_state()

    def on_timer(self, key: Any, state: Kept, timestamp: int, context: Context) -> None:
        """Look at the state."""


@pytest.mark.parametrize("cached", [0, 1, 100])
def test_a_key_whose_state_is_as_new_leaves_nothing(cached: int) -> None:
    """Or late records alone, and timers after a clear_state, would fill the state for ever."""
    bucket = Bucket(Looking(), cached)
    bucket.process(a=order("look", 7), b=order("keep", 7), c=[order("keep", 8), order("forget", 8)])
    assert bucket.contents()[0] == {"b": (1, (["keep"], 0))}
    bucket.advance(8)
    assert bucket.contents() == ({"b": (1, (["keep"], 0))}, {}, {})
    bucket.process(a=order("keep", 9), b=order("forget", 9))
    assert bucket.contents()[0] == {"a": (1, (["keep"], 0))}
    bucket.process(b=order("look", 9))
    bucket.advance(9)
    assert bucket.contents() == ({"a": (1, (["keep"], 0))}, {}, {})


def test_a_state_that_is_as_new_again_is_kept() -> None:
    """There was one in Flink, which would come back."""

    class Undoing(KeyedFunction[Order, Kept]):
        state = Kept

        def process(self, key: Any, state: Kept, records: list[Order], context: Context) -> None:  # noqa: ARG002
            state.seen = [record.what for record in records if record.what != "undo"]

    bucket = Bucket(Undoing(), 0)
    bucket.process(a=order("1"))
    bucket.process(a=order("undo"))
    assert bucket.contents()[0] == {"a": (1, ([], 0))}


def test_clearing_what_was_never_there() -> None:
    """Leaves nothing."""
    bucket = Bucket(Obedient())
    assert bucket.process(a=order("clear")) == ["a: clear"]
    assert bucket.contents()[0] == {}


def test_several_keys_share_a_time() -> None:
    """Flink has one timer for it; each key that still wants it is called once."""
    bucket = Bucket(Obedient())
    bucket.process(a=order("register", 7), b=order("register", 7), c=order("register", 7))
    bucket.process(a=order("register", 7), b=order("delete", 7), d=order("register", 6))
    assert bucket.timers == [6, 7]
    assert bucket.advance(6) == ["d fired at 6, 1 times, after 1"]
    assert bucket.advance(7) == ["a fired at 7, 1 times, after 2", "c fired at 7, 1 times, after 1"]
    assert bucket.timers == []
    assert bucket.contents()[1] == {}


@pytest.mark.parametrize("cached", [0, 100])
def test_the_last_key_to_delete_a_time_deletes_flinks_timer(cached: int) -> None:
    """And whoever registers it again gets it again; the last word in a batch counts."""
    bucket = Bucket(Obedient(), cached)
    bucket.process(a=order("register", 7), b=order("register", 7))
    bucket.process(a=order("delete", 7))
    assert bucket.timers == [7]
    bucket.process(b=[order("register", 7), order("delete", 7)])
    assert (bucket.timers, bucket.contents()[1]) == ([], {})
    bucket.process(c=order("delete", 7))
    assert bucket.advance(7) == []
    bucket.process(b=[order("delete", 17), order("register", 17)], a=order("delete", 17))
    assert bucket.timers == [17]
    assert bucket.advance(17) == ["b fired at 17, 1 times, after 5"]


def test_timers_that_are_always_put_off_are_forgotten() -> None:
    """As those that end a session are; one before them and one behind them fire all the same, and so does the last."""
    bucket = Bucket(Obedient())
    bucket.process(a=order("register", 1_000))
    bucket.process(a=order("register", 5_001))
    for time in range(1_001, 1_501):
        bucket.process(b=[order("register", time), order("delete", time - 1)])
    assert bucket.contents()[1] == {1_000: ["a"], 1_500: ["b"], 5_001: ["a"]}
    assert bucket.advance(1_499) == ["a fired at 1000, 1 times, after 2"]
    assert bucket.advance(1_500) == ["b fired at 1500, 1 times, after 1000"]
    assert bucket.advance(5_001) == ["a fired at 5001, 2 times, after 2"]


def test_a_timer_outlives_the_state_of_its_key() -> None:
    """It finds a new state, as Flink's timers do."""
    bucket = Bucket(Obedient())
    bucket.process(a=order("register", 7), b=order("register", 7))
    bucket.process(a=order("clear"))
    assert bucket.advance(7) == ["a fired at 7, 1 times, after 0", "b fired at 7, 1 times, after 1"]
    assert bucket.contents()[0] == {"a": (1, ([], 1)), "b": (1, (["register"], 1))}


def test_a_timer_may_clear_and_register() -> None:
    """For its own key."""
    bucket = Bucket(Obedient())
    bucket.process(a=order("register", 8), b=order("register", 9))
    assert bucket.advance(8) == ["a fired at 8, 1 times, after 1"]
    assert "a" not in bucket.contents()[0]
    assert bucket.advance(10) == ["b fired at 9, 1 times, after 1", "b fired at 10, 2 times, after 1"]


def test_the_clock_has_timers_of_its_own() -> None:
    """At the same times as those of event time, for other keys."""
    bucket = Bucket(Obedient())
    bucket.process(a=order("register-clock", 7), b=[order("register-clock", 7), order("register", 7)], c=order("register-clock", 9))
    bucket.process(b=order("delete-clock", 7))
    assert bucket.advance_clock(6) == []
    assert bucket.advance_clock(8) == ["a fired at 7, 1 times, after 1"]
    assert bucket.contents()[1:] == ({7: ["b"]}, {9: ["c"]})
    assert bucket.advance(7) == ["b fired at 7, 1 times, after 3"]


def test_a_function_sees_the_times() -> None:
    """Watermark and clock, as they are when its batch comes, or its timer fires."""

    class Times(KeyedFunction[Order, Kept]):
        state = Kept

        def process(self, key: Any, state: Kept, records: list[Order], context: Context) -> list[Result]:  # noqa: ARG002
            context.register_event_time_timer(50)
            return [f"{context.watermark} {context.processing_time}"]

        def on_timer(self, key: Any, state: Kept, timestamp: int, context: Context) -> list[Result]:  # noqa: ARG002
            return [f"{timestamp}: {context.watermark} {context.processing_time}"]

    times = KeyedOperator(Times(), Order)
    times.process("a", order("x"))
    times.advance_watermark(40)
    times.advance_processing_time(3)
    times.process("a", order("x"))
    times.advance_watermark(60)
    assert times.output == [f"{FIRST_WATERMARK} 0", "40 3", "50: 60 3"]


class Answers(KeyedFunction[Order, Kept]):
    """Returns what its name says."""

    state = Kept

    def __init__(self, answers: dict[str, list[Any] | None]) -> None:
        """Take the results by what the first record says."""
        self._answers = answers

    def process(self, key: Any, state: Kept, records: list[Order], context: Context) -> Iterable[Result] | None:  # noqa: ARG002
        """Return it."""
        return self._answers[records[0].what]


def test_results_are_texts_bytes_and_pairs() -> None:
    """A list, a tuple, an iterator or None; to the main output, and aside."""
    mixed = ["ä", b"\xc3\xb6", (ASIDE, "with\nnewline"), (APART, b"\xff"), (ASIDE, ""), ""]
    answers = KeyedOperator(Answers({"mixed": mixed, "none": None, "empty": [], "one": [(APART, "x")]}), Order)
    for what in ("none", "empty"):
        answers.process("k", order(what))
        assert answers.output == []
    answers.process("k", order("mixed"))
    answers.process("k", order("one"))
    assert answers.output == ["ä", "ö", ""]
    assert answers.side_output(ASIDE) == [b"with\nnewline", b""]
    assert answers.side_output("apart") == [b"\xff", b"x"]


def test_none_among_results_is_nothing() -> None:
    """As where a comprehension says `text if it is wanted else None`."""
    answers = KeyedOperator(Answers({"x": [None, "a", None, (ASIDE, "b")]}), Order)
    answers.process("k", order("x"))
    assert (answers.output, answers.side_output(ASIDE)) == (["a"], [b"b"])


SINGLE: list[Any] = ["text", b"bytes", (ASIDE, "text")]


@pytest.mark.parametrize("result", SINGLE, ids=lambda result: type(result).__name__)
def test_a_single_result_is_refused(result: Any) -> None:
    """Python would take a text apart into its characters, and bytes into numbers."""

    class One(RecordFunction[Order, Kept]):
        state = Kept

        def process_record(self, key: Any, state: Kept, record: Order, context: Context) -> Any:  # noqa: ARG002
            return result

    with pytest.raises(ConfigurationError, match=r"Answers returned a single result\. Found: .*Return a list of results, or yield it"):
        KeyedOperator(Answers({"x": result}), Order).process("k", order("x"))
    with pytest.raises(ConfigurationError, match=r"One returned a single result"):
        KeyedOperator(One(), Order).process("k", order("x"))


WRONG_IDS = ["number", "dict", "no tag", "no text", "three", "bytearray"]


@pytest.mark.parametrize("result", [7, {"a": 1}, ("aside", "text"), (ASIDE, 7), (ASIDE, "a", "b"), bytearray(b"x")], ids=WRONG_IDS)
def test_what_is_no_result_is_refused(result: Any) -> None:
    """It says what a result is."""
    with pytest.raises(ConfigurationError, match=r"Answers returned something that is no result\. Found: .*A result is a text, bytes, or"):
        KeyedOperator(Answers({"x": ["a", result]}), Order).process("k", order("x"))


def test_output_that_is_no_utf_8_is_shown() -> None:
    """A job may write such bytes."""
    answers = KeyedOperator(Answers({"bytes": [b"a\xff"]}), Order)
    answers.process("k", order("bytes"))
    assert [text.encode(errors="surrogateescape") for text in answers.output] == [b"a\xff"]


@pytest.mark.parametrize(("key", "key_type"), [("k", None), (7, Types.LONG()), (1.5, Types.DOUBLE())])
def test_keys_have_types(key: Any, key_type: Any) -> None:
    """States and timers are found by them."""
    operator = KeyedOperator(Obedient(), Order, key_type=key_type)
    operator.process(key, order("register", 7))
    operator.process(key, order("1"))
    assert operator.state(key) == Kept(["register", "1"])
    assert operator.timers(key) == [7]
    operator.advance_watermark(7)
    assert operator.output[-1] == f"{key} fired at 7, 1 times, after 2"


@pytest.mark.parametrize(
    "key_type",
    [Types.PICKLED_BYTE_ARRAY(), Types.TUPLE([Types.STRING()]), Types.PRIMITIVE_ARRAY(Types.BYTE()), Types.INT(), Types.BOOLEAN()],
    ids=str,
)
def test_a_key_that_java_does_not_find_again_is_refused(key_type: Any) -> None:
    """In thread mode and with the hashmap backend its state would be new with each batch, and nothing would be said."""
    with pytest.raises(ConfigurationError, match=r"is a text or a number.*Where: key_type\. Take Types\.LONG\(\) for whole"):
        KeyedOperator(Obedient(), Order, key_type=key_type)


@pytest.mark.parametrize(
    ("key", "key_type", "message"),
    [
        (7, None, r"a text\. Found: 7, of the class int\..*Say key_type=Types\.LONG\(\) in process"),
        (1.5, None, r"a text\. Found: 1\.5, of the class float\..*Say key_type=Types\.DOUBLE\(\)"),
        (7.0, Types.LONG(), r"a Long\. Found: 7\.0, of the class float\..*Let `key` return int"),
        ("7", Types.LONG(), r"a Long\. Found: '7', of the class str\..*Leave key_type out"),
        (2**63, Types.LONG(), r"a Long\. Found: 9223372036854775808, .*Let `key` return a text: a Long has 64 bits"),
        (7, Types.DOUBLE(), r"a Double\. Found: 7, of the class int\..*Let `key` return float"),
        ("x", Types.DOUBLE(), r"a Double\. Found: 'x', of the class str\..*Leave key_type out"),
    ],
)
def test_a_key_of_another_type_is_refused(key: Any, key_type: Any, message: str) -> None:
    """Java would speak of a cast; or, with the hashmap backend, not before the first snapshot."""
    with pytest.raises(ConfigurationError, match=r"A key is not of its type, which is .*" + message) as raised:
        KeyedOperator(Obedient(), Order, key_type=key_type).process(key, order("1"))
    assert "Where: the function Obedient." in str(raised.value)


@pytest.mark.parametrize("key", [None, ("a", 1), True], ids=str)
def test_what_is_no_key_is_refused_alone_too(key: Any) -> None:
    """As in the job, where the operator before refuses it."""
    with pytest.raises(ConfigurationError, match=r"A key is a text or a number\."):
        KeyedOperator(Obedient(), Order).process(key, order("1"))


def test_zero_is_one_key() -> None:
    """To Java's maps, 0.0 and -0.0 are two."""
    operator = KeyedOperator(Obedient(), Order, key_type=Types.DOUBLE())
    operator.process(-0.0, order("1"))
    operator.process(0.0, order("2"))
    assert operator.output == ["0.0: 1", "0.0: 1 2"]
    assert operator.state(-0.0) == Kept(["1", "2"])


class Many(KeyedFunction[Order, Kept]):
    """Registers a timer for each key, at one time; results as many and as long as the record says."""

    state = Kept

    def process(self, key: Any, state: Kept, records: list[Order], context: Context) -> list[Result]:
        """Register it, and return some."""
        context.register_event_time_timer(7)
        state.seen += [record.what for record in records]
        return [f"{key} {number}" for number in range(records[0].time)]

    def on_timer(self, key: Any, state: Kept, timestamp: int, context: Context) -> list[Result]:  # noqa: ARG002
        """Return them, the odd ones aside, and forget every second key."""
        if int(key) % 2:
            context.clear_state()
        else:
            state.fired += 1
        return [(ASIDE, state.seen[0]), state.seen[0]]


def batches_of_results(cached: int, bounds: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[int], Any]:
    """Let forty keys have a timer at one time; return how many results each batch has had, of both outputs, and what is left."""
    monkeypatch.setattr(_call, "MOST_RESULTS", bounds[0])
    monkeypatch.setattr(_call, "MOST_BYTES", bounds[1])
    operator = Operator(Keyed(Many(), Order, Types.STRING(), cached), key=lambda _: 0, key_type=Types.INT())
    operator.process(dump([(str(number), [("x" * 10, 0)]) for number in range(40)]))
    operator.advance_watermark(7)
    main, aside = ([len(frames.split(batch)) for batch in batches] for batches in (operator.output, operator.side_output(ASIDE)))
    return main, aside, operator.state("states", key=0)


@pytest.mark.parametrize("cached", [0, 1, 100])
def test_timers_that_are_due_at_once_send_results_on(cached: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches of a bounded size: when the input ends, every key of a bucket may have some. States are written as ever."""
    expected = {str(number): (1, (["x" * 10], 1)) for number in range(0, 40, 2)}
    assert batches_of_results(cached, (10_000, 1 << 23), monkeypatch) == ([40], [40], expected)
    assert batches_of_results(cached, (15, 1 << 23), monkeypatch) == ([15, 15, 10], [15, 15, 10], expected)
    assert batches_of_results(cached, (10_000, 200), monkeypatch) == ([10] * 4, [10] * 4, expected)


def test_a_batch_of_records_sends_results_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function may return many for each record."""
    monkeypatch.setattr(_call, "MOST_RESULTS", 15)
    operator = Operator(Keyed(Many(), Order, Types.STRING(), 10), key=lambda _: 0, key_type=Types.INT())
    operator.process(dump([(key, [("x", 10)]) for key in "abcde"]))
    assert [len(frames.split(batch)) for batch in operator.output] == [20, 20, 10]
    assert set(operator.state("states", key=0)) == set("abcde")


def test_a_record_arrives_as_what_it_was() -> None:
    """Whatever its fields hold: values of other classes, and those that look like bytes."""

    class Any_(NamedTuple):  # noqa: N801
        value: Any

    class Show(KeyedFunction[Any_, Kept]):
        state = Kept

        def process(self, key: Any, state: Kept, records: list[Any_], context: Context) -> list[Result]:  # noqa: ARG002
            return [f"{type(record).__name__} {record.value!r}" for record in records]

    values = [Decimal("1.10"), bytearray(b"x"), memoryview, Order("a"), [1, {2: None}], {3}, True, 1.5, b"x", None]
    shown = KeyedOperator(Show(), Any_)
    shown.process("k", *map(Any_, values))
    assert shown.output == [f"Any_ {value!r}" for value in values]


def test_a_record_may_be_a_dataclass() -> None:
    """It is made again of its fields; also one that is pickled with the function, twice, and the class of its state with it."""

    @dataclass(frozen=True)
    class Reading:
        unit: ClassVar[str] = "V"
        time: int
        value: float = 0.0

    @dataclass
    class Most:
        value: float = 0.0
        time: int | None = None

    class Largest(KeyedFunction[Reading, Most]):
        state = Most

        def process(self, key: Any, state: Most, records: list[Reading], context: Context) -> list[Result]:  # noqa: ARG002
            largest = max(records, key=lambda reading: reading.value)
            state.value, state.time = largest.value, largest.time
            return [f"{type(largest).__name__} {largest.time} {largest.value}"]

    first = KeyedOperator(Largest(), Reading)
    first.process("k", Reading(1, 2.5), Reading(2, 7.5), Reading(3))
    second = KeyedOperator(Largest(), Reading, snapshot=first.snapshot())
    assert second.state("k") == Most(7.5, 2)
    second.process("k", Reading(4))
    assert first.output + second.output == ["Reading 2 7.5", "Reading 4 0.0"]


def test_state_and_timers_survive_a_restore() -> None:
    """Of several keys, as a new copy of the function finds them; the snapshot is not changed by what comes after it."""
    before = KeyedOperator(Obedient(), Order)
    before.process("a", order("register", 7))
    before.process("a", order("register-clock", 7))
    before.process("b", order("register", 7))
    snapshot = before.snapshot()
    before.process("a", order("clear"))
    after = KeyedOperator(Obedient(), Order, snapshot=snapshot)
    assert after.state("a") == Kept(["register", "register-clock"])
    assert (after.timers("a"), after.timers("a", TimeDomain.PROCESSING_TIME), after.timers("b")) == ([7], [7], [7])
    assert after.timers("b", TimeDomain.PROCESSING_TIME) == []
    after.advance_watermark(7)
    assert after.output == ["a fired at 7, 1 times, after 2", "b fired at 7, 1 times, after 1"]
    assert before.state("a") is None


@dataclass
class Renamed:
    """`Kept` under another name, with others for its fields."""

    words: list[str] = field(default_factory=list)
    count: int = 0


@dataclass
class Extended:
    """`Kept` with one more field."""

    seen: list[str] = field(default_factory=list)
    fired: int = 0
    total: int = 0


def test_the_class_of_a_state_may_be_renamed() -> None:
    """And the function's, and the fields."""

    class Other(KeyedFunction[Order, Renamed]):
        state = Renamed

        def process(self, key: Any, state: Renamed, records: list[Order], context: Context) -> list[Result]:  # noqa: ARG002
            state.words += [record.what for record in records]
            return [" ".join(state.words)]

    before = KeyedOperator(Obedient(), Order)
    before.process("a", order("1"))
    after = KeyedOperator(Other(), Order, snapshot=before.snapshot())
    after.process("a", order("2"))
    assert after.output == ["1 2"]


def test_a_state_is_migrated_when_it_is_read() -> None:
    """And written in the new version."""

    class Later(KeyedFunction[Order, Extended]):
        state = Extended
        version = 2

        def process(self, key: Any, state: Extended, records: list[Order], context: Context) -> None:  # noqa: ARG002
            state.seen += [record.what for record in records]

        def migrate(self, version: int, values: tuple[Any, ...]) -> Extended:
            assert version == 1
            seen, fired = values
            return Extended(seen, fired, len(seen))

    before = KeyedOperator(Obedient(), Order)
    before.process("a", order("1"), order("2"))
    after = KeyedOperator(Later(), Order, snapshot=before.snapshot())
    after.process("a", order("3"))
    assert after.state("a") == Extended(["1", "2", "3"], 0, 2)
    again = KeyedOperator(Later(), Order, snapshot=after.snapshot())
    assert again.state("a") == Extended(["1", "2", "3"], 0, 2)


class Summing(KeyedFunction[Order, Kept]):
    """Numbers records in batches."""

    state = Kept

    def process(self, key: Any, state: Kept, records: list[Order], context: Context) -> Iterator[Result]:  # noqa: ARG002
        """Number them."""
        for record in records:
            state.seen.append(record.what)
            if record.what == "2":
                yield ASIDE, f"{key} {len(state.seen)}"
            elif record.what != "3":
                yield f"{key} {len(state.seen)}"


class SummingOneByOne(RecordFunction[Order, Kept]):
    """Numbers them one by one."""

    state = Kept

    def process_record(self, key: Any, state: Kept, record: Order, context: Context) -> list[Result] | None:  # noqa: ARG002
        """Number one."""
        state.seen.append(record.what)
        number = f"{key} {len(state.seen)}"
        return None if record.what == "3" else [(ASIDE, number) if record.what == "2" else number]


def test_one_by_one_is_the_same() -> None:
    """Output, side output and state, in whatever batches the records come."""
    outcomes = []
    for function, size in ((Summing(), 5), (Summing(), 1), (SummingOneByOne(), 5), (SummingOneByOne(), 2)):
        operator = KeyedOperator(function, Order)
        records = [order(str(number % 5)) for number in range(20)]
        for begin in range(0, len(records), size):
            operator.process("k", *records[begin : begin + size])
        outcomes.append((operator.output, operator.side_output(ASIDE), operator.state("k")))
    assert outcomes[0][0][:3] == ["k 1", "k 2", "k 5"]
    assert outcomes == [outcomes[0]] * 4


def test_functions_are_opened_and_closed() -> None:
    """With Flink's runtime context, before the first record."""

    class Metered(Obedient):
        def open(self, runtime_context: Any) -> None:
            self.opened = runtime_context.get_metrics_group().counter("records")

        def process_record(self, key: Any, state: Kept, record: Order, context: Context) -> Iterator[Result]:
            self.opened.inc()
            yield from super().process_record(key, state, record, context)

        def close(self) -> None:
            self.opened.inc(100)

    operator = Operator(Keyed(Metered(), Order, Types.STRING(), 1), key=lambda _: 0, key_type=Types.INT())
    operator.process(dump([("a", [("1", 0)]), ("b", [("2", 0)])]))
    assert operator.metrics == {"records": 2}
    operator.close()
    assert operator.metrics == {"records": 102}


def test_a_timer_without_on_timer_is_named() -> None:
    """The function registers it, and does not say what for."""

    class Forgetful(KeyedFunction[Order, Kept]):
        state = Kept

        def process(self, key: Any, state: Kept, records: list[Order], context: Context) -> None:  # noqa: ARG002
            context.register_event_time_timer(1)

    operator = KeyedOperator(Forgetful(), Order)
    operator.process("a", order("x"))
    with pytest.raises(NotImplementedError, match="Forgetful registers timers, and has no on_timer"):
        operator.advance_watermark(1)


def test_the_cache_shows_what_the_state_holds() -> None:
    """Over thousands of steps by chance, with a seed: the same output and contents with every size."""
    chance = random.Random(11)  # noqa: S311
    buckets = [Bucket(Obedient(), cached) for cached in (0, 1, 3, 100_000)]
    kinds = ["1", "2", "clear", "register", "delete", "register-clock", "delete-clock"]
    watermark = clock = fired = 0
    for _ in range(1500):
        step = chance.random()
        if step < 0.1:
            watermark += chance.randrange(10)
            outputs = [bucket.advance(watermark) for bucket in buckets]
            fired += len(outputs[0])
        elif step < 0.2:
            clock += chance.randrange(10)
            outputs = [bucket.advance_clock(clock) for bucket in buckets]
            fired += len(outputs[0])
        else:
            keys = chance.sample("abcdefghij", chance.randrange(1, 5))
            batch: dict[str, Any] = {
                key: [order(chance.choice(kinds), watermark + chance.randrange(20)) for _ in range(chance.randrange(1, 4))] for key in keys
            }
            outputs = [bucket.process(**batch) for bucket in buckets]
        assert outputs == [outputs[0]] * len(buckets)
    contents = [bucket.contents() for bucket in buckets]
    assert contents == [contents[0]] * len(buckets)
    assert fired > 100, "too few timers fired for this to say anything"
