"""Each change of a job is judged: what it does to the state that is there, and what to do about it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from jobkit.graph import State
from jobkit.lock import Dropped, Lock, LockedOperator, Verdict, compare

from .locks import COUNT, HOURS, JAVA, KEYED, SINK, SOURCE, STATELESS, UNKNOWN, lock

PRINT = replace(SINK, name="Sink: Print to Std. Out")
BATCHED = replace(KEYED, states=(HOURS,))


def with_state(state: State) -> LockedOperator:
    """Return the keyed operator with another state."""
    return replace(KEYED, states=(state,))


def with_fields(version: int, *fields: tuple[str, str], migrates: bool = False) -> LockedOperator:
    """Return the operator with another class of states."""
    return with_state(replace(HOURS, version=version, fields=fields, migrates=migrates))


def noted(**more: str) -> LockedOperator:
    """Return an operator that pickles objects of a class."""
    return replace(MADE, pickles=(("job.Note", (("count", "int"), *more.items())),))


def windowed(window: str) -> Lock:
    """Return the lock of a window operator."""
    return lock(replace(KEYED, kind="window", window=window))


QUERY = replace(JAVA, kind="table", name="GroupAggregate", plan="11")
MADE = replace(KEYED, function="Count", key="origin 11")
TOTAL = replace(MADE, uid="total", id="t0", function="Total")
DELAYS, EMITTED = HOURS.fields

CASES: dict[str, tuple[Lock, Lock, Verdict, str]] = {
    "a source goes": (lock(KEYED, SOURCE), lock(KEYED), "loses-state", "“source” is gone, and with it how far it has read."),
    "a sink goes": (lock(KEYED, SINK), lock(KEYED), "loses-state", "what it has written and not yet committed."),
    "an older sink goes": (lock(KEYED, PRINT), lock(KEYED), "cautious", "whether it kept anything cannot be known."),
    "a keyed operator goes": (lock(KEYED, SOURCE), lock(SOURCE), "loses-state", "“count” is gone, and with it “count”, its timers."),
    "an operator without state goes": (lock(KEYED, STATELESS), lock(KEYED), "harmless", "“parse”, which kept nothing, is gone."),
    "a Java operator goes": (lock(KEYED, JAVA), lock(KEYED), "cautious", "whether it kept anything cannot be known."),
    "an operator with unknown states goes": (lock(KEYED, UNKNOWN), lock(KEYED), "cautious", "whether it kept anything cannot be known."),
    "a uid changes": (
        lock(KEYED),
        lock(replace(KEYED, uid="counter", id="c1")),
        "loses-state",
        'If it is the one that is called “counter” now, give it its uid back: .uid("count").',
    ),
    "an operator comes": (lock(KEYED), lock(KEYED, STATELESS), "harmless", "“parse” is new."),
    "a sink comes": (lock(KEYED), lock(KEYED, SINK), "harmless", "“sink” is new."),
    "a keyed operator comes": (lock(SOURCE), lock(SOURCE, KEYED), "harmless", "it begins without “count”, its timers."),
    "a name": (lock(KEYED), lock(replace(KEYED, name="tally")), "harmless", "“count” is called tally instead of count."),
    "a map becomes a source": (lock(STATELESS), lock(replace(STATELESS, kind="source")), "harmless", "of the kind process"),
    "a source becomes a process function": (lock(SOURCE), lock(replace(SOURCE, kind="process")), "loses-state", "of the kind source"),
    "a keyed function becomes a window": (lock(KEYED), lock(replace(KEYED, kind="window")), "cautious", "of the kind keyed-process"),
    "maximum parallelism": (lock(KEYED), lock(replace(KEYED, max_parallelism=256)), "loses-state", "Set it to 128 again."),
    "maximum parallelism without state": (lock(STATELESS), lock(replace(STATELESS, max_parallelism=256)), "cautious", "first of a task"),
    "key type": (lock(KEYED), lock(replace(KEYED, key_type="Long")), "loses-state", "Keep the key String, or give"),
    "what makes the key": (lock(MADE), lock(replace(MADE, key="origin 22")), "cautious", "finds none of its state."),
    "what makes the key is known now": (lock(replace(MADE, key=None)), lock(MADE), "harmless", "is known now: origin 11."),
    "what makes the key cannot be known": (lock(MADE), lock(replace(MADE, key=None)), "cautious", "it was origin 11."),
    "the key becomes unknown": (lock(MADE), lock(replace(MADE, key="unknown")), "cautious", "can no longer be known; it was origin 11."),
    "the key was unknown": (lock(replace(MADE, key="unknown")), lock(MADE), "cautious", "was made by unknown, and is made by origin 11"),
    "other code, which pickles": (
        lock(replace(MADE, code="11")),
        lock(replace(MADE, code="22")),
        "cautious",
        "has other code, and pickles",
    ),
    "a window of the other time": (
        windowed("TumblingEventTimeWindows, EventTimeTrigger, TimeWindow"),
        windowed("TumblingProcessingTimeWindows, ProcessingTimeTrigger, TimeWindow"),
        "loses-state",
        "the timers of open windows are of the other time",
    ),
    "a window of a count": (
        windowed("TumblingEventTimeWindows, EventTimeTrigger, TimeWindow"),
        windowed("CountTumblingWindowAssigner, CountTrigger, CountWindow"),
        "loses-state",
        "Flink does not read the timers of a TimeWindow as those of a CountWindow",
    ),
    "a session": (
        windowed("TumblingEventTimeWindows, EventTimeTrigger, TimeWindow"),
        windowed("EventTimeSessionWindows, EventTimeTrigger, TimeWindow"),
        "loses-state",
        "only sessions keep which windows were merged",
    ),
    "a sliding window": (
        windowed("TumblingEventTimeWindows, EventTimeTrigger, TimeWindow"),
        windowed("SlidingEventTimeWindows, EventTimeTrigger, TimeWindow"),
        "harmless",
        "are emitted as they were",
    ),
    "a trigger of one's own": (
        windowed("TumblingEventTimeWindows, EventTimeTrigger, TimeWindow"),
        windowed("TumblingEventTimeWindows, EarlyEventTimeTrigger, TimeWindow"),
        "cautious",
        "whether open windows are emitted is not known",
    ),
    "another source": (
        lock(replace(SOURCE, connector="FileSource")),
        lock(replace(SOURCE, connector="KafkaSource")),
        "loses-state",
        "was FileSource, and is KafkaSource, which does not read",
    ),
    "another sink": (
        lock(replace(SINK, connector="KafkaSink")),
        lock(replace(SINK, connector="FileSink")),
        "loses-state",
        "Give it a uid of its own.",
    ),
    "another of the older sinks": (
        lock(replace(PRINT, connector="PrintSinkFunction")),
        lock(replace(PRINT, connector="DiscardingSink")),
        "cautious",
        "was PrintSinkFunction, and is DiscardingSink",
    ),
    "another query": (lock(QUERY), lock(replace(QUERY, plan="22")), "cautious", "computes something else than before"),
    "another function": (lock(MADE), lock(replace(MADE, function="Counter")), "cautious", "ran Count, and runs Counter"),
    "uids change places": (
        lock(MADE, TOTAL),
        lock(replace(MADE, function="Total"), replace(TOTAL, function="Count")),
        "loses-state",
        "Give each operator its uid back.",
    ),
    "a function runs twice": (lock(MADE, TOTAL), lock(replace(MADE, function="Total"), TOTAL), "cautious", "ran Count, and runs Total"),
    "a pickled class gets a field": (lock(noted()), lock(noted(texts="list")), "cautious", "an old object keeps the old ones"),
    "a pickled class is gone": (lock(noted()), lock(MADE), "cautious", "Keep a class of that name in that module."),
    "a value becomes a list in process mode": (
        lock(replace(KEYED, execution_mode="process")),
        lock(replace(KEYED, execution_mode="process", states=(replace(COUNT, kind="list", type="ListTypeInfo<Long>"),))),
        "cautious",
        "lists of one",
    ),
    "a tuple gets a field in thread mode": (
        lock(with_state(replace(COUNT, type="TupleTypeInfo(Long)"))),
        lock(with_state(replace(COUNT, type="TupleTypeInfo(Long, Long)"))),
        "cautious",
        "both are stored alike",
    ),
    "a tuple gets a field in process mode": (
        lock(replace(KEYED, execution_mode="process", states=(replace(COUNT, type="TupleTypeInfo(Long)"),))),
        lock(replace(KEYED, execution_mode="process", states=(replace(COUNT, type="TupleTypeInfo(Long, Long)"),))),
        "loses-state",
        "would be read as something else",
    ),
    "execution mode": (lock(KEYED), lock(replace(KEYED, execution_mode="process")), "loses-state", "sees none of the other's state."),
    "execution mode without state": (lock(STATELESS), lock(replace(STATELESS, execution_mode="process")), "harmless", "process mode."),
    "timers go": (lock(KEYED), lock(replace(KEYED, timers="none")), "cautious", "are restored, and fire."),
    "timers come": (lock(replace(KEYED, timers="none")), lock(KEYED), "harmless", "“count” sets timers now."),
    "timers cannot be seen": (lock(KEYED), lock(replace(KEYED, timers="unknown")), "cautious", "cannot be known as well as before"),
    "a state goes": (lock(KEYED), lock(replace(KEYED, states=())), "loses-state", "Flink leaves what is in it behind"),
    "a state is renamed": (lock(KEYED), lock(with_state(replace(COUNT, name="n"))), "loses-state", "the one that is called “n” now"),
    "a state comes": (
        lock(KEYED),
        lock(replace(KEYED, states=(COUNT, replace(COUNT, name="n")))),
        "harmless",
        "has a new state, “n”, which begins empty.",
    ),
    "a state's kind": (lock(KEYED), lock(with_state(replace(COUNT, kind="list"))), "loses-state", "of the kind value, and is list."),
    "a state's type": (lock(KEYED), lock(with_state(replace(COUNT, type="Double"))), "loses-state", "was Long, and is Double"),
    "a time to live": (
        lock(KEYED),
        lock(with_state(replace(COUNT, ttl="1 ms"))),
        "cautious",
        "had the time to live without end",
    ),
    "states can no longer be found": (
        lock(KEYED),
        lock(replace(KEYED, states=(), unknown=True, why="open() raised OSError")),
        "cautious",
        "can no longer be found: open() raised OSError.",
    ),
    "states can be found now": (lock(UNKNOWN), lock(replace(UNKNOWN, unknown=False)), "harmless", "can be found now."),
    "a state goes where others may be": (
        lock(replace(KEYED, unknown=True)),
        lock(replace(KEYED, unknown=True, states=())),
        "cautious",
        "The state “count” of “count” is gone, or was not found.",
    ),
    "the key type where states may be": (lock(UNKNOWN), lock(replace(UNKNOWN, key_type="Long")), "cautious", "Keep the key String"),
    "the mode where states may be": (lock(UNKNOWN), lock(replace(UNKNOWN, execution_mode="process")), "cautious", "sees none of"),
    "the mode where timers may be": (
        lock(replace(KEYED, states=(), timers="unknown")),
        lock(replace(KEYED, states=(), timers="unknown", execution_mode="process")),
        "cautious",
        "sees none of",
    ),
    "timers can be seen now": (lock(replace(KEYED, timers="unknown")), lock(KEYED), "harmless", "that is known now."),
    "an id": (lock(KEYED), lock(replace(KEYED, id="c1")), "loses-state", "has the id c1 instead of c0"),
    "no maximum parallelism any more": (
        lock(KEYED),
        lock(replace(KEYED, max_parallelism=None)),
        "cautious",
        "It must be what the snapshot has.",
    ),
    "a maximum parallelism where there was none": (
        lock(replace(KEYED, max_parallelism=None)),
        lock(KEYED),
        "cautious",
        "It must be what the snapshot has.",
    ),
    "a broadcast type that is found now": (
        lock(with_state(replace(COUNT, kind="broadcast", type="unknown"))),
        lock(with_state(replace(COUNT, kind="broadcast", type="Long"))),
        "cautious",
        "is not known in both: unknown, Long.",
    ),
    "a broadcast state of the name of a keyed one": (
        lock(KEYED),
        lock(replace(KEYED, states=(COUNT, replace(COUNT, kind="broadcast")))),
        "harmless",
        "has a new state, “count”",
    ),
    "a time to live where Flink refuses it": (
        lock(KEYED, flink="2.0"),
        lock(with_state(replace(COUNT, ttl="1 ms")), flink="2.0"),
        "loses-state",
        "Flink 2.0 does not restore it.",
    ),
    "another time to live": (
        lock(with_state(replace(COUNT, ttl="2 ms")), flink="1.20"),
        lock(with_state(replace(COUNT, ttl="1 ms")), flink="1.20"),
        "cautious",
        "what is there expires by the new one.",
    ),
    "a field comes": (
        lock(BATCHED),
        lock(with_fields(1, DELAYS, EMITTED, ("late", "int"))),
        "loses-state",
        "Set version = 2, and write migrate().",
    ),
    "a field comes, in a new version": (
        lock(BATCHED),
        lock(with_fields(2, DELAYS, EMITTED, ("late", "int"))),
        "loses-state",
        "Write migrate(version, values), for version 1: delays: dict, emitted: int.",
    ),
    "a field comes, and is migrated": (
        lock(BATCHED),
        lock(with_fields(2, DELAYS, EMITTED, ("late", "int"), migrates=True)),
        "cautious",
        "migrate() makes the new of the old when it is read.",
    ),
    "migrate() goes": (
        lock(with_fields(2, DELAYS, migrates=True)),
        lock(with_fields(2, DELAYS)),
        "loses-state",
        "the job fails at the first state that one of them has left. Keep migrate()",
    ),
    "migrate() goes, and a field gets another name": (
        lock(with_fields(2, DELAYS, migrates=True)),
        lock(with_fields(2, ("late", "dict"))),
        "loses-state",
        "Keep migrate()",
    ),
    "migrate() comes": (lock(with_fields(2, DELAYS)), lock(with_fields(2, DELAYS, migrates=True)), "harmless", "has a migrate() now"),
    "a version goes back": (
        lock(with_fields(2, DELAYS)),
        lock(with_fields(1, DELAYS)),
        "loses-state",
        "Count the version up, to 3 at least.",
    ),
    "fields change places": (lock(BATCHED), lock(with_fields(1, EMITTED, DELAYS)), "loses-state", "each would be read as another."),
    "a field changes its place and another its name": (
        lock(with_fields(1, ("a", "int"), ("b", "int"), ("c", "int"))),
        lock(with_fields(1, ("b", "int"), ("d", "int"), ("c", "int"))),
        "loses-state",
        "Restore the order.",
    ),
    "a field's type": (
        lock(BATCHED),
        lock(with_fields(1, DELAYS, ("emitted", "int | None"))),
        "cautious",
        "old values stay what they were.",
    ),
    "a field's name": (lock(BATCHED), lock(with_fields(1, DELAYS, ("last", "int"))), "cautious", "has fields with other names"),
    "a class of states comes": (lock(with_state(replace(HOURS, version=None))), lock(BATCHED), "loses-state", "it is packed otherwise."),
    "a newer Flink": (lock(flink="2.0"), lock(flink="2.2"), "cautious", "Flink 2.0 becomes 2.2. Start from a savepoint"),
    "Flink 2": (lock(flink="1.20"), lock(flink="2.0"), "cautious", "promises nothing about state across major versions"),
    "an older Flink": (lock(flink="2.10"), lock(flink="2.9"), "loses-state", "an older Flink does not read"),
    "another backend": (lock(), lock(backend="hashmap"), "cautious", "of the format CANONICAL"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_change_does(name: str) -> None:
    """The worst that it does comes first, and says what to do."""
    old, new, verdict, words = CASES[name]
    worst = compare(old, new)[0]
    assert worst.verdict == verdict
    assert words in f"{worst.what} {worst.remedy}"


def test_the_same_job_has_no_changes() -> None:
    """Whatever it is made of."""
    assert compare(lock(), lock()) == []


def test_the_worst_comes_first() -> None:
    """One change does not hide another."""
    old = lock(KEYED, STATELESS, JAVA)
    new = lock(replace(KEYED, name="tally", key_type="Long"), replace(SOURCE, uid="new"))
    assert [change.verdict for change in compare(old, new)] == ["loses-state", "cautious", "harmless", "harmless", "harmless"]


def test_code_that_no_state_depends_on_does_not_matter() -> None:
    """A key and a function of an operator that keeps nothing; a class that is pickled from now on. Each is a change all the same."""
    nothing = replace(MADE, states=(), timers="none")
    for old, new in ((nothing, replace(nothing, key="other 22", function="Other")), (MADE, noted())):
        assert [(change.verdict, change.of_code) for change in compare(lock(old), lock(new))] == [("harmless", True)]


def test_classes_that_are_all_gone_may_not_have_been_found() -> None:
    """Where the source cannot be read, none is."""
    assert [change.proved for change in compare(lock(noted()), lock(MADE))] == [False]
    two = replace(MADE, pickles=(*noted().pickles, ("job.Other", ())))
    assert [change.proved for change in compare(lock(two), lock(noted()))] == [True]


def test_uids_that_rotate() -> None:
    """Each reads the state of another, however many there are; a function that two operators run is nobody's."""
    names = ("A", "B", "C")
    old = [replace(MADE, uid=name.lower(), id=name, function=name) for name in names]
    new = [replace(operator, function=name) for operator, name in zip(old, ("B", "C", "A"), strict=True)]
    losses = [change.uid for change in compare(lock(*old), lock(*new)) if change.verdict == "loses-state"]
    assert losses == ["a", "b", "c"]


def test_a_state_that_comes_back() -> None:
    """What was given up may still be in the snapshots."""
    old = replace(lock(replace(KEYED, states=())), dropped=(Dropped("count", "count", "wrong since May"),))
    (change,) = compare(old, lock(KEYED))[:1]
    assert (change.verdict, change.state) == ("cautious", "count")
    assert "Give it a name that no state had." in str(change.remedy)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("Integer", "Long", "cautious"),
        ("Float", "Double", "cautious"),
        ("Long", "Double", "loses-state"),
        ("ListTypeInfo<TupleTypeInfo(Long)>", "ListTypeInfo<TupleTypeInfo(Long, String)>", "cautious"),
        ("MapTypeInfo<String, RowTypeInfo(Long)>", "MapTypeInfo<String, TupleTypeInfo(Long)>", "cautious"),
        ("MapTypeInfo<String, RowTypeInfo(Long)>", "MapTypeInfo<Long, RowTypeInfo(Long)>", "loses-state"),
        ("MapTypeInfo<String, MapTypeInfo<Long, Short>>", "MapTypeInfo<String, MapTypeInfo<Long, Byte>>", "cautious"),
    ],
)
def test_types_that_thread_mode_stores_alike(before: str, after: str, verdict: str) -> None:
    """Tuples and rows are pickled, numbers are long or double; so in lists and maps."""
    old, new = (lock(with_state(replace(COUNT, type=kind))) for kind in (before, after))
    assert compare(old, new)[0].verdict == verdict
    in_process = [replace(operator, operators=(replace(operator.operators[0], execution_mode="process"),)) for operator in (old, new)]
    assert compare(*in_process)[0].verdict == "loses-state"
