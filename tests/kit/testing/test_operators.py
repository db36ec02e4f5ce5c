# ruff: noqa: ARG002 - the arguments of the functions under test are Flink's
"""A function alone behaves as Flink's operator would make it behave, and no JVM is started for it."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jobkit.testing.operators import FIRST_WATERMARK, LAST_WATERMARK, Operator, WrongType, WrongUse
from pyflink.common import Row, Time, Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import OutputTag, TimeDomain
from pyflink.datastream.functions import (
    AggregateFunction,
    BroadcastProcessFunction,
    CoMapFunction,
    CoProcessFunction,
    FilterFunction,
    FlatMapFunction,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    MapFunction,
    ProcessFunction,
    ReduceFunction,
    RuntimeContext,
    WindowFunction,
)
from pyflink.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    StateTtlConfig,
    ValueStateDescriptor,
)

TAG = OutputTag("aside", Types.LONG())
RULES = MapStateDescriptor("rules", Types.STRING(), Types.LONG())


class Sum(ReduceFunction):
    """The sum of two."""

    def reduce(self, value1: int, value2: int) -> int:
        """Add."""
        return value1 + value2


class Mean(AggregateFunction):
    """The mean of numbers."""

    def create_accumulator(self) -> tuple[int, int]:
        """Begin with none."""
        return 0, 0

    def add(self, value: int, accumulator: tuple[int, int]) -> tuple[int, int]:
        """Add one."""
        return accumulator[0] + value, accumulator[1] + 1

    def get_result(self, accumulator: tuple[int, int]) -> float:
        """Divide."""
        return accumulator[0] / accumulator[1]

    def merge(self, acc_a: tuple[int, int], acc_b: tuple[int, int]) -> tuple[int, int]:
        """Add both."""
        return acc_a[0] + acc_b[0], acc_a[1] + acc_b[1]


class States(KeyedProcessFunction):
    """Has a state of each kind, and does with them what the element says."""

    def __init__(
        self, step: Callable[[States, Any], Any], values: TypeInformation | None = None, ttl: StateTtlConfig | None = None
    ) -> None:
        self._step, self._values, self._ttl = step, values or Types.LONG(), ttl

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the states."""
        descriptors = [
            ValueStateDescriptor("value", self._values),
            ListStateDescriptor("list", self._values),
            MapStateDescriptor("map", Types.STRING(), self._values),
        ]
        if self._ttl:
            for descriptor in descriptors:
                descriptor.enable_time_to_live(self._ttl)
        self.value = runtime_context.get_state(descriptors[0])
        self.list = runtime_context.get_list_state(descriptors[1])
        self.map = runtime_context.get_map_state(descriptors[2])
        self.sum = runtime_context.get_reducing_state(ReducingStateDescriptor("sum", Sum(), Types.LONG()))
        self.mean = runtime_context.get_aggregating_state(
            AggregatingStateDescriptor("mean", Mean(), Types.TUPLE([Types.LONG(), Types.LONG()]))
        )
        self.seen = runtime_context.get_metrics_group().add_group("elements").counter("seen")

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        """Take the step."""
        self.ctx = ctx
        self.seen.inc()
        return self._step(self, value)


class Timers(KeyedProcessFunction):
    """Registers the timers that each element lists, and says when one fires."""

    def process_element(self, value: tuple[str, list[int]], ctx: KeyedProcessFunction.Context) -> None:
        """Register."""
        for time in value[1]:
            ctx.timer_service().register_event_time_timer(time)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        """Say so; every tenth registers another, in the past."""
        yield timestamp, ctx.get_current_key(), ctx.timer_service().current_watermark()
        if timestamp % 10 == 0:
            ctx.timer_service().register_event_time_timer(timestamp + 1)


class Total(KeyedProcessFunction):
    """Adds up in an attribute what belongs into a state."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}

    def process_element(self, value: tuple[str, int], ctx: KeyedProcessFunction.Context) -> Iterator[int]:
        """Add."""
        self.totals[ctx.get_current_key()] = self.totals.get(ctx.get_current_key(), 0) + value[1]
        yield self.totals[ctx.get_current_key()]


def first(value: Any) -> Any:
    """Return an element's key."""
    return value[0]


def states(step: Callable[[States, Any], Any], values: TypeInformation | None = None, ttl: StateTtlConfig | None = None) -> Operator:
    """Return an operator with a state of each kind, whose elements all have the same key."""
    return Operator(States(step, values, ttl), key=lambda _: "k")


def after(step: Callable[[States, Any], Any], *elements: Any, values: TypeInformation | None = None) -> list[Any]:
    """Return what a step yields for elements."""
    operator = states(step, values)
    for element in elements or (None,):
        operator.process(element)
    return operator.output


def test_no_jvm_is_started() -> None:
    """In a process of its own there is no gateway and no child after a function with state and timers has run."""
    program = """
        import psutil
        from jobkit.testing.operators import Operator
        from pyflink import java_gateway
        from pyflink.common import Row, Types
        from tests.kit.testing.test_operators import States, Timers, first

        operator = Operator(Timers(), key=first)
        operator.process(("a", [1]))
        operator.end_of_input()
        rows = Operator(States(lambda self, row: self.value.update(row), Types.ROW([Types.LONG()])), key=first)
        rows.process(Row(1))
        assert operator.output and java_gateway._gateway is None and not psutil.Process().children()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


EMPTY: dict[str, Callable[[Any], Any]] = {
    "value": lambda self: self.value.value(),
    "list": lambda self: list(self.list.get()),
    "map": lambda self: (self.map.get("a"), self.map.contains("a"), list(self.map.keys()), self.map.is_empty()),
    "reducing": lambda self: self.sum.get(),
    "aggregating": lambda self: self.mean.get(),
}


@pytest.mark.parametrize(
    ("kind", "expected"), [("value", None), ("list", []), ("map", (None, False, [], True)), ("reducing", None), ("aggregating", None)]
)
def test_an_empty_state(kind: str, expected: Any) -> None:
    """Reads as nothing, and never raises."""
    assert after(lambda self, _: [EMPTY[kind](self)]) == [expected]


def test_states_are_of_a_key() -> None:
    """Two keys do not see one another, and 1 is another key than True."""
    operator = Operator(States(lambda self, _: [self.sum.add(1), self.list.add(2), self.map.put("m", 3)][:0]), key=first)
    for key in ("a", "b", "a", 1, True):
        operator.process([key])
    assert [operator.state("sum", key=key) for key in ("a", "b", 1, True, "c")] == [2, 1, 1, 1, None]
    assert operator.state("list", key="a") == [2, 2]
    assert operator.state("map", key="a") == {"m": 3}
    assert operator.metrics == {"elements.seen": 5}


def test_aggregating_state_keeps_the_accumulator() -> None:
    """The function gets the result."""
    operator = states(lambda self, value: [self.mean.add(value), self.mean.get()][1:])
    for value in (1, 2, 6):
        operator.process(value)
    assert operator.output == [1.0, 1.5, 3.0]
    assert operator.state("mean", key="k") == (9, 3)


def test_a_changed_object_does_not_change_the_state() -> None:
    """What was not written is not there after a restart in Flink either."""

    def step(self: States, _: Any) -> list[Any]:
        value = self.value.value() or []
        value.append("once")
        if len(value) == 1:
            self.value.update(value)
        value.append("twice")
        return [list(self.value.value())]

    assert after(step, 1, 2, values=Types.PICKLED_BYTE_ARRAY()) == [["once"], ["once"]]


WRONG = {
    "a fraction": (1.5, Types.LONG()),
    "a text": ("1", Types.INT()),
    "33 bits": (2**32, Types.INT()),
    "bytes": (b"", Types.STRING()),
    "none": (None, Types.STRING()),
    "a null field": ((None,), Types.TUPLE([Types.LONG()])),
    "a short tuple": ((1,), Types.TUPLE([Types.LONG(), Types.LONG()])),
    "a list": ([1], Types.TUPLE([Types.LONG()])),
    "a field": ((1, "b"), Types.TUPLE([Types.LONG(), Types.LONG()])),
    "a row": (Row(a=1), Types.ROW_NAMED(["b"], [Types.LONG()])),
    "an element": ([1, "b"], Types.LIST(Types.LONG())),
    "a lock": (threading.Lock, Types.PICKLED_BYTE_ARRAY()),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_value_of_another_type_is_refused(kind: str) -> None:
    """The state is named, with what was declared and what came; process mode would write garbage or fail later."""
    value, declared = WRONG[kind]
    operator = states(lambda self, make: self.value.update(make() if callable(make) else make), declared)
    with pytest.raises(WrongType) as refused:
        operator.process(value)
    assert refused.value.where == "state value"
    assert operator.state("value", key="k") is None


def test_values_come_back_as_their_type_keeps_them() -> None:
    """An int of a DOUBLE is a float, a float of a FLOAT has 32 bits, a row has its fields in the declared order."""

    def stored(value: Any, declared: TypeInformation) -> Any:
        return after(lambda self, given: [self.value.update(given), self.value.value()][1:], value, values=declared)[0]

    assert repr(stored(3, Types.DOUBLE())) == "3.0"
    assert stored(0.1, Types.FLOAT()) == 0.10000000149011612
    assert stored([1, None], Types.LIST(Types.LONG())) == [1, None]
    assert stored(dt.datetime(2001, 1, 5, 10, 47, 0, 1999), Types.SQL_TIMESTAMP()).microsecond == 1000  # noqa: DTZ001
    assert stored(Row(b=2, a=1), Types.ROW_NAMED(["a", "b"], [Types.LONG(), Types.LONG()])) == Row(a=1, b=2)


def test_a_map_is_not_changed_while_it_is_iterated_over() -> None:
    """But by the iterator itself, as in process mode."""

    def fill(self: States) -> None:
        for key in ("a", "b"):
            self.map.put(key, 1)

    def wrong(self: States, _: Any) -> None:
        fill(self)
        for key in self.map.keys():  # noqa: SIM118 - the state is no dictionary
            self.map.remove(key)

    def right(self: States, _: Any) -> Iterator[Any]:
        fill(self)
        keys = self.map.keys()
        for _key in keys:
            keys.remove()
        yield self.map.is_empty()

    with pytest.raises(WrongUse, match="changed while it was iterated over"):
        states(wrong).process(None)
    assert after(right) == [True]


def test_put_all_is_refused() -> None:
    """It takes a dict in thread mode and pairs in process mode, where a dict of short keys is torn apart."""
    with pytest.raises(WrongUse, match="process mode takes pairs"):
        states(lambda self, _: self.map.put_all({"ab": 1})).process(None)


def test_a_state_without_a_key_is_refused() -> None:
    """In open() there is none."""

    class Early(States):
        def open(self, runtime_context: RuntimeContext) -> None:
            super().open(runtime_context)
            self.value.update(1)

    with pytest.raises(WrongUse, match="state value was used without a key"):
        Operator(Early(lambda *_: None), key=first)


def ttl(*, read: bool = False, expired: bool = False) -> StateTtlConfig:
    """Return a time to live of a second."""
    builder = StateTtlConfig.new_builder(Time.seconds(1))
    if read:
        builder.update_ttl_on_read_and_write()
    if expired:
        builder.return_expired_if_not_cleaned_up()
    return builder.build()


@pytest.mark.parametrize(
    ("config", "expected"),
    [(ttl(), [1, None, None]), (ttl(read=True), [1, 1, None]), (ttl(expired=True), [1, 1, None])],
)
def test_a_state_expires(config: StateTtlConfig, expected: list[Any]) -> None:
    """A second after it was written, or read where that counts; once more where what is expired may be seen."""

    def step(self: States, write: bool) -> Iterator[Any]:  # noqa: FBT001 - an element
        if write:
            self.value.update(1)
            self.list.add(1)
            self.map.put("a", 1)
        else:
            found = {self.value.value(), next(self.list.get(), None), self.map.get("a")}
            assert len(found) == 1
            yield found.pop()

    operator = states(step, ttl=config)
    operator.process(True)  # noqa: FBT003
    for time in (999, 1500, 2500):
        operator.advance_processing_time(time)
        operator.process(False)  # noqa: FBT003
    assert operator.output == expected


def test_timers_fire_in_order_once_for_each_key_and_time() -> None:
    """With the watermark, the key and the time that Flink gives them."""
    operator = Operator(Timers(), key=first)
    operator.process(("a", [5, 3, 5]))
    operator.process(("b", [4, 9]))
    operator.process(("a", [5]))
    assert operator.timers() == [3, 4, 5, 9]
    operator.advance_watermark(5)
    assert operator.take() == [(3, "a", 5), (4, "b", 5), (5, "a", 5)]
    operator.end_of_input()
    assert operator.take() == [(9, "b", LAST_WATERMARK)]


def test_a_late_timer_fires_with_the_next_watermark() -> None:
    """And one that `on_timer` registers with the same."""
    operator = Operator(Timers(), key=first)
    operator.advance_watermark(100)
    operator.process(("a", [20]))
    assert operator.output == []
    operator.advance_watermark(101)
    assert [fired[0] for fired in operator.output] == [20, 21]


def test_processing_time_is_moved_by_hand() -> None:
    """It begins at 0; its timers do not fire at the end of the input, and a deleted one never."""

    class Clock(KeyedProcessFunction):
        def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[int]:
            timers = ctx.timer_service()
            yield timers.current_processing_time()
            for delay in (10, 20, 30):
                timers.register_processing_time_timer(value + delay)
            timers.delete_processing_time_timer(value + 20)

        def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
            yield ctx.time_domain(), timestamp

    operator = Operator(Clock(), key=lambda value: value)
    operator.process(0)
    operator.advance_processing_time(20)
    operator.end_of_input()
    assert operator.output == [0, (TimeDomain.PROCESSING_TIME, 10)]
    assert operator.timers(TimeDomain.PROCESSING_TIME) == [30]


def test_steps_that_time_cannot_take() -> None:
    """Time does not go back, a timer's time is an integer, and a chain of timers has an end."""

    class Forever(Timers):
        def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
            yield timestamp
            ctx.timer_service().register_event_time_timer(timestamp + 1)

    operator = Operator(Forever(), key=first)
    operator.advance_watermark(10)
    with pytest.raises(WrongUse, match="Time does not go back"):
        operator.advance_watermark(9)
    with pytest.raises(WrongUse, match=r"no number of milliseconds\. Found: 10\.5"):
        operator.process(("a", [10.5]))
    operator.process(("a", [11]))
    with pytest.raises(WrongUse, match="register timers without an end"):
        operator.end_of_input()


def test_an_element_without_timestamp_has_flinks_lowest() -> None:
    """As the watermark before any has come."""

    class When(ProcessFunction):
        def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Iterator[Any]:
            yield value, ctx.timestamp(), ctx.timer_service().current_watermark()

    operator = Operator(When())
    operator.process("a")
    operator.advance_watermark(3)
    operator.process("b", timestamp=7)
    assert operator.output == [("a", FIRST_WATERMARK, FIRST_WATERMARK), ("b", 7, 3)]


def test_a_stream_without_keys_has_no_state_and_no_timers() -> None:
    """Flink refuses both."""

    class Wrong(ProcessFunction):
        def process_element(self, value: int, ctx: ProcessFunction.Context) -> None:
            ctx.timer_service().register_event_time_timer(value)

    class Stateful(MapFunction):
        def open(self, runtime_context: RuntimeContext) -> None:
            runtime_context.get_state(ValueStateDescriptor("value", Types.LONG()))

        def map(self, value: int) -> int:
            return value

    with pytest.raises(WrongUse, match="Timers are only supported on a keyed stream"):
        Operator(Wrong()).process(1)
    with pytest.raises(WrongUse, match="Keyed state is only accessible on a keyed stream"):
        Operator(Stateful())
    with pytest.raises(WrongUse, match="0 key selectors, not 1"):
        Operator(Timers())
    assert Operator(Stateful(), key=lambda value: value).output == []


def test_state_and_timers_survive_a_restore_and_attributes_do_not() -> None:
    """The one mistake that every test without a restore hides."""
    totals = Operator(Total(), key=first)
    totals.process(("a", 1))
    totals.process(("a", 2))
    restored = Operator.restore(Total(), totals.snapshot(), key=first)
    restored.process(("a", 4))
    assert (totals.output, restored.output) == ([1, 3], [4])

    timers = Operator(Timers(), key=first)
    timers.process(("a", [3]))
    timers.advance_watermark(1)
    snapshot = timers.snapshot()
    timers.end_of_input()
    restored = Operator.restore(Timers(), snapshot, key=first)
    restored.end_of_input()
    assert restored.output == timers.output == [(3, "a", LAST_WATERMARK)]


def test_a_state_is_restored_as_what_it_was() -> None:
    """Another type under the same name is refused, with both; the snapshot is not changed by what comes after it."""
    operator = states(lambda self, value: self.value.update(value))
    operator.process(1)
    snapshot = operator.snapshot()
    operator.process(2)
    restored = Operator.restore(States(lambda *_: None), snapshot, key=lambda _: "k")
    assert restored.state("value", key="k") == 1
    with pytest.raises(
        WrongUse, match=r"value cannot be read as it was written\. Found: a value state of LONG, declared as a value state of STR"
    ):
        Operator.restore(States(lambda *_: None, Types.STRING()), snapshot, key=lambda _: "k")


def test_what_cannot_be_pickled_is_named() -> None:
    """As Flink would refuse it, but with the attribute."""
    function = States(lambda *_: None)
    function.lock = threading.Lock()
    with pytest.raises(WrongUse, match=r"States cannot be sent to a worker.*Where: States\.lock"):
        Operator(function, key=first)


def test_side_outputs_have_types() -> None:
    """What is yielded with a tag goes aside, and must fit the tag."""

    class Aside(ProcessFunction):
        def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Iterator[Any]:
            yield value
            yield TAG, value

    operator = Operator(Aside(), output_type=Types.LONG())
    operator.process(1)
    assert (operator.output, operator.side_output(TAG), operator.side_output("aside")) == ([1], [1], [1])
    with pytest.raises(WrongType, match=r"type LONG\. .*Where: output"):
        operator.process("x")
    assert operator.take(TAG) == [1]
    with pytest.raises(WrongType, match="Where: side output aside"):
        Operator(Aside()).process("x")


def test_functions_of_two_inputs() -> None:
    """Each with its own key."""

    class Join(KeyedCoProcessFunction):
        def open(self, runtime_context: RuntimeContext) -> None:
            self.names = runtime_context.get_state(ValueStateDescriptor("name", Types.STRING()))

        def process_element1(self, value: tuple[int, str], ctx: KeyedCoProcessFunction.Context) -> None:
            self.names.update(value[1])

        def process_element2(self, value: tuple[str, int], ctx: KeyedCoProcessFunction.Context) -> Iterator[Any]:
            yield self.names.value(), value[0], ctx.get_current_key()

    class Both(CoProcessFunction):
        def process_element1(self, value: Any, ctx: CoProcessFunction.Context) -> Iterator[Any]:
            yield "first", value

        def process_element2(self, value: Any, ctx: CoProcessFunction.Context) -> Iterator[Any]:
            yield "second", value

    joined = Operator(Join(), key=(lambda value: value[0], lambda value: value[1]), key_type=Types.INT())
    joined.process((1, "one"))
    joined.process(("uno", 1), input=2)
    joined.process(("due", 2), input=2)
    assert joined.output == [("one", "uno", 1), (None, "due", 2)]
    both = Operator(Both())
    both.process(1)
    both.process(2, input=2)
    assert both.output == [("first", 1), ("second", 2)]
    with pytest.raises(WrongUse, match="no such input"):
        both.process(3, input=3)


def test_broadcast_state_is_written_by_its_own_stream_only() -> None:
    """The other one reads it, with and without keys; it is part of a snapshot."""

    class Rules(BroadcastProcessFunction):
        def process_element(self, value: str, ctx: BroadcastProcessFunction.ReadOnlyContext) -> Iterator[Any]:
            if value == "clear":
                ctx.get_broadcast_state(RULES).clear()
            yield ctx.get_broadcast_state(RULES).get(value)

        def process_broadcast_element(self, value: tuple[str, int], ctx: BroadcastProcessFunction.Context) -> None:
            ctx.get_broadcast_state(RULES).put(*value)

    class KeyedRules(KeyedBroadcastProcessFunction):
        def process_element(self, value: str, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> Iterator[Any]:
            ctx.timer_service().register_event_time_timer(5)
            yield ctx.get_current_key(), ctx.get_broadcast_state(RULES).get(value)

        def process_broadcast_element(self, value: tuple[str, int], ctx: KeyedBroadcastProcessFunction.Context) -> None:
            ctx.get_broadcast_state(RULES).put(*value)

        def on_timer(self, timestamp: int, ctx: KeyedBroadcastProcessFunction.OnTimerContext) -> Iterator[Any]:
            yield timestamp, list(ctx.get_broadcast_state(RULES).items())

    rules = Operator(Rules())
    rules.process(("a", 1), input=2)
    rules.process("a")
    assert (rules.output, rules.state("rules")) == ([1], {"a": 1})
    with pytest.raises(WrongUse, match="read-only here"):
        rules.process("clear")
    restored = Operator.restore(Rules(), rules.snapshot())
    restored.process("a")
    assert restored.output == [1]
    keyed = Operator(KeyedRules(), key=lambda value: value)
    keyed.process(("a", 1), input=2)
    keyed.process("a")
    keyed.end_of_input()
    assert keyed.output == [("a", 1), (5, [("a", 1)])]


def test_simple_functions() -> None:
    """Map, flat map, filter, and a map of two inputs, whose None is no element."""

    class Double(MapFunction):
        def map(self, value: int) -> int:
            return value * 2

    class Each(FlatMapFunction):
        def flat_map(self, value: Any) -> Any:
            return value

    class Even(FilterFunction):
        def filter(self, value: int) -> bool:
            return value % 2 == 0

    class Either(CoMapFunction):
        def map1(self, value: Any) -> Any:
            return value

        def map2(self, value: Any) -> None:
            return None

    for function, given, expected in (
        (Double(), [1, 2], [2, 4]),
        (Each(), [[1, 2], []], [1, 2]),
        (Even(), [1, 2], [2]),
        (Either(), [1, 2], [1, 2]),
    ):
        operator = Operator(function)
        for value in given:
            operator.process(value)
        assert operator.output == expected
    either = Operator(Either())
    either.process(1, input=2)
    assert either.output == []


def test_other_functions_are_refused() -> None:
    """Windows need their pipeline."""

    class Windowed(WindowFunction):
        def apply(self, key: Any, window: Any, inputs: Any) -> Any:
            return inputs

    with pytest.raises(WrongUse, match="Operator cannot run this function"):
        Operator(Windowed())


def test_close_closes_the_function() -> None:
    """And fires nothing."""

    class Closing(Timers):
        def open(self, runtime_context: RuntimeContext) -> None:
            self.closed = runtime_context.get_metrics_group().counter("closed")

        def close(self) -> None:
            self.closed.inc()

    operator = Operator(Closing(), key=first)
    operator.process(("a", [1]))
    operator.close()
    assert (operator.metrics, operator.output) == ({"closed": 1}, [])
