"""Jobs that break one rule each, on a line that carries the mark, and jobs that look as if they did."""

# ruff: noqa: ARG002, B010, PLW0603, S311, T201 - the arguments are Flink's; the rest is what the rules look for

from __future__ import annotations

import hashlib
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from jobkit import evolution
from jobkit.evolution import list_state, map_state
from pyflink.common import Configuration, Time, Types
from pyflink.common.serializer import TypeSerializer
from pyflink.datastream import MapFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.data_stream import DataStream
from pyflink.datastream.functions import (
    AggregateFunction,
    BroadcastProcessFunction,
    FlatMapFunction,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    KeySelector,
    ProcessWindowFunction,
)
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, StateTtlConfig, ValueStateDescriptor
from pyflink.datastream.window import (
    ContinuousEventTimeTrigger,
    CountTrigger,
    CountTumblingWindowAssigner,
    EventTimeSessionWindows,
    GlobalWindows,
    PurgingTrigger,
    Trigger,
    TriggerResult,
    TumblingProcessingTimeWindows,
    WindowAssigner,
)

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])
SEEN: dict[str, int] = {}
TOTAL = 0
LIMITS = {"a": 1}
RULES = MapStateDescriptor("rules", Types.STRING(), Types.LONG())


def pairs(env: StreamExecutionEnvironment) -> DataStream:
    """Return the input of every job."""
    return env.from_collection([("a", 1), ("b", 2)], PAIR).uid("pairs")


def keyed_by(selector: Any) -> Callable[[StreamExecutionEnvironment], None]:
    """Return a job whose keys a selector makes."""

    def build(env: StreamExecutionEnvironment) -> None:
        pairs(env).key_by(selector, Types.STRING()).process(Count(), PAIR).uid("count").print().uid("out")

    return build


def processing(function: KeyedProcessFunction) -> Callable[[StreamExecutionEnvironment], None]:
    """Return a job that a keyed function does the work of."""

    def build(env: StreamExecutionEnvironment) -> None:
        pairs(env).key_by(lambda value: value[0], Types.STRING()).process(function, PAIR).uid("count").print().uid("out")

    return build


def mapping(function: Any) -> Callable[[StreamExecutionEnvironment], None]:
    """Return a job that a function without keys does the work of."""

    def build(env: StreamExecutionEnvironment) -> None:
        pairs(env).map(function, PAIR).uid("map").print().uid("out")

    return build


# What holds


class Count(KeyedProcessFunction):
    """Counts in a state, with what careful functions have: metrics, a handle of each kind, a lazy client, local variables."""

    def __init__(self) -> None:
        """Set what is constant."""
        self.limits = {"a": 3}
        self.client: Any = None
        self.length = 0

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the states and the metrics."""
        descriptor = ValueStateDescriptor("count", Types.LONG())
        descriptor.enable_time_to_live(StateTtlConfig.new_builder(Time.hours(2)).build())
        self.count = runtime_context.get_state(descriptor)
        self.by_day = runtime_context.get_map_state(MapStateDescriptor("by-day", Types.STRING(), PAIR))
        self.states = {"recent": runtime_context.get_list_state(ListStateDescriptor("recent", Types.STRING()))}
        self.records = runtime_context.get_metrics_group().counter("records")
        runtime_context.get_metrics_group().gauge("length", lambda: self.length)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Count one."""
        if self.client is None:
            self.client = object()
        self.records.inc()
        self.length = len(value)
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        self.by_day["today"] = value
        del self.by_day["yesterday"]
        self.states["recent"].add(value[0])
        seen = [value]
        seen.append(value)
        yield from self.limited(value, count)

    def limited(self, value: Any, count: int) -> Iterator[Any]:
        """Yield what is below the limit."""
        if count < self.limits.get(value[0], 10) + LIMITS.get(value[0], 0):
            yield value[0], count


def sound(env: StreamExecutionEnvironment) -> None:
    """Build a job that breaks no rule."""
    keyed = pairs(env).key_by(lambda value: value[0], Types.STRING())
    keyed.process(Count(), PAIR).uid("count").print().uid("out")
    windows = keyed.window(EventTimeSessionWindows.with_gap(Time.seconds(1)))
    windows.reduce(lambda one, other: (one[0], one[1] + other[1])).uid("sessions").print().uid("sessions-out")


def batch_reduce(env: StreamExecutionEnvironment) -> None:
    """Build a rolling aggregate, which is sound in batch mode."""
    pairs(env).key_by(lambda value: value[0], Types.STRING()).sum(1).uid("sum").print().uid("out")


# State that cannot survive


def rolling_reduce(env: StreamExecutionEnvironment) -> None:
    """Build a job with reduce."""
    keyed = pairs(env).key_by(lambda value: value[0], Types.STRING())
    keyed.reduce(lambda one, other: (one[0], one[1] + other[1])).uid("rolled").print().uid("out")  # reduce


def rolling_sum(env: StreamExecutionEnvironment) -> None:
    """Build a job with sum."""
    keyed = pairs(env).key_by(lambda value: value[0], Types.STRING())
    keyed.sum(1).uid("rolled").print().uid("out")  # sum


def rolling_min(env: StreamExecutionEnvironment) -> None:
    """Build a job with min."""
    keyed = pairs(env).key_by(lambda value: value[0], Types.STRING())
    keyed.min(1).uid("rolled").print().uid("out")  # min


def rolling_max(env: StreamExecutionEnvironment) -> None:
    """Build a job with max."""
    keyed = pairs(env).key_by(lambda value: value[0], Types.STRING())
    keyed.max(1).uid("rolled").print().uid("out")  # max


def rolling_min_by(env: StreamExecutionEnvironment) -> None:
    """Build a job with min_by."""
    keyed = pairs(env).key_by(lambda value: value[0], Types.STRING())
    keyed.min_by(1).uid("rolled").print().uid("out")  # min_by


def rolling_max_by(env: StreamExecutionEnvironment) -> None:
    """Build a job with max_by, the call after a line of its own."""
    keyed = pairs(env).key_by(lambda value: value[0], Types.STRING())
    rolled = keyed.max_by(1)  # max_by
    rolled.map(lambda value: value, PAIR).uid("fused").print().uid("out")
    rolled.uid("rolled")


class Passing(KeyedProcessFunction):
    """Does nothing."""

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Pass one on."""
        yield value


class NamedInOpen(Passing):
    """Names its state with a uuid in open."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state."""
        print("what a function prints must not get in the way")
        self.count = runtime_context.get_state(ValueStateDescriptor(f"count-{uuid.uuid4()}", Types.LONG()))  # uuid


class NamedInInit(Passing):
    """Names its state when the job is built."""

    def __init__(self) -> None:
        """Make the name."""
        self.name = f"count-{random.random()}"

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state."""
        self.count = runtime_context.get_state(ValueStateDescriptor(self.name, Types.LONG()))  # init


class NamedByHash(Passing):
    """Names its state by a hash, in a helper."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state."""
        self.count = self.make(runtime_context)

    def make(self, runtime_context: RuntimeContext) -> Any:
        """Return the state."""
        return runtime_context.get_list_state(ListStateDescriptor(f"count-{hash('count')}", Types.LONG()))  # hash


class Dialling(Passing):
    """Cannot be opened here."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Fail as a client does."""
        raise ConnectionRefusedError("redis.internal:6379")


class Hanging(Passing):
    """Opens only when somebody answers."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Wait for what does not come."""
        time.sleep(600)


class Ending(Passing):
    """Ends the process."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """End it without a word."""
        import os

        os._exit(3)


class AskingLate(KeyedProcessFunction):
    """Asks for its state at the first record."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Keep the context."""
        self.context = runtime_context

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Ask too late."""
        count = self.context.get_state(ValueStateDescriptor("late", Types.LONG()))
        yield value[0], count.value()


@dataclass
class Account:
    """What is kept of a key."""

    count: int = 0
    last: str | None = None


class Evolving(KeyedProcessFunction):
    """Keeps objects of a class with a version, got in both ways in which a function may be imported."""

    def __init__(self, version: int = 1, migrate: Any = None) -> None:
        """Take the version."""
        self.version, self.migrate = version, migrate

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the states, one of which takes over from another."""
        before = ValueStateDescriptor("count", Types.LONG())
        ttl = StateTtlConfig.new_builder(Time.hours(2)).build()
        given: Any = {"version": self.version, "migrate": self.migrate}
        self.account = evolution.value_state(runtime_context, "account", Account, before=before, convert=Account, **given)
        self.states = {"accounts": list_state(runtime_context, "accounts", Account, ttl=ttl)}
        self.by_name = map_state(runtime_context, "by-name", Types.STRING(), Account)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Count one."""
        account = self.account.value() or Account()
        account.count += 1
        self.account.update(account)
        self.states["accounts"].add(account)
        self.by_name.remove("x")
        yield value[0], account.count


class EvolvingLate(KeyedProcessFunction):
    """Asks for such a state at the first record."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Keep the context."""
        self.context = runtime_context

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Ask too late."""
        yield value[0], evolution.value_state(self.context, "late", Account).value()


# State in attributes


class InAttribute(KeyedProcessFunction):
    """Counts in an attribute."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.count = 0

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Count one."""
        self.count += 1  # attribute
        yield value[0], self.count


class InDictionary(KeyedProcessFunction):
    """Counts in a dictionary."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Make it."""
        self.counts: dict[str, int] = defaultdict(int)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Count one."""
        counts = self.counts
        counts[value[0]] += 1  # dictionary
        yield value[0], counts[value[0]]


class InList(KeyedProcessFunction):
    """Buffers in a list, changed in a helper, read in a timer."""

    def __init__(self) -> None:
        """Make it."""
        self.buffer: list[Any] = []

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Keep one."""
        self.keep(value)
        yield value

    def keep(self, value: Any) -> None:
        """Keep one."""
        self.buffer.append(value)  # list

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        """Yield all."""
        yield from self.buffer


class Inherited(InAttribute):
    """Counts in what it inherits."""


class BySetattr(KeyedProcessFunction):
    """Keeps the last record by setattr."""

    last: Any = None

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Keep one."""
        before = self.last
        setattr(self, "last", value)  # setattr
        yield before or value


class Helper:
    """An object that a function uses."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.total = 0

    def add(self, number: int) -> int:
        """Add a number."""
        self.total += number  # helper
        return self.total


class InHelper(KeyedProcessFunction):
    """Counts in an object of its own."""

    def __init__(self) -> None:
        """Make it."""
        self.helper = Helper()

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Count one."""
        yield value[0], self.helper.add(value[1])


class KeyedMap(MapFunction):
    """Counts in an attribute, as a map function."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.count = 0

    def map(self, value: Any) -> Any:
        """Count one."""
        self.count = self.count + 1  # keyed-map
        return value[0], self.count


def keyed_map(env: StreamExecutionEnvironment) -> None:
    """Build a job with it."""
    pairs(env).key_by(lambda value: value[0], Types.STRING()).map(KeyedMap(), PAIR).uid("count").print().uid("out")


class Summing(ProcessWindowFunction):
    """Counts windows in an attribute."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.windows = 0

    def process(self, key: str, context: ProcessWindowFunction.Context, elements: Any) -> Iterator[Any]:
        """Count one."""
        self.windows += 1  # window
        yield key, self.windows


def windowed(env: StreamExecutionEnvironment) -> None:
    """Build a job with it."""
    windows = pairs(env).key_by(lambda value: value[0], Types.STRING()).window(TumblingProcessingTimeWindows.of(Time.seconds(1)))
    windows.process(Summing(), PAIR).uid("count").print().uid("out")


class Remembering(ProcessWindowFunction):
    """Counts windows in a state that it asks for late."""

    def process(self, key: str, context: ProcessWindowFunction.Context, elements: Any) -> Iterator[Any]:
        """Count one."""
        windows = context.global_state().get_state(ValueStateDescriptor("windows", Types.LONG()))
        windows.update((windows.value() or 0) + 1)
        yield key, windows.value()


class Average(AggregateFunction):
    """Changes its accumulator, as it should."""

    def create_accumulator(self) -> list[int]:
        """Return an empty one."""
        return [0, 0]

    def add(self, value: Any, accumulator: list[int]) -> list[int]:
        """Add one."""
        accumulator[0] += value[1]
        accumulator.append(1)
        return accumulator

    def get_result(self, accumulator: list[int]) -> Any:
        """Return the total."""
        return "", accumulator[0]

    def merge(self, acc_a: list[int], acc_b: list[int]) -> list[int]:
        """Add two."""
        acc_a.extend(acc_b)
        return acc_a


def aggregated(env: StreamExecutionEnvironment) -> None:
    """Build a job with it."""
    windows = pairs(env).key_by(lambda value: value[0], Types.STRING()).window(TumblingProcessingTimeWindows.of(Time.seconds(1)))
    windows.aggregate(Average(), accumulator_type=Types.PICKLED_BYTE_ARRAY(), output_type=PAIR).uid("average").print().uid("out")


# State in variables


def in_module_dictionary(value: Any) -> Any:
    """Count in a dictionary of the module."""
    SEEN[value[0]] = SEEN.get(value[0], 0) + 1  # module-dictionary
    return value


def in_global(value: Any) -> Any:
    """Count in a variable of the module."""
    global TOTAL
    TOTAL += 1  # global
    return value[0], TOTAL


def in_closure() -> Callable[[Any], Any]:
    """Return a function that counts in this one's variable."""
    count = 0

    def counting(value: Any) -> Any:
        nonlocal count
        count += 1  # closure
        return value[0], count

    return counting


class ThroughHelper(FlatMapFunction):
    """Counts in the module, in a helper."""

    def flat_map(self, value: Any) -> Iterator[Any]:
        """Count one."""
        if not seen_before(value[0]):
            yield value


def seen_before(key: str) -> bool:
    """Return whether a key was seen, and remember it."""
    if key in SEEN:
        return True
    SEEN.update({key: 1})  # module-helper
    return False


def flat_mapped(env: StreamExecutionEnvironment) -> None:
    """Build a job with it."""
    pairs(env).flat_map(ThroughHelper(), PAIR).uid("map").print().uid("out")


def local_names(value: Any) -> Any:
    """Change only what is its own."""
    SEEN = {}  # noqa: N806 - hides the module's on purpose
    SEEN[value[0]] = LIMITS.get(value[0], 0)
    counts = dict(LIMITS)
    counts.update(SEEN)
    return value[0], counts.get(value[0], 0)


# Keys


def salted(value: Any) -> str:
    """Return a key with a random part."""
    part = random.randrange(8)  # random
    return f"{value[0]}-{part}"


def bucket_of(text: str) -> int:
    """Return a bucket."""
    return hash(text) % 16  # hash-helper


class Bucket(KeySelector):
    """Selects a bucket, in a helper's helper."""

    def get_key(self, value: Any) -> str:
        """Return the key."""
        return self.named(value)

    def named(self, value: Any) -> str:
        """Return the name of the bucket."""
        return f"bucket-{bucket_of(value[0])}"


def by_time(value: Any) -> str:
    """Return a key of the hour in which the record is processed."""
    now = datetime.now(timezone.utc)  # now
    return f"{value[0]}-{now.hour}"


def by_clock(value: Any) -> str:
    """Return a key of the clock."""
    parts = [value[0]]
    parts.append(str(time.time()))  # clock
    return "-".join(parts)


def by_uuid(value: Any) -> str:
    """Return a key of its own for each record, with an import of its own."""
    from uuid import uuid4

    return f"{value[0]}{uuid4()}"  # uuid-key


def by_set(value: Any) -> str:
    """Return a key of the record's letters."""
    letters = set(value[0])  # set
    return ",".join(letters)


def by_address(value: Any) -> str:
    """Return a key of where the record is."""
    return f"{id(value)}"  # address


by_hash = lambda value: str(hash(value[0]))  # noqa: E731 # lambda


def steady(value: Any) -> str:
    """Return a key that looks unsteady, and is not."""
    if value[0] in {"a", "b"}:
        return "-".join(sorted(set(value[0])))
    digest = hashlib.sha256(value[0].encode()).hexdigest()
    named = uuid.uuid5(uuid.NAMESPACE_DNS, digest)
    day = datetime.fromtimestamp(value[1], timezone.utc).date()
    return f"{named}-{day}-{time.strftime('%H', time.gmtime(value[1]))}-{len(set(value[0]))}"


def pickled_keys(env: StreamExecutionEnvironment) -> None:
    """Build a job that names no type for its keys."""
    keyed = pairs(env).map(lambda value: value, PAIR).uid("map").key_by(lambda value: (value[0], value[0]))  # pickled
    keyed.process(Count(), PAIR).uid("count").print().uid("out")


# States of other kinds


class Routing(BroadcastProcessFunction):
    """Has a broadcast state."""

    def process_element(self, value: Any, ctx: BroadcastProcessFunction.ReadOnlyContext) -> Iterator[Any]:
        """Pass one on."""
        yield value

    def process_broadcast_element(self, value: Any, ctx: BroadcastProcessFunction.Context) -> None:
        """Keep a rule."""
        ctx.get_broadcast_state(RULES).put(value[0], value[1])


def routed(env: StreamExecutionEnvironment) -> None:
    """Build a job with it."""
    stream = pairs(env)
    rules = env.from_collection([("a", 1)], PAIR).uid("rules")
    stream.connect(rules.broadcast(RULES)).process(Routing(), PAIR).uid("route").print().uid("out")


@dataclass
class Limit:
    """What is broadcast."""

    most: int


LIMITED = evolution.BroadcastDescriptor("limits", Types.STRING(), Limit, version=2, migrate=lambda _, values: Limit(*values))


class Limiting(BroadcastProcessFunction):
    """Has a broadcast state of objects with a version."""

    def process_element(self, value: Any, ctx: BroadcastProcessFunction.ReadOnlyContext) -> Iterator[Any]:
        """Look one up."""
        limit = LIMITED.of(ctx).get(value[0]) or Limit(0)
        yield value[0], limit.most

    def process_broadcast_element(self, value: Any, ctx: BroadcastProcessFunction.Context) -> None:
        """Keep one."""
        LIMITED.of(ctx).put(value[0], Limit(value[1]))


def limited(env: StreamExecutionEnvironment) -> None:
    """Build a job with it."""
    limits = env.from_collection([("a", 1)], PAIR).uid("limits").broadcast(LIMITED)
    pairs(env).connect(limits).process(Limiting(), PAIR).uid("limit").print().uid("out")


# Timers


def remind(ctx: Any, time: int) -> None:
    """Register a timer."""
    ctx.timer_service().register_event_time_timer(time)  # timer-helper


class Reminding(Passing):
    """Registers a timer for each record."""

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Register one."""
        timers = ctx.timer_service()
        timers.register_processing_time_timer(timers.current_processing_time() + 1000)  # timer
        yield value


class RemindingThroughHelper(Passing):
    """Registers a timer in a helper."""

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Register one."""
        remind(ctx, value[1])
        yield value


class RemindingAgain(Passing):
    """Registers timers under another name, when one fires."""

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        """Register the next."""
        register = ctx.timer_service().register_event_time_timer  # timer-alias
        register(timestamp + 1)
        yield from ()


class RemindingByName(Passing):
    """Registers timers in a way that no reader sees."""

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Register one."""
        getattr(ctx.timer_service(), f"register_{value[0]}_time_timer")(value[1])
        yield value

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        """Yield nothing."""
        yield from ()


class Unpicklable(Passing):
    """Can be unpickled only where the job runs."""

    def __init__(self) -> None:
        """Have something to pickle."""
        self.limit = 1

    def __setstate__(self, state: Any) -> None:
        """Fail."""
        raise ModuleNotFoundError("only_there")


class Deleting(Passing):
    """Deletes timers that others may have registered, and asks for the time."""

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Delete one."""
        ctx.timer_service().delete_event_time_timer(ctx.timer_service().current_watermark())
        yield value


class RemindingOfTwo(KeyedCoProcessFunction):
    """Registers a timer for the second input."""

    def process_element1(self, value: Any, ctx: KeyedCoProcessFunction.Context) -> Iterator[Any]:
        """Pass one on."""
        yield value

    def process_element2(self, value: Any, ctx: KeyedCoProcessFunction.Context) -> Iterator[Any]:
        """Register one."""
        ctx.timer_service().register_event_time_timer(value[1])  # timer-second
        yield value


def reminded_of_two(env: StreamExecutionEnvironment) -> None:
    """Build a job with it."""
    keyed = pairs(env).key_by(lambda value: value[0], Types.STRING())
    keyed.connect(keyed).process(RemindingOfTwo(), PAIR).uid("count").print().uid("out")


class RemindingByRule(KeyedBroadcastProcessFunction):
    """Registers a timer as a rule says."""

    def process_element(self, value: Any, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> Iterator[Any]:
        """Register one."""
        ctx.timer_service().register_event_time_timer(ctx.get_broadcast_state(RULES).get(value[0]))  # timer-rule
        yield value

    def process_broadcast_element(self, value: Any, ctx: KeyedBroadcastProcessFunction.Context) -> None:
        """Keep a rule."""
        ctx.get_broadcast_state(RULES).put(value[0], value[1])


def reminded_by_rule(env: StreamExecutionEnvironment) -> None:
    """Build a job with it."""
    rules = env.from_collection([("a", 1)], PAIR).uid("rules").broadcast(RULES)
    keyed = pairs(env).key_by(lambda value: value[0], Types.STRING())
    keyed.connect(rules).process(RemindingByRule(), PAIR).uid("count").print().uid("out")


class Daily(Trigger[Any, Any]):
    """Fires by a timer of its own."""

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Register one."""
        ctx.register_event_time_timer(timestamp + 86_400_000)  # timer-trigger
        return TriggerResult.CONTINUE

    def on_processing_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Wait."""
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Fire."""
        return TriggerResult.FIRE

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        """Keep nothing."""

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        """Keep nothing."""


class OwnSerializer(TypeSerializer[Any]):
    """Serializes windows that may have an end or not."""

    def serialize(self, element: Any, stream: Any) -> None:
        """Write nothing."""

    def deserialize(self, stream: Any) -> Any:
        """Read nothing."""


class OwnWindows(CountTumblingWindowAssigner):
    """Assigns windows of a class of its own."""

    def get_window_serializer(self) -> Any:
        """Return a serializer of its own."""
        return OwnSerializer()


def windowed_by(
    assigner: WindowAssigner[Any, Any], trigger: Trigger[Any, Any] | None = None
) -> Callable[[StreamExecutionEnvironment], None]:
    """Return a job that counts in windows."""

    def build(env: StreamExecutionEnvironment) -> None:
        windows = pairs(env).key_by(lambda value: value[0], Types.STRING()).window(assigner)
        windows = windows if trigger is None else windows.trigger(trigger)
        windows.process(Passed(), PAIR).uid("count").print().uid("out")  # windows

    return build


class Passed(ProcessWindowFunction):
    """Passes on the records of a window."""

    def process(self, key: str, context: ProcessWindowFunction.Context, elements: Any) -> Iterator[Any]:
        """Pass all."""
        yield from elements


def in_mode(mode: str) -> Callable[[StreamExecutionEnvironment], None]:
    """Return a job with timers that sets the execution mode in its code."""

    def build(env: StreamExecutionEnvironment) -> None:
        configuration = Configuration()
        configuration.set_string("python.execution-mode", mode)
        env.configure(configuration)
        processing(Reminding())(env)

    return build


GLOBAL_CONTINUOUS = windowed_by(GlobalWindows.create(), PurgingTrigger.of(ContinuousEventTimeTrigger(1000)))
GLOBAL_DAILY = windowed_by(GlobalWindows.create(), Daily())
GLOBAL_COUNT = windowed_by(GlobalWindows.create(), PurgingTrigger.of(CountTrigger(2)))
COUNT = windowed_by(CountTumblingWindowAssigner.of(2))
SESSIONS = windowed_by(EventTimeSessionWindows.with_gap(Time.seconds(1)))
OWN_WINDOWS = windowed_by(OwnWindows(2))
