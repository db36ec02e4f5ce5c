"""Edits of the job in `job.py`, each with what Flink did to the state and what the lock says of it.

All of it is declared here, and found again by `test_edits.py`: each edit is run on a cluster, from a snapshot of the job before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from jobkit.lock import Verdict

from .outcomes import EACH, Outcome

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Edit:
    """An edit, and what comes of it.

    Attributes:
        name: What is done.
        branch: The branch of the job that it is about.
        changes: Texts of the file, each of which is there once when its turn comes, and what they become.
        outcome: What becomes of the states of the branch: all are `kept`; some are `lost`, and begin from nothing; something else is
            read, `garbage`; Flink has `refused` to start the job; or it `failed` when it touched its state.
        verdict: The lock's worst.
        fate: The worst that `jobkit compat` says, of that snapshot and the lock of the job before.
        or_else: What comes of it as well: Python reads on behind the bytes of the state, and what is there is not always the same.
        cause: A part of what Flink says when it refuses or fails, or of what was read instead.
        mode: The Python execution mode before the edit.
        backend: The state backend before the edit.
        snapshot: What the edited job is started from, `savepoint` or `checkpoint`.
        configuration: What the edit changes in Flink's configuration.
        alone: Whether it needs a job of its own; otherwise it shares one with others, each in a branch of its own.
        right: What counts as right, by state, where the edit changes its form.
        missing: The states that the edited branch no longer reads.
        before: What an edit before this one has changed, whose job was started from the state and has met no record.
    """

    name: str
    branch: str
    changes: tuple[tuple[str, str], ...]
    outcome: Outcome
    verdict: Verdict
    fate: str
    or_else: Outcome | None = None
    cause: str = ""
    mode: str = "process"
    backend: str = "rocksdb"
    snapshot: str = "savepoint"
    configuration: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    alone: bool = False
    right: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    missing: frozenset[str] = frozenset()
    before: tuple[tuple[str, str], ...] = ()

    @property
    def job(self) -> tuple[object, ...]:
        """What edits have in common that share a job."""
        return self.name if self.alone else None, self.mode, self.backend, self.snapshot

    @property
    def slug(self) -> str:
        """The name, as a part of a Python name."""
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")


_FATE = {"harmless": "restored", "cautious": "restored, with a note", "loses-state": "incompatible"}
"""What `jobkit compat` says of most edits, by what the lock says."""
_FATES = {
    "dropped": {
        "a state is renamed",
        "a state is removed",
        "an operator's uid is renamed",
        "a keyed operator is removed",
        "a keyed operator no longer asks for its state",
        "a state of two inputs is renamed",
        "a broadcast state is renamed",
        "a broadcast state is removed",
        "the source's uid is renamed",
        "thread mode: a state is renamed",
    },
    "new": {
        "a keyed operator is added",
        "a query is added before another",
        "a map before a key_by is removed",
        "a map is no longer chained",
        "a stateless operator's maximum parallelism",
        "the maximum parallelism of a stateless operator in the source's task",
    },
    "unknown": {
        "timers are no longer registered",
        "thread mode: timers are no longer registered",
    },
    "rescaled": {
        "the job's parallelism: 1 to 2",
    },
    "restored": {
        "rocksdb to hashmap, from a savepoint",
    },
    "incompatible": {
        "rocksdb to hashmap, from a checkpoint",
    },
}
"""And of the others."""


def edit(
    name: str,
    branch: str,
    *changes: tuple[str, str],
    outcome: Outcome = "kept",
    verdict: Verdict = "harmless",
    missing: str = "",
    **more: Any,
) -> Edit:
    """Declare an edit. What fails has a job of its own, on a TaskManager that does not crash with RocksDB when Python fails."""
    fails = outcome in ("refused", "failed")
    more.setdefault("fate", next((fate for fate, names in _FATES.items() if name in names), _FATE[verdict]))
    more.setdefault("alone", fails or "configuration" in more)
    if more["alone"] and more.get("mode", "process") == "process":
        more.setdefault("backend", "hashmap")
    return Edit(name, branch, changes, outcome, verdict, missing=frozenset(filter(None, missing.split(", "))), **more)


_COUNT = 'ValueStateDescriptor("count", Types.LONG())'
_PLUS = "self.count.update((count or 0) + 1)"
_COUNTED = 'return streams.keyed.process(Count(at), Types.STRING()).uid(f"{at}.count")'
_FRESH = "described.enable_time_to_live(StateTtlConfig.new_builder(Time.days(1)).build())"
_GET_COUNT = f"self.count = runtime_context.get_state({_COUNT})"
_EXPIRING = (
    'described = ValueStateDescriptor("count", Types.LONG())\n'
    "        described.enable_time_to_live(StateTtlConfig.new_builder(Time.days(7)).build())\n"
    "        self.count = runtime_context.get_state(described)"
)
_LAST = 'ListStateDescriptor("last", Types.LONG())'
_SEEN = 'MapStateDescriptor("seen", Types.STRING(), Types.LONG())'
_PAIR = "Types.TUPLE([Types.LONG(), Types.STRING()])"
_READ_COUNT = "count = self.count.value()\n"
_REGISTER = "        ctx.timer_service().register_event_time_timer(max(value, 500))\n"
_TIMER = """
        ctx.timer_service().register_event_time_timer(value + 1)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[str]:
        return iter(())
"""
_TUMBLING = "windows = streams.keyed.window(TumblingEventTimeWindows.of(Time.milliseconds(500)))\n    return windows.process("
_SAME = 'streams.numbers.map(same, Types.LONG()).uid(f"{at}.same")'
_MAPPED = 'numbers.key_by(lambda number: f"{number % KEYS}", Types.STRING()).process(Count(at), Types.STRING()).uid(f"{at}.mapped")'
_LIMITS = 'MapStateDescriptor("limits", Types.STRING(), Types.LONG())'
_MEAN = 'get_aggregating_state(AggregatingStateDescriptor("mean", Mean(), Types.PICKLED_BYTE_ARRAY()))'
_SOURCE = 'env.from_source(NumberSequenceSource(0, ENDLESS), WatermarkStrategy.no_watermarks(), "source", Types.LONG()).uid("source")'
_FILES = (
    "env.from_source(FileSource.for_record_stream_format(StreamFormat.text_line_format(), __file__).build(), "
    'WatermarkStrategy.no_watermarks(), "source").uid("source").map(len, Types.LONG()).uid("lengths")'
)
_MORE = (
    '    more = tables.to_data_stream(tables.sql_query(f"SELECT v FROM numbers_{at}"))\n'
    '    more.map(lambda row: row[0], Types.LONG()).uid(f"{at}.more").print().uid(f"{at}.printed")\n    table = tables'
)
_GATHERED = "said(self.at, key, context.window().end, gathered=len(list(elements)))"
_RULES = 'MapStateDescriptor("rules", Types.STRING(), Types.LONG())'
_GATHER = 'windows.process(Gathered(at), Types.STRING()).uid(f"{at}.window")'
_NOTE = "class Note:\n    count: int = 0\n"
_FACTORY = "class Note:\n    count: int = 0\n    texts: list = field(default_factory=list)\n"
_ACCOUNT = "class Account:\n    count: int = 0\n    latest: int = -1\n"
_FIELD = "class Account:\n    count: int = 0\n    latest: int = -1\n    first: int = -1\n"
_VERSION = "    version = 1\n"
_MIGRATE = "    version = 2\n\n    def migrate(self, version: int, values: tuple[Any, ...]) -> Account:\n        return Account(*values)\n"
_TALLY = "class Tally:\n    count: int = 0\n    latest: int = -1\n"
_FIRST = f"{_TALLY}    first: int = -1\n"
_RULE = "class Rule:\n    value: int = 0\n"
_RULE_MORE = f"{_RULE}    since: int = 0\n"
_RULE_AT_ONE = '"policy", Types.STRING(), Rule, version=1'
_AT_ONE = '"tally", Tally, version=1)'
_MIGRATED = '"tally", Tally, version=2, migrate=lambda version, values: Tally(*values))'
_TAKEN_OVER = f'evolution.value_state(runtime_context, "total", Tally, before={_COUNT}, convert=Tally)'
_READ_TAKEN_OVER = "tally = self.count.value()\n        count = tally and tally.count\n"

EDITS = (
    # states come, go and get other names
    edit(
        "a state is added",
        "count",
        (_GET_COUNT, f'{_GET_COUNT}\n        self.more = runtime_context.get_state(ValueStateDescriptor("more", Types.LONG()))'),
    ),
    edit(
        "a state is renamed", "count", ('"count", Types', '"total", Types'), outcome="lost", cause="count reads None", verdict="loses-state"
    ),
    edit(
        "a state is removed",
        "several",
        (f"        self.last = runtime_context.get_list_state({_LAST})\n", ""),
        ("        last = list(self.last.get())\n", ""),
        ("last=last, ", ""),
        ("        self.last.update([*last, value][-2:])\n", ""),
        outcome="lost",
        cause="last reads None",
        verdict="loses-state",
        missing="last",
    ),
    # types, in process mode, where Flink sees bytes
    edit(
        "a value's type: LONG to DOUBLE",
        "count",
        (_COUNT, _COUNT.replace("LONG", "DOUBLE")),
        (_PLUS, "self.count.update((count or 0) + 1.0)"),
        outcome="garbage",
        cause="count reads 5e-323 instead of 10",
        verdict="loses-state",
    ),
    edit(
        "a value's type: LONG to INT",
        "count",
        (_COUNT, _COUNT.replace("LONG", "INT")),
        outcome="garbage",
        cause="count reads 0 instead of 10",
        verdict="loses-state",
    ),
    edit(
        "a value's type: LONG to STRING",
        "count",
        (_COUNT, _COUNT.replace("LONG", "STRING")),
        (_PLUS, "self.count.update(str(value))"),
        outcome="failed",
        cause="UnicodeDecodeError: 'utf-8' codec can't decode",
        or_else="garbage",
        verdict="loses-state",
    ),
    edit(
        "a value's type: LONG to PICKLED_BYTE_ARRAY",
        "count",
        (_COUNT, _COUNT.replace("LONG", "PICKLED_BYTE_ARRAY")),
        outcome="failed",
        cause="EOFError: Ran out of input",
        verdict="loses-state",
    ),
    edit(
        "a value's type: PICKLED_BYTE_ARRAY to LONG",
        "note",
        ('"note", Types.PICKLED_BYTE_ARRAY()', '"note", Types.LONG()'),
        ("note=note and note.count", "note=note"),
        ("note = note or Note()", "note = 1"),
        ("        note.count += 1\n", ""),
        outcome="garbage",
        cause="note reads",
        or_else="failed",
        alone=True,
        verdict="loses-state",
    ),
    edit(
        "a tuple gets a field",
        "several",
        (_PAIR, "Types.TUPLE([Types.LONG(), Types.STRING(), Types.LONG()])"),
        ('self.pair.update((value, "text"))', 'self.pair.update((value, "text", 1))'),
        outcome="garbage",
        cause="pair reads",
        or_else="failed",
        alone=True,
        verdict="loses-state",
    ),
    edit(
        "a tuple loses a field",
        "several",
        (_PAIR, "Types.TUPLE([Types.LONG()])"),
        ('self.pair.update((value, "text"))', "self.pair.update((value,))"),
        outcome="garbage",
        cause="pair reads [36]",
        or_else="failed",
        alone=True,
        verdict="loses-state",
    ),
    edit(
        "a tuple's fields change places",
        "several",
        (_PAIR, "Types.TUPLE([Types.STRING(), Types.LONG()])"),
        ('self.pair.update((value, "text"))', 'self.pair.update(("text", value))'),
        outcome="failed",
        cause="StatusRuntimeException",
        or_else="garbage",
        alone=True,
        verdict="loses-state",
    ),
    edit(
        "a list's type: LONG to DOUBLE",
        "several",
        (_LAST, _LAST.replace("LONG", "DOUBLE")),
        ("[*last, value][-2:]", "[*last, float(value)][-2:]"),
        outcome="garbage",
        cause="last reads [1.6e-322, 1.8e-322] instead of [32, 36]",
        verdict="loses-state",
    ),
    edit(
        "a map's key: STRING to LONG",
        "several",
        (_SEEN, _SEEN.replace("STRING", "LONG")),
        ('self.seen.put("1", value)', "self.seen.put(1, value)"),
        outcome="garbage",
        cause="seen reads",
        or_else="failed",
        alone=True,
        verdict="loses-state",
    ),
    edit(
        "a map's value: LONG to DOUBLE",
        "several",
        (_SEEN, _SEEN.replace("LONG", "DOUBLE")),
        ('self.seen.put("1", value)', 'self.seen.put("1", float(value))'),
        outcome="garbage",
        cause="seen reads {'1': 1.8e-322} instead of {'1': 36}",
        verdict="loses-state",
    ),
    edit(
        "a value becomes a list, by the same name",
        "count",
        (_GET_COUNT, 'self.count = runtime_context.get_list_state(ListStateDescriptor("count", Types.LONG()))'),
        (_READ_COUNT, "count = list(self.count.get())\n"),
        (_PLUS, "self.count.update([*count, value])"),
        right={"count": [10]},
        verdict="cautious",
    ),
    edit(
        "a value becomes a map, by the same name",
        "count",
        (_GET_COUNT, 'self.count = runtime_context.get_map_state(MapStateDescriptor("count", Types.STRING(), Types.LONG()))'),
        (_READ_COUNT, "count = dict(self.count.items())\n"),
        (_PLUS, 'self.count.put("1", value)'),
        outcome="failed",
        cause="Incompatible key/value state types. Was [LIST], registered with [MAP]",
        verdict="loses-state",
    ),
    # and what does it
    edit(
        "a value becomes a class with a version, under another name, that takes over",
        "count",
        (f"runtime_context.get_state({_COUNT})", _TAKEN_OVER),
        (_READ_COUNT, _READ_TAKEN_OVER),
        (_PLUS, "self.count.update(Tally((count or 0) + 1))"),
    ),
    edit(
        "a list and a map become such of a class with a version, that take over",
        "several",
        (
            f"runtime_context.get_list_state({_LAST})",
            f'evolution.list_state(runtime_context, "newest", Tally, before={_LAST}, convert=Tally)',
        ),
        (
            f"runtime_context.get_map_state({_SEEN})",
            f'evolution.map_state(runtime_context, "known", Types.STRING(), Tally, before={_SEEN}, convert=Tally)',
        ),
        ("last = list(self.last.get())", "last = [tally.count for tally in self.last.get()]"),
        ("seen = dict(self.seen.items())", "seen = {key: tally.count for key, tally in self.seen.items()}"),
        ("self.last.update([*last, value][-2:])", "self.last.update([Tally(each) for each in [*last, value][-2:]])"),
        ('self.seen.put("1", value)', 'self.seen.put("1", Tally(value))'),
    ),
    edit(
        "a class with a version gets a field and a version, with migrate",
        "tally",
        (_TALLY, _FIRST),
        (_AT_ONE, _MIGRATED),
        verdict="cautious",
    ),
    edit(
        "a class with a version gets a field and a version, without migrate",
        "tally",
        (_TALLY, _FIRST),
        (_AT_ONE, _AT_ONE.replace("1", "2")),
        outcome="failed",
        cause="was written in version 1, has version 2 and no migrate for it",
        verdict="loses-state",
    ),
    edit(
        "a class with a version gets a field, in the same version",
        "tally",
        (_TALLY, _FIRST),
        outcome="failed",
        cause="was written with other fields",
        verdict="loses-state",
    ),
    edit(
        "a broadcast class with a version gets a field and a version, with migrate",
        "policy",
        (_RULE, _RULE_MORE),
        (_RULE_AT_ONE, _RULE_AT_ONE.replace("version=1", "version=2, migrate=lambda version, values: Rule(*values)")),
        verdict="cautious",
        alone=True,
    ),
    edit(
        "a broadcast class with a version gets a field, in the same version",
        "policy",
        (_RULE, _RULE_MORE),
        outcome="failed",
        cause="The broadcast state “policy” was written with other fields",
        verdict="loses-state",
    ),
    edit(
        "a class with a version is renamed",
        "tally",
        (_TALLY, _TALLY.replace("Tally", "Sum")),
        (_AT_ONE, _AT_ONE.replace("Tally", "Sum")),
        ("tally = tally or Tally()", "tally = tally or Sum()"),
    ),
    edit(
        "a pickled object becomes one of a class with a version, by the same name",
        "note",
        (
            'runtime_context.get_state(ValueStateDescriptor("note", Types.PICKLED_BYTE_ARRAY()))',
            'evolution.value_state(runtime_context, "note", Note)',
        ),
        outcome="failed",
        cause="was not written with a version",
        verdict="loses-state",
    ),
    edit(
        "thread mode: a value becomes a class with a version, under another name, that takes over",
        "count",
        (f"runtime_context.get_state({_COUNT})", _TAKEN_OVER),
        (_READ_COUNT, _READ_TAKEN_OVER),
        (_PLUS, "self.count.update(Tally((count or 0) + 1))"),
        mode="thread",
    ),
    edit(
        "thread mode: a class with a version gets a field and a version, without migrate",
        "tally",
        (_TALLY, _FIRST),
        (_AT_ONE, _AT_ONE.replace("1", "2")),
        outcome="failed",
        cause="was written in version 1, has version 2 and no migrate for it",
        verdict="loses-state",
        mode="thread",
    ),
    edit(
        "thread mode: a class with a version gets a field and a version, with migrate",
        "tally",
        (_TALLY, _FIRST),
        (_AT_ONE, _MIGRATED),
        verdict="cautious",
        mode="thread",
    ),
    # pickled objects
    edit(
        "a pickled class gets a field with a default",
        "note",
        (_NOTE, _NOTE + "    latest: int = 0\n"),
        ("note=note and note.count", "note=note and note.count + note.latest"),
        verdict="cautious",
    ),
    edit(
        "a pickled class gets a field with a default_factory",
        "note",
        (_NOTE, _FACTORY),
        ("note=note and note.count", "note=note and note.count + len(note.texts)"),
        outcome="failed",
        cause="AttributeError: 'Note' object has no attribute 'texts'",
        verdict="cautious",
    ),
    edit(
        "a pickled class is renamed",
        "note",
        (_NOTE, _NOTE.replace("Note", "Notes")),
        ("note or Note()", "note or Notes()"),
        outcome="failed",
        cause="AttributeError: Can't get attribute 'Note'",
        verdict="cautious",
    ),
    edit(
        "a pickled tuple's fields change places",
        "paired",
        ("number, _ = self.paired", "_, number = self.paired"),
        ("((number or 0) + 1, value)", "(value, (number or 0) + 1)"),
        outcome="garbage",
        cause="number reads 36 instead of 10",
        verdict="cautious",
    ),
    # two inputs
    edit(
        "a state of two inputs is renamed",
        "both",
        ('ValueStateDescriptor("both"', 'ValueStateDescriptor("pair"'),
        outcome="lost",
        cause="both reads None",
        verdict="loses-state",
    ),
    edit(
        "a state of two inputs: LONG to DOUBLE",
        "both",
        ('ValueStateDescriptor("both", Types.LONG())', 'ValueStateDescriptor("both", Types.DOUBLE())'),
        ("self.both.update((both or 0) + 1)", "self.both.update((both or 0) + 1.0)"),
        outcome="garbage",
        cause="both reads 5e-323 instead of 10",
        verdict="loses-state",
    ),
    # what PyFlink adds up
    edit(
        "a reducing state's type: LONG to DOUBLE",
        "added",
        ("one + other, Types.LONG())", "one + other, Types.DOUBLE())"),
        ("self.sum.add(1)", "self.sum.add(1.0)"),
        outcome="garbage",
        cause="sum reads 5e-323 instead of 10",
        verdict="loses-state",
    ),
    edit("a reducing state's function", "added", ("one, other: one + other", "one, other: max(one, other)"), verdict="cautious"),
    edit(
        "an aggregating state's accumulator, pickled",
        "added",
        (
            "        number, total = accumulator\n        return number + 1, total + value\n",
            "        total, number = accumulator\n        return total + value, number + 1\n",
        ),
        ("        number, total = accumulator\n        return total /", "        total, number = accumulator\n        return total /"),
        outcome="garbage",
        cause="mean reads",
        verdict="cautious",
    ),
    edit(
        "an aggregating state becomes a list",
        "added",
        (_MEAN, 'get_list_state(ListStateDescriptor("mean", Types.PICKLED_BYTE_ARRAY()))'),
        ("mean = self.mean.get()", "mean = list(self.mean.get())"),
        outcome="garbage",
        cause="mean reads",
        verdict="loses-state",
    ),
    # queries
    edit(
        "a query adds up another column",
        "query",
        ("SUM(v)", "SUM(unit)"),
        right={"total": EACH + 1},
        outcome="garbage",
        cause="total reads",
        verdict="cautious",
    ),
    edit(
        "a query is added before another",
        "query",
        (
            "    table = tables",
            _MORE,
        ),
    ),
    # time to live
    edit("a time to live is added", "count", (_GET_COUNT, _EXPIRING), verdict="cautious"),
    edit("a time to live is changed", "fresh", ("Time.days(1)", "Time.days(7)"), verdict="cautious"),
    edit("a time to live is removed", "fresh", (f"        {_FRESH}\n", ""), verdict="cautious"),
    # operators
    edit("an operator is renamed, not its uid", "count", ('uid(f"{at}.count")', 'uid(f"{at}.count").name("the counter")')),
    edit(
        "an operator's uid is renamed",
        "count",
        ('{at}.count"', '{at}.counter"'),
        outcome="refused",
        cause="Cannot map checkpoint/savepoint state for operator",
        verdict="loses-state",
    ),
    edit(
        "a keyed operator is added",
        "count",
        (_COUNTED, _COUNTED + '.union(streams.keyed.process(Count("more"), Types.STRING()).uid(f"{at}.more"))'),
    ),
    edit(
        "a keyed operator is removed",
        "two",
        ('    tens = streams.keyed.process(Tens(at), Types.STRING()).uid(f"{at}.tens")\n', ""),
        ("halves.union(tens, counts)", "halves.union(counts)"),
        outcome="refused",
        cause="Cannot map checkpoint/savepoint state for operator",
        verdict="loses-state",
    ),
    edit(
        "two uids are swapped, states of other names",
        "two",
        ('{at}.half"', '{at}.p"'),
        ('{at}.plain"', '{at}.half"'),
        ('{at}.p"', '{at}.plain"'),
        outcome="lost",
        cause="half reads None",
        verdict="loses-state",
    ),
    edit(
        "two uids are swapped, states of the same name and type",
        "two",
        ('{at}.half"', '{at}.t"'),
        ('{at}.tens"', '{at}.half"'),
        ('{at}.t"', '{at}.tens"'),
        outcome="garbage",
        cause="half reads 100.0 instead of 5.0",
        verdict="loses-state",
    ),
    edit(
        "a uid is given to another operator",
        "two",
        ('{at}.plain"', '{at}.counts"'),
        ('{at}.half"', '{at}.plain"'),
        (
            "return halves.union(",
            'halved = streams.keyed.process(Half("more"), Types.STRING()).uid(f"{at}.half")\n    return halved.union(halves, ',
        ),
        outcome="lost",
        cause="half reads None",
        verdict="loses-state",
    ),
    edit(
        "a function's class is renamed",
        "timer",
        ("class Timed(", "class Clock("),
        ("process(Timed(at)", "process(Clock(at)"),
        verdict="cautious",
    ),
    edit(
        "a keyed operator no longer asks for its state",
        "count",
        (f"        {_GET_COUNT}\n", "        pass\n"),
        ("        count = self.count.value()\n", ""),
        ("value, count=count)", "value)"),
        (f"        {_PLUS}\n", ""),
        outcome="lost",
        cause="count reads None",
        verdict="loses-state",
        missing="count",
    ),
    edit(
        "a keyed operator becomes a map, by the same uid",
        "count",
        (_COUNTED, 'return streams.numbers.map(lambda value: said(at, key_of(value), value), Types.STRING()).uid(f"{at}.count")'),
        outcome="lost",
        cause="count reads None",
        verdict="loses-state",
        missing="count",
    ),
    # keys
    edit(
        "a key's type: STRING to LONG",
        "mapped",
        ('lambda number: f"{number % KEYS}", Types.STRING()', "lambda number: number % KEYS, Types.LONG()"),
        outcome="failed",
        cause="StateMigrationException: The new key serializer",
        verdict="loses-state",
    ),
    edit(
        "a key selector is changed, not its type",
        "mapped",
        ('lambda number: f"{number % KEYS}"', 'lambda number: f"key {number % KEYS}"'),
        outcome="lost",
        cause="count reads None",
        verdict="cautious",
    ),
    # chains
    edit(
        "a map is put before a key_by",
        "mapped",
        (_MAPPED, 'numbers.map(lambda value: value, Types.LONG()).uid(f"{at}.more").' + _MAPPED.removeprefix("numbers.")),
    ),
    edit("a map before a key_by is removed", "mapped", (_SAME, "streams.numbers")),
    edit("a map is put behind a keyed operator", "count", (_COUNTED, _COUNTED + '.map(same, Types.STRING()).uid(f"{at}.more")')),
    edit("a keyed operator starts a new chain", "mapped", ('uid(f"{at}.mapped")', 'uid(f"{at}.mapped").start_new_chain()')),
    edit("a map is no longer chained", "mapped", ('uid(f"{at}.same")', 'uid(f"{at}.same").disable_chaining()')),
    # timers
    edit("timers are no longer registered", "timer", (_REGISTER, ""), verdict="cautious"),
    edit("timers are registered now", "count", (_PLUS, _PLUS + _TIMER)),
    # windows
    edit("a window's size is changed", "window", (_TUMBLING, _TUMBLING.replace("(500)", "(250)"))),
    edit(
        "a tumbling window becomes a sliding one",
        "window",
        (_TUMBLING, _TUMBLING.replace("TumblingEventTimeWindows.of(", "SlidingEventTimeWindows.of(Time.milliseconds(1000), ")),
    ),
    edit(
        "a window of event time becomes one of processing time",
        "window",
        (_TUMBLING, _TUMBLING.replace("EventTime", "ProcessingTime")),
        outcome="lost",
        cause="gathered reads 0 instead of 10",
        verdict="loses-state",
    ),
    edit(
        "a tumbling window becomes a session",
        "window",
        (_TUMBLING, _TUMBLING.replace("TumblingEventTimeWindows.of(", "EventTimeSessionWindows.with_gap(")),
        outcome="lost",
        cause="gathered reads 0 instead of 10",
        verdict="loses-state",
    ),
    edit(
        "a window of time becomes one of a count",
        "window",
        (_TUMBLING, "windows = streams.keyed.count_window(2)\n    return windows.process("),
        (_GATHERED, _GATHERED.replace("context.window().end", "10**9")),
        outcome="failed",
        cause="new priority queue serializer must not be incompatible",
        verdict="loses-state",
    ),
    edit(
        "a window's process becomes an aggregate",
        "window",
        (_GATHER, 'windows.aggregate(Number(), Result(at), accumulator_type=Types.LONG(), output_type=Types.STRING()).uid(f"{at}.window")'),
        outcome="garbage",
        cause="gathered reads 1 instead of 10",
        verdict="loses-state",
    ),
    edit(
        "a window's aggregate becomes a process",
        "aggregated",
        (
            "windows.aggregate(Number(), Result(at), accumulator_type=Types.LONG(), output_type=Types.STRING())",
            "windows.process(Gathered(at), Types.STRING())",
        ),
        outcome="garbage",
        cause="gathered reads 1 instead of 10",
        verdict="loses-state",
    ),
    # broadcasts
    edit(
        "a broadcast state is renamed",
        "rules",
        ('MapStateDescriptor("rules"', 'MapStateDescriptor("ruling"'),
        outcome="lost",
        cause="rule reads None",
        verdict="loses-state",
    ),
    edit(
        "a broadcast state's type: LONG to DOUBLE",
        "rules",
        (_RULES, _RULES.replace("LONG", "DOUBLE")),
        ('.put("rule", value)', '.put("rule", float(value))'),
        outcome="garbage",
        cause="rule reads 1.93e-322",
        verdict="loses-state",
    ),
    edit(
        "a broadcast state's type, of a descriptor kept elsewhere: LONG to DOUBLE",
        "limits",
        (_LIMITS, _LIMITS.replace("LONG", "DOUBLE")),
        ('.put("limit", value)', '.put("limit", float(value))'),
        outcome="garbage",
        cause="limit reads 1.93e-322",
        verdict="loses-state",
    ),
    edit(
        "a broadcast state is removed",
        "rules",
        (
            "return streams.keyed.connect(streams.numbers.broadcast(RULES)).process(Ruled(at), Types.STRING())",
            "return streams.keyed.process(Count(at), Types.STRING())",
        ),
        outcome="lost",
        cause="rule reads None",
        verdict="loses-state",
        missing="rule",
    ),
    # parallelism
    edit(
        "the job's maximum parallelism",
        "count",
        ("set_max_parallelism(128)", "set_max_parallelism(256)"),
        outcome="refused",
        cause="Max parallelism mismatch between checkpoint/savepoint state and new program",
        verdict="loses-state",
    ),
    edit(
        "a keyed operator's maximum parallelism",
        "count",
        ('uid(f"{at}.count")', 'uid(f"{at}.count").set_max_parallelism(256)'),
        outcome="refused",
        cause="Max parallelism mismatch between checkpoint/savepoint state and new program",
        verdict="loses-state",
    ),
    edit(
        "a stateless operator's maximum parallelism",
        "mapped",
        ('uid(f"{at}.same")', 'uid(f"{at}.same").set_max_parallelism(64)'),
        alone=True,
        verdict="cautious",
    ),
    edit(
        "the maximum parallelism of a stateless operator in the source's task",
        "position",
        ('uid("pace")', 'uid("pace").set_max_parallelism(256)'),
        alone=True,
        verdict="cautious",
    ),
    edit("the job's parallelism: 1 to 2", "count", ("set_parallelism(1)", "set_parallelism(2)"), alone=True),
    # the source, the backend, the mode
    edit(
        "the source's uid is renamed",
        "position",
        ('uid("source")', 'uid("numbers")'),
        outcome="refused",
        cause="Cannot map checkpoint/savepoint state for operator",
        verdict="loses-state",
    ),
    edit(
        "another source, by the same uid",
        "position",
        (_SOURCE, _FILES),
        outcome="failed",
        cause="Exception",  # of the source's coordinator or of its reader, whichever comes first
        verdict="loses-state",
    ),
    edit(
        "rocksdb to hashmap, from a savepoint",
        "count",
        configuration={"state.backend.type": "hashmap"},
        backend="rocksdb",
        verdict="cautious",
    ),
    edit(
        "rocksdb to hashmap, from a checkpoint",
        "count",
        configuration={"state.backend.type": "hashmap"},
        snapshot="checkpoint",
        outcome="failed",
        cause="IllegalStateException: Unexpected state handle type",
        backend="rocksdb",
        verdict="cautious",
    ),
    edit(
        "process mode to thread mode",
        "count",
        configuration={"python.execution-mode": "thread"},
        outcome="lost",
        cause="count reads None",
        verdict="loses-state",
    ),
    edit(
        "thread mode to process mode",
        "count",
        configuration={"python.execution-mode": "process"},
        mode="thread",
        outcome="lost",
        cause="count reads None",
        verdict="loses-state",
    ),
    # thread mode, where Flink knows the types
    edit(
        "thread mode: a state is added",
        "count",
        (_GET_COUNT, f'{_GET_COUNT}\n        self.more = runtime_context.get_state(ValueStateDescriptor("more", Types.LONG()))'),
        mode="thread",
    ),
    edit(
        "thread mode: a state is renamed",
        "count",
        ('"count", Types', '"total", Types'),
        outcome="lost",
        cause="count reads None",
        verdict="loses-state",
        mode="thread",
    ),
    edit(
        "thread mode: a value's type: LONG to DOUBLE",
        "count",
        (_COUNT, _COUNT.replace("LONG", "DOUBLE")),
        (_PLUS, "self.count.update((count or 0) + 1.0)"),
        outcome="failed",
        cause="StateMigrationException: The new state serializer",
        verdict="loses-state",
        mode="thread",
    ),
    edit(
        "thread mode: a tuple gets a field",
        "several",
        (_PAIR, "Types.TUPLE([Types.LONG(), Types.STRING(), Types.LONG()])"),
        ('self.pair.update((value, "text"))', 'self.pair.update((value, "text", 1))'),
        verdict="cautious",
        mode="thread",
    ),
    edit(
        "thread mode: a tuple becomes a row",
        "several",
        (_PAIR, "Types.ROW([Types.LONG(), Types.STRING()])"),
        ("pair=pair)", "pair=pair and list(pair))"),
        ('self.pair.update((value, "text"))', 'self.pair.update(Row(value, "text"))'),
        verdict="cautious",
        mode="thread",
    ),
    edit(
        "thread mode: a list's type: LONG to DOUBLE",
        "several",
        (_LAST, _LAST.replace("LONG", "DOUBLE")),
        ("[*last, value][-2:]", "[*last, float(value)][-2:]"),
        outcome="failed",
        cause="StateMigrationException: The new state serializer",
        verdict="loses-state",
        mode="thread",
    ),
    edit(
        "thread mode: a map's key: STRING to LONG",
        "several",
        (_SEEN, _SEEN.replace("STRING", "LONG")),
        ('self.seen.put("1", value)', "self.seen.put(1, value)"),
        outcome="failed",
        cause="StateMigrationException: The new state serializer",
        verdict="loses-state",
        mode="thread",
    ),
    edit("thread mode: timers are no longer registered", "timer", (_REGISTER, ""), verdict="cautious", mode="thread"),
    edit(
        "thread mode: a value becomes a list, by the same name",
        "count",
        (_GET_COUNT, 'self.count = runtime_context.get_list_state(ListStateDescriptor("count", Types.LONG()))'),
        (_READ_COUNT, "count = list(self.count.get())\n"),
        (_PLUS, "self.count.update([*count, value])"),
        outcome="failed",
        cause="Incompatible key/value state types. Was [VALUE], registered with [LIST]",
        verdict="loses-state",
        mode="thread",
    ),
    edit("thread mode: a time to live is added", "count", (_GET_COUNT, _EXPIRING), verdict="cautious", mode="thread"),
    edit("thread mode: a time to live is removed", "fresh", (f"        {_FRESH}\n", ""), verdict="cautious", mode="thread"),
    # a KeyedFunction's state, which has a version
    edit(
        "a KeyedFunction's state gets a field, in the same version",
        "batch",
        (_ACCOUNT, _FIELD),
        outcome="failed",
        cause="was written with other fields",
        verdict="loses-state",
        mode="thread",
    ),
    edit(
        "a KeyedFunction's state gets a field and a version, with migrate()",
        "batch",
        (_ACCOUNT, _FIELD),
        (_VERSION, _MIGRATE),
        verdict="cautious",
        mode="thread",
    ),
    edit(
        "a KeyedFunction's state gets a field and a version, without migrate()",
        "batch",
        (_ACCOUNT, _FIELD),
        (_VERSION, "    version = 2\n"),
        outcome="failed",
        cause="has version 2 and no migrate for it",
        verdict="loses-state",
        mode="thread",
    ),
    edit(
        "a KeyedFunction's migrate() is removed, while states of the version before are left",
        "batch",
        (_MIGRATE, "    version = 2\n"),
        before=((_ACCOUNT, _FIELD), (_VERSION, _MIGRATE)),
        outcome="failed",
        cause="has version 2 and no migrate for it",
        verdict="loses-state",
        mode="thread",
    ),
    edit(
        "a KeyedFunction's state has its fields in another order",
        "batch",
        (_ACCOUNT, "class Account:\n    latest: int = -1\n    count: int = 0\n"),
        outcome="garbage",
        cause="count reads 36 instead of 10",
        verdict="loses-state",
        mode="thread",
    ),
    edit(
        "a KeyedFunction's state has a field of another name",
        "batch",
        (_ACCOUNT, _ACCOUNT.replace("latest", "newest")),
        ("latest=state.latest", "latest=state.newest"),
        ("state.latest = ", "state.newest = "),
        verdict="cautious",
        mode="thread",
    ),
    edit(
        "a KeyedFunction's state has a field of another type",
        "batch",
        (_ACCOUNT, _ACCOUNT.replace("latest: int = -1", "latest: str = ''")),
        ("state.latest = record.number", "state.latest = str(record.number)"),
        verdict="cautious",
        mode="thread",
    ),
    edit(
        "a KeyedFunction and its state are renamed",
        "batch",
        ("class Accounts(", "class Ledgers("),
        ("read.records.process(Accounts(", "read.records.process(Ledgers("),
        ("class Account:", "class Ledger:"),
        ("KeyedFunction[Any, Account]", "KeyedFunction[Any, Ledger]"),
        ("state = Account\n", "state = Ledger\n"),
        ("state: Account, ", "state: Ledger, "),
        verdict="cautious",
        mode="thread",
    ),
)


def rows() -> list[tuple[str, str, str, str]]:
    """Return a row for each edit: its name, what Flink did, what the lock says, what `jobkit compat` says."""
    return [(each.name, _did(each), each.verdict.replace("-", " "), each.fate) for each in EDITS]


def _did(edit: Edit) -> str:
    outcome = edit.outcome if edit.or_else is None else f"{edit.outcome}, or {edit.or_else}"
    return f"{outcome}: `{edit.cause}`" if edit.cause else outcome
