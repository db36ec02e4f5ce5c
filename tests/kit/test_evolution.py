# ruff: noqa: ARG002 - the arguments of the functions under test are Flink's
"""States of a class with a version: what is written, what is migrated, and how they take over from plain ones."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import pytest
from jobkit import evolution
from jobkit.errors import ConfigurationError
from jobkit.testing.operators import Operator, Snapshot
from pyflink.common import Time, Types
from pyflink.datastream.functions import KeyedBroadcastProcessFunction, KeyedCoProcessFunction, KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, StateTtlConfig, ValueStateDescriptor

COUNT = ValueStateDescriptor("count", Types.LONG())
LAST = ListStateDescriptor("last", Types.LONG())
SEEN = MapStateDescriptor("seen", Types.STRING(), Types.LONG())

Open = Callable[[RuntimeContext], Any]
Step = Callable[[Any], Any]


@dataclass
class Account:
    """What is kept of a key."""

    count: int
    last: Any = None


@dataclass
class Larger:
    """`Account`, with a field more and another name."""

    count: int
    last: Any
    largest: int


@dataclass(frozen=True)
class Frozen:
    """A class whose fields cannot be set."""

    count: int


class Pair(NamedTuple):
    """A NamedTuple."""

    left: int
    right: str = ""


class Struct(msgspec.Struct):
    """A Struct."""

    count: int
    names: list[str] = msgspec.field(default_factory=list)


class Color(enum.Enum):
    """A class of the user's."""

    RED = 1


@dataclass
class Special(Account):
    """A subclass, with a field that would be lost."""

    more: int = field(default=0)


class Does(KeyedProcessFunction):
    """Opens a state, and does with it what the element says."""

    def __init__(self, get: Open) -> None:
        self._get = get

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state."""
        self._state = self._get(runtime_context)

    def process_element(self, value: tuple[str, Step], ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Do one thing."""
        yield value[1](self._state)


class Both(KeyedCoProcessFunction):
    """Counts two inputs in one state."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state."""
        self._account = evolution.value_state(runtime_context, "account", Account)

    def process_element1(self, value: Any, ctx: KeyedCoProcessFunction.Context) -> Iterator[Any]:
        """Count one."""
        account = self._account.value() or Account(0)
        account.count += 1
        self._account.update(account)
        yield account.count

    def process_element2(self, value: Any, ctx: KeyedCoProcessFunction.Context) -> Iterator[Any]:
        """Count one."""
        return self.process_element1(value, ctx)


RULES = evolution.BroadcastDescriptor("rules", Types.STRING(), Account)


class Ruled(KeyedBroadcastProcessFunction):
    """Has a broadcast state, and one of its own."""

    def __init__(self, rules: evolution.BroadcastDescriptor[Any]) -> None:
        self._rules = rules

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state of its own."""
        self._account = evolution.value_state(runtime_context, "account", Account)

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        """Read both."""
        yield self._rules.of(ctx).get("rule"), self._account.value()
        self._account.update(Account(value))

    def process_broadcast_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        """Write the one that all have."""
        self._rules.of(ctx).put("rule", value)
        return iter(())


class Alone:
    """An operator with one state; `do` does something with the state of a key."""

    def __init__(self, get: Open, before: Alone | Snapshot | None = None) -> None:
        """Start it, from a snapshot of another one or without any state."""
        options: dict[str, Any] = {"key": lambda value: value[0], "key_type": Types.STRING()}
        snapshot = before.operator.snapshot() if isinstance(before, Alone) else before
        self.operator: Operator = Operator(Does(get), **options) if snapshot is None else Operator.restore(Does(get), snapshot, **options)

    def do(self, step: Step, key: str = "a") -> Any:
        """Do it, and return what came of it."""
        self.operator.process((key, step))
        return self.operator.take()[0]

    def raw(self, name: str, key: str = "a") -> Any:
        """Return what is in a state as Flink has it."""
        without = {"account": ValueStateDescriptor, "accounts": ListStateDescriptor}
        if name in without:
            descriptor = without[name](name, Types.PICKLED_BYTE_ARRAY())
        else:
            descriptor = MapStateDescriptor(name, Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        kinds = {"account": "get_state", "accounts": "get_list_state"}
        other = Alone(lambda context: getattr(context, kinds.get(name, "get_map_state"))(descriptor), self)
        return other.operator.state(name, key=key)


def value(kind: type[Any] = Account, name: str = "account", **more: Any) -> Open:
    """Return what gets a value."""
    return lambda context: evolution.value_state(context, name, kind, **more)


def listed(kind: type[Any] = Account, **more: Any) -> Open:
    """Return what gets a list."""
    return lambda context: evolution.list_state(context, "accounts", kind, **more)


def mapped(kind: type[Any] = Account, **more: Any) -> Open:
    """Return what gets a map."""
    return lambda context: evolution.map_state(context, "by-name", Types.STRING(), kind, **more)


def larger(version: int, values: tuple[Any, ...]) -> Larger:
    """Make a Larger of what an Account has left."""
    assert version == 1
    return Larger(values[0], values[1], 7)


# what is written and comes back


@pytest.mark.parametrize("content", [Account(3), Frozen(3), Pair(1, "x"), Struct(3, ["a"]), Account(1, {"a": [1]})], ids=repr)
def test_an_object_comes_back(content: Any) -> None:
    """Of each kind of class, also one whose fields have no defaults; as version and values, which name no class."""
    alone = Alone(value(type(content), version=4))
    alone.do(lambda state: state.update(content))
    assert alone.do(lambda state: state.value()) == content
    assert type(alone.do(lambda state: state.value())) is type(content)
    version, values = alone.raw("account")
    assert (version, type(values)) == (4, tuple)


def test_where_there_is_none_is_none() -> None:
    """As PyFlink has it: before the first update, for another key, and after it was cleared."""
    alone = Alone(value())
    assert alone.do(lambda state: state.value()) is None
    alone.do(lambda state: state.update(Account(1)))
    assert alone.do(lambda state: state.value(), key="b") is None
    alone.do(lambda state: state.clear())
    assert alone.do(lambda state: state.value()) is None
    assert alone.raw("account") is None


def test_a_list() -> None:
    """It is read, added to, replaced and cleared."""
    alone = Alone(listed())
    assert alone.do(lambda state: state.get()) == []
    alone.do(lambda state: state.add(Account(1)))
    alone.do(lambda state: state.add_all([Account(2), Account(3)]))
    assert alone.do(lambda state: state.get()) == [Account(1), Account(2), Account(3)]
    alone.do(lambda state: state.update([Account(4)]))
    assert alone.operator.state("accounts", key="a") == [Account(4)]
    assert alone.raw("accounts") == [(1, (4, None))]
    alone.do(lambda state: state.clear())
    assert alone.do(lambda state: state.get()) == []


def test_a_map() -> None:
    """It does what a MapState does."""
    alone = Alone(mapped())
    assert alone.do(lambda state: (state.get("x"), state.contains("x"), state.is_empty())) == (None, False, True)
    alone.do(lambda state: state.put("x", Account(1)))
    alone.do(lambda state: state.put_all({"y": Account(2)}))
    assert alone.do(lambda state: (state.get("x"), state.contains("x"), state.is_empty())) == (Account(1), True, False)
    assert alone.do(lambda state: dict(state.items())) == {"x": Account(1), "y": Account(2)}
    assert alone.do(lambda state: (sorted(state.keys()), sorted(each.count for each in state.values()))) == (["x", "y"], [1, 2])
    assert alone.raw("by-name") == {"x": (1, (1, None)), "y": (1, (2, None))}
    alone.do(lambda state: (state.remove("x"), state.remove("z")))
    assert alone.operator.state("by-name", key="a") == {"y": Account(2)}
    alone.do(lambda state: state.clear())
    assert alone.do(lambda state: state.is_empty())


def test_two_inputs_share_one() -> None:
    """A KeyedCoProcessFunction gets it as well."""
    operator = Operator(Both(), key=[str, str], key_type=Types.STRING())
    operator.process(1, input=1)
    operator.process(1, input=2)
    assert operator.output == [1, 2]
    assert operator.state("account", key="1") == Account(2)


def test_a_broadcast_state() -> None:
    """Its objects are written and migrated as others are, for all keys; and a broadcast function may have states of its own."""
    options: dict[str, Any] = {"key": str, "key_type": Types.STRING()}
    operator = Operator(Ruled(RULES), **options)
    operator.process(Account(1, "x"), input=2)
    operator.process(7, input=1)
    operator.process(7, input=1)
    assert operator.output == [(Account(1, "x"), None), (Account(1, "x"), Account(7))]
    assert operator.state("rules") == {"rule": Account(1, "x")}
    later = evolution.BroadcastDescriptor("rules", Types.STRING(), Larger, version=2, migrate=larger)
    restored = Operator.restore(Ruled(later), operator.snapshot(), **options)
    restored.process(8, input=1)
    assert restored.output == [(Larger(1, "x", 7), None)]
    with pytest.raises(ConfigurationError, match="The broadcast state “rules” takes objects of the class Larger"):
        restored.process(Account(1), input=2)


def test_a_time_to_live() -> None:
    """It is the state's."""
    ttl = StateTtlConfig.new_builder(Time.milliseconds(10)).build()
    for get, read in ((value(ttl=ttl), lambda state: state.value()), (mapped(ttl=ttl), lambda state: state.get("x"))):
        alone = Alone(get)
        alone.do(lambda state: state.put("x", Account(1)) if hasattr(state, "put") else state.update(Account(1)))
        assert alone.do(read) == Account(1)
        alone.operator.advance_processing_time(10)
        assert alone.do(read) is None


@pytest.mark.parametrize("content", [None, 3, (3, None), Larger(1, 2, 3), Special(1)], ids=repr)
def test_an_object_of_another_class_is_refused(content: Any) -> None:
    """Of a subclass too, whose other fields would be lost."""
    message = r"The state “account” of “operator” takes objects of the class Account\. Found: .*, of the class .*Make a Account of it\."
    with pytest.raises(ConfigurationError, match=message):
        Alone(value()).do(lambda state: state.update(content))
    for get in (listed(), mapped()):
        with pytest.raises(ConfigurationError, match="takes objects of the class Account"):
            Alone(get).do(lambda state: state.put("x", content) if hasattr(state, "put") else state.add(content))


def test_an_object_of_the_users_in_a_field_is_refused() -> None:
    """It could not be read once its class was moved or renamed."""
    with pytest.raises(ConfigurationError, match=r"The state “account” of “operator” holds an object of the class .*\.Color\."):
        Alone(value()).do(lambda state: state.update(Account(1, Color.RED)))


# another version


READS: list[tuple[Callable[..., Open], Step, Step]] = [
    (value, lambda state: state.update(Account(3, "x")), lambda state: state.value()),
    (listed, lambda state: state.add(Account(3, "x")), lambda state: state.get()[0]),
    (mapped, lambda state: state.put("k", Account(3, "x")), lambda state: state.get("k")),
]
KINDS = ["value", "list", "map"]


@pytest.mark.parametrize(("of", "write", "read"), READS, ids=KINDS)
def test_what_an_earlier_version_has_written_is_migrated(of: Callable[..., Open], write: Step, read: Step) -> None:
    """When it is read; it is written in the new version when it is updated, and migrate is not called for it any more."""
    old = Alone(of())
    old.do(write)
    new = Alone(of(Larger, version=2, migrate=larger), old)
    assert new.do(read) == Larger(3, "x", 7)
    changed = Larger(4, "y", 8)
    rewrites = {"value": lambda s: s.update(changed), "list": lambda s: s.update([changed]), "map": lambda s: s.put("k", changed)}
    new.do(rewrites[KINDS[[each[0] for each in READS].index(of)]])
    later = Alone(of(Larger, version=2), new)
    assert later.do(read) == changed


def test_reading_alone_writes_nothing() -> None:
    """The old version stays until the next update."""
    old = Alone(value())
    old.do(lambda state: state.update(Account(3)))
    new = Alone(value(Larger, version=2, migrate=larger), old)
    new.do(lambda state: state.value())
    assert new.raw("account") == (1, (3, None))
    assert new.operator.state("account", key="a") == Larger(3, None, 7)


@pytest.mark.parametrize(("of", "write", "read"), READS, ids=KINDS)
def test_without_migrate_it_fails(of: Callable[..., Open], write: Step, read: Step) -> None:
    """And says which state, of which operator, which versions, what was found and what to write."""
    old = Alone(of())
    old.do(write)
    message = (
        r"The state “.*” of “operator” was written in version 1, has version 2 and no migrate for it\. Found: \(3, 'x'\)\. "
        r"Give it migrate=…: a function of the version and the values that returns a Larger\."
    )
    with pytest.raises(ConfigurationError, match=message):
        Alone(of(Larger, version=2), old).do(read)


def refused(written: Open, content: Any, get: Open) -> str:
    """Return why a value that was written cannot be read."""
    old = Alone(written)
    old.do(lambda state: state.update(content))
    with pytest.raises(ConfigurationError) as caught:
        Alone(get, old).do(lambda state: state.value())
    return str(caught.value)


def test_other_fields_in_the_same_version_are_refused() -> None:
    """Their number is all that tells."""
    assert "was written with other fields. Found: 2 values, for the fields count, last, largest" in refused(
        value(), Account(1), value(Larger)
    )


def test_a_newer_version_is_refused() -> None:
    """As after a roll-back of the code from a snapshot that the newer one took; migrate is not asked."""
    text = refused(value(Larger, version=2), Larger(1, 2, 3), value(migrate=lambda _, values: Account(*values[:2])))
    assert "was written by a newer version of the job. Found: version 2, where this one has version 1." in text


def test_migrate_has_to_make_such_an_object() -> None:
    """Nothing else is given to the function."""
    text = refused(value(), Account(1), value(Larger, version=2, migrate=lambda _, values: values))
    assert "What migrate has made of version 1 is no Larger: the state “account” of “operator”." in text


@pytest.mark.parametrize("content", [5, Account(1), (3, "text"), ("a", ()), ()], ids=repr)
def test_what_was_written_without_a_version_is_refused(content: Any) -> None:
    """A state that was a plain one, by the same name."""
    plain = ValueStateDescriptor("account", Types.PICKLED_BYTE_ARRAY())
    text = refused(lambda context: context.get_state(plain), content, value(version=2, migrate=lambda _, values: Account(*values)))
    assert "was not written with a version." in text
    assert "before=… and convert=… of jobkit.evolution" in text


# from a plain state


def plain(*descriptors: Any) -> Alone:
    """Return an operator that has left 3 of a value, [1, 2] of a list and {"x": 1, "y": 2} of a map."""
    getters = {ValueStateDescriptor: "get_state", ListStateDescriptor: "get_list_state", MapStateDescriptor: "get_map_state"}
    alone = Alone(lambda context: [getattr(context, getters[type(each)])(each) for each in descriptors])

    def write(states: list[Any]) -> None:
        for descriptor, state in zip(descriptors, states, strict=True):
            if descriptor is COUNT:
                state.update(3)
            elif descriptor is LAST:
                state.update([1, 2])
            else:
                state.put("x", 1)
                state.put("y", 2)

    alone.do(write)
    return alone


def test_a_value_takes_over_from_a_plain_one() -> None:
    """When it is read: the new one has it, the old one is empty; keys that had none have none."""
    new = Alone(value(before=COUNT, convert=Account), plain(COUNT))
    assert (new.operator.state("count", key="a"), new.operator.state("account", key="a")) == (3, None)
    assert new.do(lambda state: state.value()) == Account(3)
    assert (new.operator.state("count", key="a"), new.operator.state("account", key="a")) == (None, Account(3))
    assert new.do(lambda state: state.value()) == Account(3)
    assert new.do(lambda state: state.value(), key="b") is None


@pytest.mark.parametrize(
    "step", [lambda state: state.clear(), lambda state: (state.update(Account(9)), state.clear())], ids=["clear", "both"]
)
def test_what_was_forgotten_does_not_come_back(step: Step) -> None:
    """Neither of a key that was never read, nor of one that was written first."""
    new = Alone(value(before=COUNT, convert=Account), plain(COUNT))
    new.do(step)
    assert new.do(lambda state: state.value()) is None
    assert new.operator.state("count", key="a") is None


def test_what_is_written_first_stays() -> None:
    """The old one does not overwrite it."""
    new = Alone(value(before=COUNT, convert=Account), plain(COUNT))
    new.do(lambda state: state.update(Account(9)))
    assert new.do(lambda state: state.value()) == Account(9)
    assert new.operator.state("count", key="a") is None


def test_a_value_takes_over_from_several() -> None:
    """Each gives what it holds, in their order; also where some hold nothing."""
    convert: Any = lambda count, last, seen: Account(count or 0, [last, seen])  # noqa: E731
    new = Alone(value(before=[COUNT, LAST, SEEN], convert=convert), plain(LAST, SEEN))
    assert new.do(lambda state: state.value()) == Account(0, [[1, 2], {"x": 1, "y": 2}])
    assert [new.operator.state(name, key="a") for name in ("count", "last", "seen")] == [None, [], {}]
    assert new.do(lambda state: state.value(), key="b") is None


def test_zero_is_something() -> None:
    """It is no missing value."""
    old = Alone(lambda context: context.get_state(COUNT))
    old.do(lambda state: state.update(0))
    assert Alone(value(before=COUNT, convert=Account), old).do(lambda state: state.value()) == Account(0)


def test_a_later_class_may_still_take_over() -> None:
    """Keys of the plain state, of version 1 and of version 2 may be there at the same time."""
    first = Alone(value(before=COUNT, convert=Account), plain(COUNT))
    first.do(lambda state: state.update(Account(5)), key="b")
    second = Alone(value(Larger, version=2, migrate=larger, before=COUNT, convert=lambda count: Larger(count, None, 0)), first)
    assert second.do(lambda state: state.value()) == Larger(3, None, 0)
    assert second.do(lambda state: state.value(), key="b") == Larger(5, None, 7)


def test_a_list_takes_over_all_at_once() -> None:
    """What was added before it was read stands behind it."""
    new = Alone(listed(before=LAST, convert=Account), plain(LAST))
    new.do(lambda state: state.add(Account(3)))
    assert new.operator.state("last", key="a") == [1, 2]
    assert new.do(lambda state: state.get()) == [Account(1), Account(2), Account(3)]
    assert new.operator.state("last", key="a") == []
    assert new.do(lambda state: state.get()) == [Account(1), Account(2), Account(3)]


@pytest.mark.parametrize(("step", "left"), [(lambda state: state.update([Account(9)]), [Account(9)]), (lambda state: state.clear(), [])])
def test_a_list_that_was_replaced_takes_nothing_over(step: Step, left: list[Account]) -> None:
    """The old one is gone with it."""
    new = Alone(listed(before=LAST, convert=Account), plain(LAST))
    new.do(step)
    assert new.do(lambda state: state.get()) == left


def test_a_map_takes_over_what_is_read() -> None:
    """An entry at a time."""
    new = Alone(mapped(before=SEEN, convert=Account), plain(SEEN))
    assert new.do(lambda state: (state.contains("x"), state.is_empty(), state.get("z"))) == (True, False, None)
    assert new.do(lambda state: state.get("x")) == Account(1)
    assert (new.operator.state("seen", key="a"), new.operator.state("by-name", key="a")) == ({"y": 2}, {"x": Account(1)})
    new.do(lambda state: (state.put("y", Account(9)), state.remove("x")))
    assert (new.operator.state("seen", key="a"), new.operator.state("by-name", key="a")) == ({}, {"y": Account(9)})


READ_ALL: list[tuple[Step, Any]] = [
    (lambda state: dict(state.items()), {"x": Account(1), "y": Account(2)}),
    (lambda state: sorted(state.keys()), ["x", "y"]),
    (lambda state: list(state.values()), [Account(1), Account(2)]),
]


@pytest.mark.parametrize(("step", "found"), READ_ALL, ids=["items", "keys", "values"])
def test_a_map_takes_all_over_when_it_is_iterated_over(step: Step, found: Any) -> None:
    """And the old one is empty."""
    new = Alone(mapped(before=SEEN, convert=Account), plain(SEEN))
    assert new.do(step) == found
    assert new.operator.state("seen", key="a") == {}


@pytest.mark.parametrize("step", [lambda state: state.remove("x"), lambda state: state.clear()], ids=["remove", "clear"])
def test_a_maps_entry_that_was_forgotten_does_not_come_back(step: Step) -> None:
    """Also where it was never read."""
    new = Alone(mapped(before=SEEN, convert=Account), plain(SEEN))
    new.do(step)
    assert new.do(lambda state: state.get("x")) is None


# what cannot be opened


WRONG: dict[str, tuple[Open, str]] = {
    "no class": (value(int), "is a dataclass, a NamedTuple or a Struct"),
    "a version that is no number": (value(version="2"), "The version of the state “account” is a number from 1 on. Found: '2'."),
    "version 0": (value(version=0), "is a number from 1 on"),
    "before alone": (value(before=COUNT), "has before, and no convert."),
    "convert alone": (listed(convert=Account), "has convert, and no before."),
    "the same name": (value(name="count", before=COUNT, convert=Account), "takes the place of one that has the same name."),
    "a list from a value": (listed(before=COUNT, convert=Account), "Found: ValueStateDescriptor. Give a ListStateDescriptor."),
    "a map from a list": (mapped(before=LAST, convert=Account), "Give a MapStateDescriptor."),
    "a map with other keys": (
        mapped(before=MapStateDescriptor("seen", Types.LONG(), Types.LONG()), convert=Account),
        "Found: String, where “seen” has Long.",
    ),
    "a map with pickled keys": (
        lambda context: evolution.map_state(context, "m", Types.PICKLED_BYTE_ARRAY(), Account),
        "The keys of the map “m” are pickled",
    ),
}


@pytest.mark.parametrize(("get", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_work_is_refused_in_open(get: Open, message: str) -> None:
    """Before the first record."""
    with pytest.raises(ConfigurationError) as caught:
        Alone(get)
    assert message in str(caught.value)


class InThreadMode:
    """A runtime context as PyFlink's thread mode has it with Flink 2, where it asks Java for a name that is somewhere else now."""

    def __init__(self) -> None:
        """Hold Java's."""
        self._runtime_context = self

    def get_task_name(self) -> str:
        """Fail as that does."""
        raise AttributeError("'pemja.PyJObject' object has no attribute 'getTaskName'")

    def getTaskInfo(self) -> InThreadMode:  # noqa: N802 - Java's
        """Return where the name is."""
        return self

    def getTaskName(self) -> str:  # noqa: N802 - Java's
        """Return the name."""
        return "count"

    def get_state(self, descriptor: ValueStateDescriptor) -> Any:
        """Return no state."""


class WithoutName:
    """A store of states, which has no name."""

    def get_state(self, descriptor: ValueStateDescriptor) -> Any:
        """Return no state."""


@pytest.mark.parametrize(("context", "label"), [(InThreadMode(), "The state “account” of “count”"), (WithoutName(), "The state “account”")])
def test_errors_name_the_task_where_it_can_be_known(context: Any, label: str) -> None:
    """And the state opens where it cannot."""
    with pytest.raises(ConfigurationError, match=f"{label} takes objects"):
        evolution.value_state(context, "account", Account).update(None)  # type: ignore[arg-type]
