"""A state becomes bytes and comes back, whatever its class is called; what would not come back is refused."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import pickle
import threading
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from jobkit._codec import as_tuple, fields_of
from jobkit.batches import KeyedFunction
from jobkit.batches._states import Cache, Codec
from jobkit.errors import ConfigurationError


@dataclass
class Totals:
    """A state with several fields."""

    count: int = 0
    names: dict[str, list[int]] = field(default_factory=dict)
    last: Any = None


class Pair(NamedTuple):
    """A NamedTuple, whose fields cannot be set."""

    left: int = 1
    right: str = "r"


class Struct(msgspec.Struct):
    """A state that is a Struct."""

    count: int = 0
    names: dict[str, int] = msgspec.field(default_factory=dict)


@dataclass
class Single:
    """A state of one field, which is a tuple itself."""

    only: Any = (1, 2)


class Color(enum.Enum):
    """A class of the user's."""

    RED = 1


@dataclass(frozen=True)
class Own:
    """Another one."""

    value: int


@dataclass
class Fewer:
    """`Totals` before it had its last field."""

    count: int = 0
    names: dict[str, list[int]] = field(default_factory=dict)


def codec(kind: Any, version: int = 1, migrate: Any = None) -> Codec[Any]:
    """Return the codec of a function with a class of states."""
    members: dict[str, Any] = {"state": kind, "version": version, **({"migrate": migrate} if migrate else {})}
    return Codec(type("Function", (KeyedFunction,), members)())


STATES = [Totals(3, {"a": [1], "": []}, None), Single((3,)), Single([]), Single(None), Totals(), Struct(3, {"a": 1})]


@pytest.mark.parametrize("state", STATES, ids=repr)
def test_a_state_comes_back(state: Any) -> None:
    """Through pickle, as Flink's side keeps it, and as an object of its own."""
    both = codec(type(state))
    packed = both.pack(state)
    restored = both.unpack(pickle.loads(pickle.dumps(packed)))  # noqa: S301
    assert (restored, type(restored)) == (state, type(state))
    assert packed[0] == 1
    assert type(packed[1]) is tuple


def test_new_states_share_nothing() -> None:
    """What one key does to its own is not seen by another."""
    both = codec(Totals)
    one, other = both.new(), both.new()
    one.names["a"] = [1]
    assert other == Totals()


def test_no_class_of_the_users_is_named_in_what_is_written() -> None:
    """So that it can be moved and renamed."""
    for state in STATES:
        written = pickle.dumps(codec(type(state)).pack(state))
        assert type(state).__name__.encode() not in written
        assert __name__.encode() not in written


LASTING = [
    dt.datetime(2001, 1, 5, 10, 47, tzinfo=dt.timezone.utc),
    dt.datetime(2001, 1, 5, 10, 47, tzinfo=ZoneInfo("Europe/Paris")),
    dt.date(2001, 1, 5),
    dt.timedelta(1),
    Decimal("1.10"),
    Fraction(1, 3),
    UUID(int=7),
    Counter("aab"),
    OrderedDict(a=1),
    deque([1, 2], 3),
    frozenset({1}),
    bytearray(b"x"),
    {Decimal(1): [dt.date(2001, 1, 5)]},
]


@pytest.mark.parametrize("value", LASTING, ids=lambda value: type(value).__name__)
def test_python_s_own_classes_may_be_kept(value: Any) -> None:
    """They will be where they are."""
    both = codec(Single)
    restored = both.unpack(pickle.loads(pickle.dumps(both.pack(Single(value)))))  # noqa: S301
    assert restored.only == value
    assert type(restored.only) is type(value)


@pytest.mark.parametrize("value", [Color.RED, Own(1), Pair(), {"a": [Own(1)]}, Struct(), {Color.RED: 1}, (Decimal(1), Own(1))], ids=repr)
def test_an_object_of_the_users_in_a_state_is_refused(value: Any) -> None:
    """The class, and the function whose state it is, are named."""
    with pytest.raises(ConfigurationError, match=rf"state of Function holds an object of the class {__name__}\.(Color|Own|Pair|Struct)\."):
        codec(Single).pack(Single(value))


class Level(enum.IntEnum):
    """A number of the user's."""

    LOW = 1


class Name(str):
    """A text of the user's."""

    __slots__ = ()


@pytest.mark.parametrize(
    "value", [Level.LOW, Name("x"), [Level.LOW], {"a": (Name("x"),)}, {Level.LOW: 1}, {frozenset({Name("x")})}], ids=repr
)
def test_a_number_or_a_text_of_a_class_of_the_users_is_refused(value: Any) -> None:
    """Its class would be named in the state, though it is a number."""
    with pytest.raises(ConfigurationError, match=rf"state of Function holds an object of the class {__name__}\.(Level|Name)\."):
        codec(Single).pack(Single(value))


@pytest.mark.parametrize("value", [np.float64(1.5), np.int64(7), np.array([1.5]), [np.float32(1.5)], {"a": np.int8(1)}], ids=repr)
def test_a_number_of_numpys_is_refused(value: Any) -> None:
    """It looks like one of Python's, and a later NumPy may not read it."""
    with pytest.raises(ConfigurationError, match=r"state of Function holds an object of the class numpy\."):
        codec(Single).pack(Single(value))


class Local:
    """Stands for a class that no other process can import."""

    __qualname__ = "somewhere.<locals>.Local"


@pytest.mark.parametrize("value", [threading.Lock(), lambda: None, Local()], ids=["lock", "lambda", "local"])
def test_what_cannot_be_written_is_refused(value: Any) -> None:
    """With the reason, and no traceback of pickle's."""
    with pytest.raises(ConfigurationError, match=r"state of Function holds something that cannot be written\. Found: \w*Error: "):
        codec(Single).pack(Single(value))


@dataclass
class NoDefault:
    """A new key has nothing for it."""

    count: int


@dataclass(kw_only=True)
class ByKeyword:
    """Not made of values in their order."""

    count: int = 0


@dataclass
class Derived:
    """A field that its __init__ does not take."""

    count: int = 0
    double: int = field(default=0, init=False)


@dataclass
class Passing:
    """An argument that is no field, between two that are."""

    first: int = 0
    passing: dataclasses.InitVar[int] = 5
    last: int = 0


COMMON: dict[str, int] = {}


@dataclass
class Sharing:
    """The default is one object for all."""

    counts: dict[str, int] = field(default_factory=lambda: COMMON)


class Frozen(msgspec.Struct, frozen=True):
    """Its fields cannot be set."""

    count: int = 0


class Keywords(msgspec.Struct, kw_only=True):
    """Not made of values in their order."""

    count: int = 0


OfTheScript = msgspec.defstruct("OfTheScript", [("count", int, 0)], module="__main__")
"""As one that is written in the script that is run."""


class Plain:
    """No fields that one could know of."""


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (None, r"Function does not say what its state is\. Give it an attribute: state ="),
        (Totals(), r"Function does not say what its state is\."),
        (NoDefault, r"state of NoDefault cannot be made for a new key\. Found: .*count.*Give each field a default"),
        (Plain, r"is a dataclass, a NamedTuple or a Struct of msgspec's\. Found: .*Plain"),
        (dict, r"is a dataclass, a NamedTuple or a Struct of msgspec's\. Found: <class 'dict'>"),
        (tuple, r"is a dataclass, a NamedTuple or a Struct of msgspec's\."),
        (Keywords, r"Keywords cannot be made of the values of its fields, count\."),
        (OfTheScript, r"OfTheScript is a Struct of msgspec's, which TaskManagers have to import\. Found: it is in the script"),
        (ByKeyword, r"ByKeyword cannot be made of the values of its fields, count\."),
        (Derived, r"Derived cannot be made of the values of its fields, count, double\."),
        (Passing, r"Passing cannot be made of the values of its fields, first, last\."),
        (Sharing, r"All keys would share one dict: the default of Sharing\.counts\."),
        (Pair, r"the fields of a Pair cannot be set\. Found: a NamedTuple\. Write a dataclass"),
        (Own, r"the fields of a Own cannot be set\. Found: frozen=True\."),
        (Frozen, r"the fields of a Frozen cannot be set\. Found: frozen=True\."),
    ],
)
def test_a_class_that_cannot_be_a_state_is_refused(kind: Any, message: str) -> None:
    """When the job is built, not when the first state is read."""
    with pytest.raises(ConfigurationError, match=message):
        codec(kind)


def test_records_need_no_defaults() -> None:
    """None is made of nothing; the other rules are the same."""
    assert fields_of(NoDefault) == ("count",)
    assert as_tuple(NoDefault)(NoDefault(3)) == (3,)
    assert as_tuple(Pair)(Pair(1, "a")) == (1, "a")
    assert as_tuple(Own)(Own(7)) == (7,)
    assert as_tuple(Struct)(Struct(1, {"a": 2})) == (1, {"a": 2})
    assert as_tuple(Totals)(Totals(1, {}, 2)) == (1, {}, 2)
    with pytest.raises(ConfigurationError, match="ByKeyword"):
        as_tuple(ByKeyword)


def test_a_state_of_an_earlier_version_is_migrated() -> None:
    """With what was written: which version, and the values."""
    seen = []

    def migrate(self: Any, version: int, values: tuple[Any, ...]) -> Totals:  # noqa: ARG001
        seen.append((version, values))
        return Totals(values[0], values[1], "migrated")

    packed = codec(Fewer).pack(Fewer(2, {"a": [1]}))
    later = codec(Totals, version=2, migrate=migrate)
    assert later.unpack(packed) == Totals(2, {"a": [1]}, "migrated")
    assert seen == [(1, (2, {"a": [1]}))]
    assert later.pack(later.unpack(packed))[0] == 2
    assert later.unpack(later.pack(Totals(5))) == Totals(5)
    assert len(seen) == 2, "a state of the present version was migrated"


def test_a_state_of_another_version_without_migrate_fails() -> None:
    """And says which versions."""
    with pytest.raises(NotImplementedError, match="version 1 of Function, which has version 2 and no migrate"):
        codec(Totals, version=2).unpack(codec(Fewer).pack(Fewer()))


def test_a_state_of_a_later_version_is_refused() -> None:
    """After a rollback: migrate knows earlier ones, and would take it for one of them."""

    def migrate(self: Any, version: int, values: tuple[Any, ...]) -> Totals:  # noqa: ARG001
        return Totals(*values)

    earlier = codec(Totals, version=2, migrate=migrate)
    with pytest.raises(
        ConfigurationError,
        match=r"state of Function was written by a newer version of the job.*Found: version 3, where .* version 2\.",
    ):
        earlier.unpack(codec(Totals, version=3, migrate=migrate).pack(Totals(5)))


@pytest.mark.parametrize(("written", "kind"), [(Fewer(1), Totals), (Totals(1), Fewer)], ids=["more", "fewer"])
def test_other_fields_under_the_same_version_are_refused(written: Any, kind: Any) -> None:
    """Rather than filled with defaults, or shifted."""
    with pytest.raises(ConfigurationError, match=r"written with other fields\. Found: [23] values, for the fields count, names.*`version`"):
        codec(kind).unpack(codec(type(written)).pack(written))


@pytest.mark.parametrize("size", [1, 2, 10])
def test_a_cache_is_never_twice_as_large_as_it_was_made(size: int) -> None:
    """Whatever comes, in turn or again and again; what was used last is at hand."""
    cache: Cache[list[int]] = Cache(size)
    most = 0
    for number in range(200):
        key = (number * number) % 37
        if cache.get(key) is None:
            cache.put(key, [key])
        assert cache.get(key) == [key]
        held = {id(state) for generation in (cache._young, cache._old) for state in generation.values()}
        most = max(most, len(held))
    assert size <= most <= 2 * size


def test_a_cache_keeps_what_is_used_again() -> None:
    """Of the old generation, when it is asked for in time."""
    cache: Cache[str] = Cache(2)
    cache.put("often", "o")
    for number in range(20):
        cache.put(number, str(number))
        assert cache.get("often") == "o"
    assert cache.get(0) is None


def test_a_cache_forgets_what_it_is_told_to() -> None:
    """In both generations."""
    cache: Cache[str] = Cache(2)
    for key in ("a", "b", "c"):
        cache.put(key, key)
    assert cache.get("a") == "a"  # now in both
    for key in ("a", "b", "c"):
        cache.drop(key)
        assert cache.get(key) is None


def test_a_cache_of_no_size_keeps_nothing() -> None:
    """And takes everything."""
    cache: Cache[str] = Cache(0)
    for key in ("a", "b", "a"):
        cache.put(key, key)
        assert cache.get(key) is None
