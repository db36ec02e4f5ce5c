"""Edits of the job in `edited_job.py`, each with the operators that must appear and vanish; all others keep uid and id.

An edit is what its author would do in an editor: texts of the file and what they become.
"""

from __future__ import annotations

from dataclasses import dataclass

STATEFUL = frozenset(
    {"source", "rules", "count", "total", "hour", "apply", "by-name/group-aggregate", "by-size/group-aggregate"},
)
"""The operators whose state an edit elsewhere must leave where Flink finds it."""

IDS = {
    # murmur3_128(uid) with seed 0, as the package mmh3 computes it; hidden operators and the planner's among them
    "source": "e5a72f353fc1e6bbf3bd96a41384998c",
    "parse": "a0bcbe636c3291fd3f45c25deb2b0823",
    "parse/side-output/rejected": "46251c03d594cc58ded0ebb08c6e36ed",
    "rejected": "83394a44c3067399593a57ce1946f0a9",
    "time/extract-timestamp": "eaf8c7dd7609468f03ffa481c90d245c",
    "time/timestamps-watermarks": "b5afa282afc1116481fd8deebd87ac37",
    "time": "f9aa8bf0a30eba81a576334beab1566e",
    "count/key-by": "a5afcc90066b33229acb92f4f3f05359",
    "count": "b71731f1c0df9c3076c4a455334d0ad6",
    "counts": "7968152a5bbe1581827fbee6788b6bd1",
    "scale": "4acad67141b482ed87ef66152f050e02",
    "total": "c317a81df5d98fd8fa1cc70db8dda3ce",
    "totals": "8eeed16b661251f13cfc6a3c5e75c420",
    "hour/key-by": "06d87669675557370ed3e4642c05cdef",
    "hour": "2d187bb43cbe83b0049b006ab6d42b06",
    "hours": "e203e3a59cb7a72e771adf97c4a0c598",
    "rules": "e635e88f2157f1386a91248eacaad37a",
    "apply/1/key-by": "e41955e2b915c6f96e55c52729d2aef7",
    "apply": "94df2243bd001ee9bd89278c9876d56a",
    "applied": "10dc38896fc213475f4128db52e11184",
    "by-name/pairs": "5dfe4700db3a82c948957160c5abb5a5",
    "by-name/calc": "32a3e7fb7d7c737cdd10a56181888b4d",
    "by-name/group-aggregate": "1491bc8ddd978c8cca05aa6038177dba",
    "by-name/constraint-enforcer": "5d80b82a2096aeae0dd16f512c383236",
    "by-name/table-to-data-stream": "4bbef562875c61e9535ff940f852629f",
    "by-name": "3ae47accfc1f4a443b4b1353160bd320",
    "names": "cee4cc5ca77e3be91ea3da848129f0fa",
    "by-size/pairs": "01f2c9d5a3043848a07f96a380cf585e",
    "by-size/calc": "e74bd530ff87310ad4ccf0da15f23c94",
    "by-size/group-aggregate": "3351d283107082b4a7c4f3542bc05b72",
    "by-size/constraint-enforcer": "29dc882c747385d2ec8a40ab088b607c",
    "by-size/table-to-data-stream": "c97b8606bddfed26c1eae6999345b2c1",
    "by-size": "7c3b05c4a28051e2efb41e6f93cc57f8",
    "sizes": "f8362167e0de50990269356ab51ee801",
}
"""The operators of the job before any edit: what Flink must hash each of their uids to."""


@dataclass(frozen=True)
class Edit:
    """An edit and what must come of it.

    Attributes:
        name: What is done.
        changes: Texts of the file, each of which is there once, and what they become.
        appear: The uids of the operators that there were not before.
        vanish: The uids of the operators that there are no longer.
    """

    name: str
    changes: tuple[tuple[str, str], ...]
    appear: frozenset[str] = frozenset()
    vanish: frozenset[str] = frozenset()


def edit(name: str, *changes: tuple[str, str], appear: str = "", vanish: str = "") -> Edit:
    """Declare an edit; the uids are separated by commas."""
    return Edit(name, changes, _uids(appear), _uids(vanish))


def _uids(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split(", ")))


_COUNTS = 'counts = timed.key_by(first, Types.STRING()).process(Count(), PAIR).uid("count")'
_COUNTS_BRANCH = f"""    # by first field
    {_COUNTS}
    counts.print().uid("counts")

"""
_HOURS_BRANCH = """    # by hour
    windowed = timed.key_by(first, Types.STRING()).window(TumblingEventTimeWindows.of(Time.hours(1)))
    windowed.process(Hour(), PAIR).uid("hour").print().uid("hours")

"""
_BY_NAME = """    by_name = tables.sql_query("SELECT f0, COUNT(*) FROM pairs GROUP BY f0")
    tables.to_changelog_stream(by_name).map(str, Types.STRING()).uid("by-name").print().uid("names")
"""
_BY_SIZE = """    by_size = tables.sql_query("SELECT f1, COUNT(*) FROM pairs GROUP BY f1")
    tables.to_changelog_stream(by_size).map(str, Types.STRING()).uid("by-size").print().uid("sizes")
"""
_LARGEST = """    largest = tables.sql_query("SELECT f0, MAX(f1) FROM pairs GROUP BY f0")
    tables.to_changelog_stream(largest).map(str, Types.STRING()).uid("largest").print().uid("out")
"""
_JOINED = """    joined = tables.sql_query("SELECT a.f0, COUNT(*) FROM pairs a JOIN pairs b ON a.f0 = b.f0 GROUP BY a.f0")
    tables.to_changelog_stream(joined).map(str, Types.STRING()).uid("joined").print().uid("out")
"""
_MENDED = '    parsed.get_side_output(REJECTED).map(scaled, PAIR).uid("mended").print().uid("out")'
_START = '    source = env.from_collection([("a", 1), ("b", 2)], PAIR).uid("source")\n'
_SCALE = 'scale = timed.map(scaled, PAIR).uid("scale")'
_SCALED_KEYS = 'scale.key_by(lambda value: value[1], Types.LONG()).process(Total(), PAIR).uid("total")'
_UNFUSED = """    configuration = Configuration()
    configuration.set_string("python.operator-chaining.enabled", "false")
    env.configure(configuration)
"""
_LOOK_UP = """class LookUp(BroadcastProcessFunction):
    def process_element(self, value, ctx):
        yield value

    def process_broadcast_element(self, value, ctx):
        yield value


"""
_FILES = 'FileSink.for_row_format("/never-written", Encoder.simple_string_encoder()).build()'
_FILE_IMPORTS = (
    "from pyflink.common import Duration, Time,",
    "from pyflink.datastream.connectors.file_system import FileSink\nfrom pyflink.common import Duration, Encoder, Time,",
)

EDITS = (
    # operators come and go
    edit(
        "a map before a key_by takes the hidden operator in",
        (_COUNTS, _COUNTS.replace("timed.", 'timed.map(lambda value: value, PAIR).uid("trim").')),
        appear="trim",
        vanish="count/key-by",
    ),
    edit(
        "a map behind a keyed operator is fused into it",
        ('counts.print().uid("counts")', 'counts.map(lambda value: value, PAIR).uid("format").print().uid("counts")'),
    ),
    edit(
        "a map between two keyed operators stays apart behind a second consumer",
        ('counts.print().uid("counts")', 'counts.print().uid("counts")\n    counts.map(scaled, PAIR).uid("minutes").print().uid("out")'),
        appear="minutes, out",
    ),
    edit(
        "a map in front of a stateless Python operator becomes the head that names both",
        ("source.process(Parse(), PAIR)", 'source.map(lambda value: value, PAIR).uid("clean").process(Parse(), PAIR)'),
        appear="clean",
        vanish="parse",
    ),
    edit(
        "a map that is removed gives the hidden operator back",
        (f"    {_SCALE}\n", ""),
        (_SCALED_KEYS, _SCALED_KEYS.replace("scale.", "timed.")),
        appear="total/key-by",
        vanish="scale",
    ),
    edit(
        "a filter behind the source",
        ("source.process(", 'source.rebalance().filter(lambda value: True).uid("some").disable_chaining().process('),
        appear="some",
    ),
    edit("a rebalance between two operators", ("timed = parsed.assign", "timed = parsed.rebalance().assign")),
    edit(
        "a partition_custom between two operators",
        (_SCALE, _SCALE.replace("timed.", "timed.partition_custom(lambda key, count: 0, lambda value: value[1]).")),
        appear="scale/partition-custom",
    ),
    # names, places, configuration
    edit("an operator is renamed", ('.uid("count")', '.uid("count").name("the counter")')),
    edit(
        "the source and a sink are renamed",
        ('.uid("source")', '.uid("source").name("in")'),
        ('.uid("counts")', '.uid("counts").name("out")'),
    ),
    edit("branches change places", (_COUNTS_BRANCH, ""), (_HOURS_BRANCH, _HOURS_BRANCH + _COUNTS_BRANCH)),
    edit("lines move", ("    # by first field\n", "    # by first field,\n    # which is the name\n\n")),
    edit("a stateful operator gets another parallelism", ('.uid("count")', '.uid("count").set_parallelism(3)')),
    edit("the job gets another parallelism", (_START, "    env.set_parallelism(4)\n" + _START)),
    edit("a stateful operator gets a slot sharing group", ('.uid("count")', '.uid("count").slot_sharing_group("heavy")')),
    edit("a keyed operator starts a new chain", ('.uid("count")', '.uid("count").start_new_chain()')),
    edit(
        "an operator that is not chained takes no hidden operator in",
        ('.uid("scale")', '.uid("scale").disable_chaining()'),
        appear="total/key-by",
    ),
    edit("Flink chains nothing, while PyFlink still fuses", (_START, "    env.disable_operator_chaining()\n" + _START)),
    edit(
        "PyFlink fuses nothing",
        (_START, _UNFUSED + _START),
        ("from pyflink.common import ", "from pyflink.common import Configuration, "),
        appear="total/key-by",
    ),
    # branches
    edit(
        "a branch at the start of the file",
        (_START, '    env.from_collection([("c", 3)], PAIR).uid("beside").map(scaled, PAIR).uid("minutes").print().uid("out")\n' + _START),
        appear="beside, minutes, out",
    ),
    edit(
        "a keyed branch at the end of the file",
        (_BY_SIZE, _BY_SIZE + '    timed.key_by(first, Types.STRING()).process(Count(), PAIR).uid("last").print().uid("out")\n'),
        appear="last/key-by, last, out",
    ),
    edit(
        "a second consumer of a keyed stream shares its hidden operator",
        (
            _COUNTS,
            _COUNTS.replace(
                "counts = timed.key_by(first, Types.STRING())", "keyed = timed.key_by(first, Types.STRING())\n    counts = keyed"
            ),
        ),
        ('counts.print().uid("counts")', 'counts.print().uid("counts")\n    keyed.process(Total(), PAIR).uid("more").print().uid("out")'),
        appear="count+more/key-by, more, out",
        vanish="count/key-by",
    ),
    edit(
        "a second consumer of the source ends a fusion before it",
        (_START, _START + '    source.print().uid("out")\n'),
        appear="out",
    ),
    edit(
        "a second consumer of a fused operator splits it",
        (_SCALE, f'{_SCALE}\n    scale.print().uid("out")'),
        appear="total/key-by, out",
    ),
    edit(
        "a side output gets a second consumer",
        (
            'parsed.get_side_output(REJECTED).print().uid("rejected")',
            'parsed.get_side_output(REJECTED).print().uid("rejected")\n' + _MENDED,
        ),
        appear="parse/side-output/rejected~rejected, mended, out",
        vanish="parse/side-output/rejected",
    ),
    edit(
        "a side output gets a second sink",
        ("parsed.get_side_output(REJECTED)", 'parsed.get_side_output(REJECTED).print().uid("out")\n    parsed.get_side_output(REJECTED)'),
        appear="parse/side-output/rejected~rejected, parse/side-output/rejected~out, out",
        vanish="parse/side-output/rejected",
    ),
    edit(
        "another side output gets a consumer",
        (_SCALE, f'parsed.get_side_output(OutputTag("odd", PAIR)).print().uid("odd")\n    {_SCALE}'),
        appear="parse/side-output/odd, odd",
    ),
    edit(
        "a side output loses its consumer",
        ('    parsed.get_side_output(REJECTED).print().uid("rejected")\n', ""),
        vanish="parse/side-output/rejected, rejected",
    ),
    edit(
        "a union in front of the parser",
        ("source.process(", 'source.union(env.from_collection([("c", 3)], PAIR).uid("more")).process('),
        appear="more",
    ),
    edit(
        "a window beside",
        (
            _HOURS_BRANCH,
            _HOURS_BRANCH
            + "    daily = timed.key_by(first, Types.STRING()).window(TumblingEventTimeWindows.of(Time.days(1)))\n"
            + '    daily.process(Hour(), PAIR).uid("day").print().uid("days")\n\n',
        ),
        appear="day/key-by, day, days",
    ),
    edit("a stateful branch beside is removed", (_HOURS_BRANCH, ""), vanish="hour/key-by, hour, hours"),
    edit(
        "a second operator takes in the broadcast",
        ("    applied.print()", '    scale.connect(rules).process(LookUp(), PAIR).uid("look-up").print().uid("out")\n    applied.print()'),
        ("class Apply(", _LOOK_UP + "class Apply("),
        ("    DataStream,", "    BroadcastProcessFunction,\n    DataStream,"),
        appear="look-up, out, total/key-by",
    ),
    # sinks
    edit(
        "a second sink", ('counts.print().uid("counts")', 'counts.print().uid("counts")\n    counts.print().uid("again")'), appear="again"
    ),
    edit(
        "a print becomes a file sink",
        ('counts.print().uid("counts")', f'counts.sink_to({_FILES}).uid("counts")'),
        _FILE_IMPORTS,
        appear="Sink Committer: counts",
    ),
    edit(
        "what is printed becomes pickled, which is turned into text first",
        (
            'totals.print().uid("totals")',
            'totals.key_by(first, Types.STRING()).process(Count()).uid("next").disable_chaining().print().uid("totals")',
        ),
        appear="next, totals/to-string",
    ),
    # code
    edit("the code of a key selector changes", ("lambda value: value[1], Types.LONG()", "lambda value: value[1] % 10, Types.LONG()")),
    edit("a lambda becomes a function", ("lambda value: value[1], Types.LONG()", "first, Types.STRING()")),
    edit("the code of a function changes", ("value[1] * 60", "value[1] * 3600")),
    edit("the code of a timestamp assigner changes", ("return int(value[1])", "return int(value[1]) * 1000")),
    edit("the bound of the watermarks changes", ("Duration.of_seconds(1)", "Duration.of_minutes(5)")),
    edit(
        "timestamps come from the source instead of Python",
        (".with_timestamp_assigner(EventTime())", ""),
        vanish="time/extract-timestamp, time/timestamps-watermarks",
    ),
    edit(
        "a class is renamed",
        ("class Count(", "class Counter("),
        ("class Total(Count)", "class Total(Counter)"),
        ("process(Count(),", "process(Counter(),"),
    ),
    edit("code moves into a function", ('counts.print().uid("counts")', 'report(counts, "counts")')),
    edit(
        "a branch moves into a function that loops",
        ('counts.print().uid("counts")\n', 'for stream, uid in [(counts, "counts"), (timed, "times")]:\n        report(stream, uid)\n'),
        appear="times",
    ),
    edit(
        "a function gets one more state",
        ("self.count = ", 'self.last = runtime_context.get_state(ValueStateDescriptor("last", PAIR))\n        self.count = '),
    ),
    # SQL
    edit("queries change places", (_BY_NAME, ""), (_BY_SIZE, _BY_SIZE + _BY_NAME)),
    edit(
        "a query beside, before the others",
        (_BY_NAME, _LARGEST + _BY_NAME),
        appear="largest/pairs, largest/group-aggregate, largest/constraint-enforcer, largest/table-to-data-stream, largest, out",
    ),
    edit(
        "another query gets a filter",
        ("SELECT f1, COUNT(*) FROM pairs GROUP BY f1", "SELECT f1, COUNT(*) FROM pairs WHERE f1 > 0 GROUP BY f1"),
    ),
    edit("a query is removed", (_BY_NAME, ""), vanish=", ".join(uid for uid in IDS if uid.startswith("by-name")) + ", names"),
)

TWINS = (((_BY_NAME, _JOINED + _BY_NAME),), ((_BY_SIZE, _BY_SIZE + _JOINED),))
"""Two places for a query in which the planner projects alike before and after a join: its operators must differ, and not move."""
