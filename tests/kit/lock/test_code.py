"""What of a job's code its lock holds: the same for the same code, and another for code that computes something else."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jobkit import graph, states
from jobkit.lock import Lock, LockedOperator, lock_of
from jobkit.origins import Origins
from pyflink.datastream import StreamExecutionEnvironment

pytestmark = pytest.mark.usefixtures("jvm")

JOB = '''\
"""A job."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from jobkit import batches
from jobkit.batches import Context, KeyedFunction
from operator import itemgetter

from pyflink.common import Types
from pyflink.datastream import KeyedCoProcessFunction, KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.functions import KeySelector
from pyflink.datastream.state import ValueStateDescriptor

PARTS = 4
LIMIT = int("7")


@dataclass
class Note:
    count: int
    texts: "list[str]"


class Word(NamedTuple):
    text: str


def rest(number: int) -> int:
    """Return the rest."""
    return number % PARTS  # of a division


def key(value: int) -> str:
    return str(rest(value))


class ByRest(KeySelector):
    def get_key(self, value: int) -> int:
        return rest(value)


def remainder(of: int, number: int) -> int:
    return number % of


def by(of: int) -> Any:
    return lambda number: number % of


def by_count(settings: Note) -> Any:
    return lambda number: number % settings.count


class By(KeySelector):
    def __init__(self, of: Any) -> None:
        self.of, self.other = of, id(self)

    def get_key(self, value: int) -> int:
        return hash((value, *self.of))


class Count(KeyedProcessFunction):
    def open(self, runtime_context):
        self.note = runtime_context.get_state(ValueStateDescriptor("note", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value, ctx):
        self.keep(value)
        yield value

    def keep(self, value: int) -> None:
        if value > LIMIT:
            raise ValueError(str(value))
        self.note.update(Note(value, []))


class Both(KeyedCoProcessFunction):
    def open(self, runtime_context):
        self.last = runtime_context.get_state(ValueStateDescriptor("last", Types.LONG()))

    def process_element1(self, value, ctx):
        self.last.update(value)
        yield value

    def process_element2(self, value, ctx):
        yield self.last.value()

    class One(KeyedProcessFunction):
        def open(self, runtime_context):
            self.last = runtime_context.get_state(ValueStateDescriptor("last", Types.LONG()))

        def process_element(self, value, ctx):
            yield value[0]


@dataclass
class Total:
    count: int = 0


class Words(KeyedFunction[Word, Total]):
    state = Total

    def process(self, key: str, state: Total, records: "list[Word]", context: Context) -> Any:
        state.count += len(records)


def build(env: StreamExecutionEnvironment) -> None:
    numbers = env.from_collection([1, 2], Types.LONG()).uid("numbers")
    numbers.key_by(lambda number: number % 3, Types.LONG()).process(Count(), Types.LONG()).uid("by-lambda").print().uid("out-1")
    numbers.key_by(key, Types.STRING()).process(Count(), Types.LONG()).uid("by-function").print().uid("out-2")
    by_rest = numbers.map(lambda number: number, Types.LONG()).uid("same").key_by(ByRest(), Types.LONG())
    by_rest.process(Count(), Types.LONG()).uid("by-class").print().uid("out-3")
    both = by_rest.connect(numbers.key_by(lambda number: number % 5, Types.LONG()))
    both.process(Both(), Types.LONG()).uid("by-two").print().uid("out-4")
    pairs = env.from_collection([(1, 2)], Types.TUPLE([Types.LONG(), Types.LONG()])).uid("pairs")
    pairs.key_by(itemgetter(0), Types.LONG()).process(Both.One(), Types.LONG()).uid("by-getter").print().uid("out-6")
    texts = env.from_collection(["a"], Types.STRING()).uid("texts")
    options = {"record": Word, "uid": "words", "rejected": lambda text, error: text}
    words = batches.read(texts, lambda text: Word(text.decode()), key=lambda word: word.text, **options)
    words.records.process(Words(), uid="by-batch").print().uid("out-5")
'''

Read = Callable[..., Lock]
NUMBERS = itertools.count()
"""Makes names of modules that no other test has had: what was unpickled once is remembered by its name."""


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    """Return the lock of the job with some texts replaced."""
    names: list[str] = []

    def lock(*changes: tuple[str, str]) -> Lock:
        text = JOB
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        names.append(f"locked_{next(NUMBERS)}")
        folder = tmp_path / names[-1]
        folder.mkdir()
        (folder / f"{names[-1]}.py").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(str(folder))
        env = StreamExecutionEnvironment.get_execution_environment()
        env.set_max_parallelism(128)
        with Origins() as origins:
            importlib.import_module(names[-1]).build(env)
        return lock_of(states.discover(graph.read(env, origins)))

    yield lock
    for name in names:
        sys.modules.pop(name, None)


def by_uid(lock: Lock) -> dict[str, LockedOperator]:
    """Return the operators whose code counts."""
    return {operator.uid: operator for operator in lock.operators if operator.uid.startswith("by-") and operator.function}


def test_of_a_state_with_a_version_no_class_is_pickled(read: Read) -> None:
    """What is written of its objects names none; a plain one beside it does."""
    plain = 'runtime_context.get_state(ValueStateDescriptor("note", Types.PICKLED_BYTE_ARRAY()))'
    versioned = 'evolution.value_state(runtime_context, "notes", Note)'
    imported = ("from jobkit import batches\n", "from jobkit import batches, evolution\n")
    assert by_uid(read(imported, (plain, versioned)))["by-lambda"].pickles == ()
    both = f"{plain}\n        self.other = {versioned}"
    assert by_uid(read(imported, (plain, both)))["by-lambda"].pickles != ()


def test_what_is_held(read: Read) -> None:
    """The function, what makes the key of each input, and the classes that may be pickled: fields and types, but no exception."""
    found = by_uid(read())
    assert {uid: operator.function for uid, operator in found.items()} == {
        "by-lambda": "Count",
        "by-function": "Count",
        "by-class": "Count",
        "by-two": "Both",
        "by-batch": "Words",
        "by-getter": "Both.One",
    }
    assert found.pop("by-getter").key == "itemgetter(0)"
    names = {uid: [part.rpartition(" ")[0] for part in str(operator.key).split(", ")] for uid, operator in found.items()}
    assert names == {
        "by-lambda": ["<lambda>"],
        "by-function": ["key"],
        "by-class": ["ByRest.get_key"],
        "by-two": ["ByRest.get_key", "<lambda>"],
        "by-batch": ["<lambda>"],
    }
    ((name, fields),) = found["by-lambda"].pickles
    assert name.endswith(".Note")
    assert fields == (("count", "int"), ("texts", "list[str]"))
    assert found["by-two"].pickles == found["by-batch"].pickles == ()


def test_only_what_keeps_state_has_code(read: Read) -> None:
    """Everything else may change as it likes."""
    assert {operator.uid for operator in read().operators if operator.function or operator.key} == {
        "by-lambda",
        "by-function",
        "by-class",
        "by-two",
        "by-batch",
        "by-getter",
    }


def test_digests_are_the_same_in_each_python(read: Read) -> None:
    """They are in a file that several people commit: no version of Python, no layout and no path is in them."""
    digests = {uid: [part.rpartition(" ")[2] for part in str(operator.key).split(", ")] for uid, operator in by_uid(read()).items()}
    del digests["by-getter"]  # it has none
    assert digests == {
        "by-lambda": ["77efeb96"],
        "by-function": ["42a6b04b"],
        "by-class": ["fae2d1ec"],
        "by-two": ["fae2d1ec", "eb46cee7"],
        "by-batch": ["383d6b63"],
    }


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        (("lambda number: number % 3", "lambda number: number % 4"), {"by-lambda"}),
        (("lambda number: number % 5", "lambda number: number % 6"), {"by-two"}),
        (("return str(rest(value))", "return repr(rest(value))"), {"by-function"}),
        (("return number % PARTS", "return number & PARTS"), {"by-function", "by-class", "by-two"}),
        (("PARTS = 4", "PARTS = 5"), {"by-function", "by-class", "by-two"}),
        (("key=lambda word: word.text", "key=lambda word: word.text.lower()"), {"by-batch"}),
        (("itemgetter(0)", "itemgetter(1)"), {"by-getter"}),
        # of no consequence
        (('    """Return the rest."""\n', ""), set()),
        (("  # of a division", ""), set()),
        (("return number % PARTS", "return (number\n            % PARTS)"), set()),
        (("def key(value: int) -> str:", "\n\ndef key(value: float) -> object:"), set()),
        (('LIMIT = int("7")', 'LIMIT = int("8")'), set()),
    ],
)
def test_a_key_is_known_by_what_computes_it(read: Read, change: tuple[str, str], keys: set[str]) -> None:
    """And by what that calls, and the constants in it; not by how it is written down."""
    before, after = by_uid(read()), by_uid(read(change))
    assert {uid for uid in before if before[uid].key != after[uid].key} == keys


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("partial(remainder, 5)", "partial(remainder, 6)"),
        ("partial(partial(remainder), of=5)", "partial(partial(remainder), of=6)"),
        ("by(5)", "by(6)"),
        ("by_count(Note(5, []))", "by_count(Note(6, []))"),
        ('By([5, {"a": (None, 2.5)}])', 'By([5, {"a": (None, 3.5)}])'),
        ("By({5, 6, 7})", "By({5, 6, 8})"),
    ],
    ids=["partial", "partial of a partial", "closure", "attribute of a closure", "attribute", "set"],
)
def test_a_key_is_known_by_the_values_that_its_function_was_made_with(read: Read, key: str, changed: str) -> None:
    """Those that it does not read are of no consequence: there is one in each object."""
    written = "lambda number: number % 3"
    keys = [by_uid(read((written, each)))["by-lambda"].key for each in (key, key, changed)]
    assert keys[0] is not None
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("key", ["partial(remainder, Note(5, []))", "[7, 8, 9].index", "[Note].index", "Note"])
def test_a_key_that_depends_on_an_object_is_not_known(read: Read, key: str) -> None:
    """What such an object does cannot be written down; that it is not known can."""
    assert by_uid(read(("lambda number: number % 3", key)))["by-lambda"].key == "unknown"


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("str.upper", "str.upper"),
        ("str", "str"),
        ("abs", "abs"),
        ("math.floor", "math.floor"),
        ("json.dumps", "json.dumps"),
        ("Decimal", "decimal.Decimal"),
    ],
)
def test_a_key_without_code_has_the_name_of_what_makes_it(read: Read, key: str, known: str) -> None:
    """Of Python's, or of a library's."""
    imports = "import json, math\nfrom decimal import Decimal\nfrom functools import partial"
    lock = read(("from functools import partial", imports), ("lambda number: number % 3", key))
    assert by_uid(lock)["by-lambda"].key == known


def test_what_a_function_without_code_is_given_is_part_of_the_key(read: Read) -> None:
    """As the base of a number."""
    keys = [by_uid(read(("lambda number: number % 3", f"partial(int, base={base})")))["by-lambda"].key for base in (8, 8, 16)]
    assert str(keys[0]).startswith("int ")
    assert keys[0] == keys[1] != keys[2]


CACHED = ("from functools import partial", "from functools import lru_cache, partial"), ("def rest(", "@lru_cache\ndef rest(")


@pytest.mark.parametrize("key", ["rest", "lambda number: rest(number)"])
def test_a_cached_function_is_looked_into(read: Read, key: str) -> None:
    """Also where another one calls it."""
    given = (*CACHED, ("lambda number: number % 3", key))
    keys = [by_uid(read(*given, *more))["by-lambda"].key for more in ((), (("number % PARTS", "number & PARTS"),))]
    assert str(keys[0]).startswith(("rest ", "<lambda> "))
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("table", "changed"),
    [
        ("{1: 2, FIVE: 6}", "{1: 2, FIVE: 7}"),
        ("[1, 2, 3]", "[1, 2, 4]"),
        ("{1, 2, 3}", "{1, 2, 4}"),
        ("tuple(range(3))", "tuple(range(4))"),
        ('re.compile("a|b")', 're.compile("a|c")'),
        ('re.compile("a")', 're.compile("a", re.I)'),
    ],
)
def test_a_key_is_known_by_the_collections_of_its_module(read: Read, table: str, changed: str) -> None:
    """What is in them when the lock is made."""
    given = ("from functools import partial", "import re\nfrom functools import partial"), ("number % PARTS ", "hash((TABLE, number)) ")
    parts = "PARTS = 4\nFIVE = 5\nTABLE = "
    keys = [by_uid(read(*given, ("PARTS = 4", parts + each)))["by-function"].key for each in (table, table, changed)]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("names", ["v[0] + v[1]", "by(v) + by(2)"])
def test_two_lambdas_on_a_line_that_differ_in_an_operator_are_told_apart(read: Read, names: str) -> None:
    """Their names and constants are the same."""
    two = "by_rest.connect(numbers.key_by(lambda number: number % 5, Types.LONG()))"
    line = f"numbers.connect(numbers).key_by(lambda v: {names}, lambda v: {names.replace('+', '-')}, Types.LONG())"
    keys = str(by_uid(read((two, line)))["by-two"].key).split(", ")
    swapped = line.replace("+", "_").replace("-", "+").replace("_", "-").replace("key-by", "key_by")
    assert keys[0] != keys[1]
    assert str(by_uid(read((two, swapped)))["by-two"].key).split(", ") == keys[::-1]


@pytest.mark.parametrize(("line", "used"), [("from {} import PARTS", "PARTS"), ("import {} as parts", "parts.PARTS")])
def test_a_constant_may_be_in_another_module(read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, used: str) -> None:
    """It counts as one of the module itself does, also when that module has it from a third."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def key(number: int) -> str | None:
        package = tmp_path / f"package_{next(NUMBERS)}"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "third.py").write_text(f"PARTS = {number}\n", encoding="utf-8")
        (package / "parts.py").write_text("from .third import PARTS\n", encoding="utf-8")
        return by_uid(read(("PARTS = 4", line.format(f"{package.name}.parts")), ("number % PARTS ", f"number % {used} ")))[
            "by-function"
        ].key

    assert key(4) == key(4) != key(5)
    if used == "PARTS":
        assert key(4) == by_uid(read())["by-function"].key


def test_two_lambdas_on_a_line_are_told_apart(read: Read) -> None:
    """By their constants, where the names in them are the same."""
    two = "by_rest.connect(numbers.key_by(lambda number: number % 5, Types.LONG()))"
    line = "numbers.connect(numbers).key_by(lambda one: one % 7, lambda one: one % {}, Types.LONG())"
    keys = [str(by_uid(read((two, line.format(number))))["by-two"].key).split(", ") for number in (11, 13)]
    assert keys[0][0] == keys[1][0] != keys[0][1]
    assert keys[0][1] != keys[1][1]


def test_a_class_that_is_made_elsewhere_is_found(read: Read) -> None:
    """In a function that the operator's calls; one that is no longer made is no longer there."""
    assert by_uid(read(("Note(value, [])", "value")))["by-lambda"].pickles == ()
    (name, fields) = by_uid(read(("    count: int\n", "    count: int\n    latest: float\n")))["by-lambda"].pickles[0]
    assert name.endswith(".Note")
    assert [field for field, _ in fields] == ["count", "latest", "texts"]


@pytest.mark.parametrize(
    ("change", "name", "fields"),
    [
        (("self.note.update(Note(value, []))", "kind = Note\n        self.note.update(kind(value, []))"), ".Note", ["count", "texts"]),
        (("self.note.update(Note(value, []))", "self.note.update(Colour.RED)"), ".Colour", ["RED"]),
        (("self.note.update(Note(value, []))", "self.note.update(Colour['RED'])"), ".Colour", ["RED"]),
    ],
    ids=["by another name", "a member", "a member by its name"],
)
def test_a_class_is_found_however_it_is_called(read: Read, change: tuple[str, str], name: str, fields: list[str]) -> None:
    """By a name of the function's own; a member of an enumeration is made by nobody."""
    colour = ("@dataclass\nclass Note:", "class Colour(Enum):\n    RED = 1\n\n\n@dataclass\nclass Note:")
    lock = read(colour, ("from functools import partial", "from enum import Enum\nfrom functools import partial"), change)
    ((found, held),) = by_uid(lock)["by-lambda"].pickles
    assert found.endswith(name)
    assert [field for field, _ in held] == fields


def test_all_code_counts_of_what_pickles(read: Read) -> None:
    """No type tells what is in a tuple; comments do not count, and what has typed states has types."""
    before = by_uid(read())
    assert before["by-lambda"].code is not None
    assert before["by-two"].code is before["by-batch"].code is None
    changed, noted = (
        by_uid(read((old, new)))
        for old, new in [
            ("Note(value, [])", "Note(value, [0])"),
            ("        yield value\n\n    def keep", "        yield value  # on\n\n    def keep"),
        ]
    )
    assert changed["by-lambda"].code != before["by-lambda"].code == noted["by-lambda"].code


ADDING = """\
class Adding(AggregateFunction):
    def create_accumulator(self):
        return ()

    def add(self, value, accumulator):
        return (*accumulator, value)

    def get_result(self, accumulator):
        return len(accumulator)

    def merge(self, acc_a, acc_b):
        return acc_a + acc_b


class Count("""


@pytest.mark.parametrize("made", ["Adding()", "ADDING"])
def test_code_counts_that_adds_up_what_is_in_a_state(read: Read, made: str) -> None:
    """It is made in `open`, for the descriptor."""
    descriptor = f'runtime_context.get_aggregating_state(AggregatingStateDescriptor("note", {made}, Types.PICKLED_BYTE_ARRAY()))'
    given = (
        ("from pyflink.datastream import Keyed", "from pyflink.datastream import AggregateFunction, Keyed"),
        ("import ValueStateDescriptor", "import AggregatingStateDescriptor, ValueStateDescriptor"),
        ("class Count(", ADDING if made == "Adding()" else ADDING.replace("class Count(", "ADDING = Adding()\n\n\nclass Count(")),
        ('runtime_context.get_state(ValueStateDescriptor("note", Types.PICKLED_BYTE_ARRAY()))', descriptor),
    )
    before, after = (by_uid(read(*given, *more))["by-lambda"] for more in ((), (("(*accumulator, value)", "(value, *accumulator)"),)))
    assert None not in (before.code, after.code)
    assert before.code != after.code
