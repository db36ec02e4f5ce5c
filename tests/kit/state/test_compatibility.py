"""What becomes of the state of a snapshot when a job starts from it: made by hand, without Flink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from jobkit.graph import State
from jobkit.lock import Dropped, Lock
from jobkit.state.compatibility import Start, compare, without_snapshot
from jobkit.state.fates import Compatibility, Fate
from jobkit.state.snapshots import KeyedState, OperatorState, Snapshot

from tests.kit.lock.locks import COUNT, HOURS, JAVA, KEYED, SOURCE, STATELESS, UNKNOWN, lock

TIMERS = KeyedState("_timer_state/event_user-timers", "timers")
HELD = OperatorState(
    id="c0",
    uid="count",
    name="count",
    parallelism=2,
    max_parallelism=128,
    bytes=4_000,
    checkpointed_bytes=0,
    keyed_states=(TIMERS, KeyedState("count", "list")),
    operator_states=(),
    has_raw_state=False,
    keyed_handles=("IncrementalRemoteKeyedStateHandle",),
    shared_files=2,
    unshared_files=0,
)
"""What a snapshot holds of the operator KEYED."""

POSITION = replace(
    HELD, id="a0", uid="source", name="Source: source", bytes=60, keyed_states=(), operator_states=("SourceReaderState",), keyed_handles=()
)
NOTHING = replace(POSITION, id="b0", uid="parse", name="parse", bytes=0, operator_states=())


def snapshot(*operators: OperatorState, form: str | None = None) -> Snapshot:
    """Return a checkpoint, or a savepoint of a format."""
    return Snapshot("file:/chk-7", 7, form is not None, form, operators)


def judged(  # noqa: PLR0913
    held: Sequence[OperatorState],
    job: Lock,
    written_by: Lock | None = None,
    *,
    parallelism: int = 2,
    dropped: Sequence[Dropped] = (),
    form: str | None = None,
) -> Compatibility:
    """Compare a snapshot with a job."""
    start = Start(job, {operator.id: (parallelism, operator.max_parallelism) for operator in job.operators}, dropped)
    return compare(snapshot(*held, form=form), start, written_by, "file:/flink.lock" if written_by else None)


def only(found: Compatibility) -> Fate:
    """Return what becomes of the one operator."""
    (fate,) = found.fates
    return fate


def test_the_job_that_took_it_may_start_from_it() -> None:
    """Each operator is restored, and its size known; what holds nothing is as well."""
    job = lock(KEYED, SOURCE, STATELESS)
    found = judged([HELD, POSITION, NOTHING], job, job)
    assert found.is_compatible
    assert [(fate.uid, fate.verdict, fate.bytes, fate.reason) for fate in found.fates] == [
        ("count", "restored", 4_000, None),
        ("source", "restored", 60, None),
        ("parse", "restored", 0, None),
    ]
    assert found.lock == "file:/flink.lock"
    assert found.changes == ()


def test_without_a_snapshot_everything_is_new() -> None:
    """A first start."""
    found = without_snapshot(Start(lock(KEYED, SOURCE), {}))
    assert found.is_compatible
    assert {fate.verdict for fate in found.fates} == {"new"}
    assert found.to_json()["snapshot"] is None


def test_without_a_lock_types_are_unknown() -> None:
    """For Python's keyed state alone: Flink itself compares that of Java operators, and a source has one type."""
    found = judged([HELD, POSITION], lock(KEYED, SOURCE))
    assert found.is_compatible
    assert [(fate.uid, fate.verdict) for fate in found.fates] == [("count", "unknown"), ("source", "restored")]
    assert "lock of the job that took the snapshot was not found" in str(found.fates[0].reason)
    assert "--lock" in str(found.fates[0].remedy)


def test_another_parallelism_rescales() -> None:
    """Which loses nothing."""
    fate = only(judged([HELD], lock(KEYED), lock(KEYED), parallelism=3))
    assert (fate.verdict, fate.reason) == ("rescaled", "From 2 subtasks to 3.")


def test_an_operator_that_is_gone_is_dropped() -> None:
    """With its size, and the uid to give back: the snapshot's word, or in older Flinks, the lock's."""
    for held, written_by in ((HELD, None), (replace(HELD, uid=None, name=None), lock(KEYED))):
        found = judged([held, POSITION], lock(SOURCE), written_by)
        fate = found.fates[0]
        assert not found.is_compatible
        assert (fate.uid, fate.verdict, fate.bytes) == ("count", "dropped", 4_000)
        assert '.uid("count")' in str(fate.remedy)
    nameless = judged([replace(HELD, uid=None, name=None)], lock(SOURCE)).fates[0]
    assert (nameless.uid, nameless.label) == (None, "c0")
    assert str(nameless.remedy).endswith("give it its uid back.")


def test_an_operator_under_another_uid_is_recognised() -> None:
    """Its state is dropped, and which operator may want it is said."""
    renamed = replace(KEYED, uid="total", id="c1")
    fate = judged([HELD], lock(renamed), lock(KEYED)).fates[0]
    assert fate.verdict == "dropped"
    assert "“total” now, give it its uid back" in str(fate.remedy)


def test_an_empty_operator_that_is_gone_is_not_missed() -> None:
    """Flink passes over it."""
    assert only(judged([POSITION, NOTHING], lock(SOURCE), lock(SOURCE, STATELESS))).uid == "source"


def test_a_new_operator_is_new() -> None:
    """It begins without state."""
    assert [(fate.uid, fate.verdict) for fate in judged([POSITION], lock(SOURCE, KEYED)).fates] == [
        ("count", "new"),
        ("source", "restored"),
    ]


@pytest.mark.parametrize("written_by", [None, lock(KEYED)])
def test_a_state_that_is_gone_is_dropped(written_by: Lock | None) -> None:
    """Flink would say nothing: the snapshot's names tell, and with a lock, what it may be called now."""
    fate = only(judged([HELD], lock(replace(KEYED, states=(replace(COUNT, name="n"),))), written_by))
    assert fate.verdict == "dropped"
    assert "The state “count” of “count” is gone" in str(fate.reason)


@pytest.mark.parametrize("written_by", [None, lock(replace(KEYED, max_parallelism=64))])
def test_max_parallelism_is_compared_with_the_snapshots(written_by: Lock | None) -> None:
    """Whatever a lock says."""
    found = judged([HELD, replace(NOTHING, max_parallelism=64)], lock(replace(KEYED, max_parallelism=64), STATELESS), written_by)
    assert [(fate.uid, fate.verdict) for fate in found.fates] == [("count", "incompatible"), ("parse", "unknown")]
    assert "was 128, and is 64" in str(found.fates[0].reason)
    assert "Set it to 128 again." in str(found.fates[0].remedy)


def test_a_task_has_the_maximum_parallelism_of_its_first_operator() -> None:
    """What an operator has of its own does not count where it runs behind another."""
    start = Start(lock(replace(KEYED, max_parallelism=64)), {"c0": (2, 128)})
    assert only(compare(snapshot(HELD), start, lock(KEYED), "file:/flink.lock")).verdict == "restored"


def test_uids_that_have_changed_places() -> None:
    """Each would read the other's state as its own; one that was only renamed is restored, with a note."""
    one, two = replace(KEYED, function="Count"), replace(KEYED, uid="total", id="t0", function="Total")
    held = [HELD, replace(HELD, id="t0", uid="total")]
    found = judged(held, lock(replace(one, function="Total"), replace(two, function="Count")), lock(one, two))
    assert [(fate.uid, fate.verdict) for fate in found.fates] == [("count", "incompatible"), ("total", "incompatible")]
    assert "Give each operator its uid back." in str(found.fates[0].remedy)
    renamed = only(judged([HELD], lock(replace(one, function="Counter")), lock(one)))
    assert renamed.verdict == "restored"
    assert "ran Count, and runs Counter" in str(renamed.reason)


def test_a_job_without_max_parallelism_takes_the_snapshots() -> None:
    """Unless more subtasks are wanted than that."""
    job = lock(replace(KEYED, max_parallelism=None))
    assert only(judged([HELD], job, lock(KEYED))).verdict == "restored"
    fate = only(judged([HELD], job, lock(KEYED), parallelism=200))
    assert fate.verdict == "incompatible"
    assert fate.remedy == "Run it with at most 128 subtasks."


@pytest.mark.parametrize("written_by", [None, lock(KEYED)])
def test_another_execution_mode_sees_nothing(written_by: Lock | None) -> None:
    """The names under which the states are stored tell; without any, nothing is lost."""
    fate = only(judged([HELD], lock(replace(KEYED, execution_mode="process")), written_by))
    assert fate.verdict == "incompatible"
    assert "Set python.execution-mode: thread." in str(fate.remedy)
    in_process = replace(HELD, keyed_states=(TIMERS, KeyedState("python-state-count", "list")))
    assert "ran in process mode" in str(only(judged([in_process], lock(KEYED))).reason)
    assert (
        only(judged([replace(HELD, keyed_states=(TIMERS,))], lock(replace(KEYED, execution_mode="process", states=())))).verdict
        == "restored"
    )


def test_what_only_the_lock_knows() -> None:
    """Type, key and version: misread, or refused."""
    for now in (
        replace(KEYED, states=(replace(COUNT, type="String"),)),
        replace(KEYED, states=(replace(COUNT, kind="list"),)),
        replace(KEYED, key_type="Long"),
        replace(KEYED, kind="source"),
    ):
        found = judged([HELD], lock(now), lock(KEYED))
        assert only(found).verdict == "incompatible"
        assert not found.is_compatible
        assert only(found).reason
    before, now = (replace(KEYED, states=(replace(HOURS, version=version, migrates=version > 1),)) for version in (1, 2))
    held = replace(HELD, keyed_states=(KeyedState("states", "map"),))
    migrated = only(judged([held], lock(now), lock(before)))
    assert migrated.verdict == "restored"
    assert "migrate()" in str(migrated.reason)


def test_a_state_that_may_be_given_up() -> None:
    """By name, or with all others; one that was not named still forbids the start, also one of an operator that gave up another."""
    job = lock(replace(KEYED, states=()))
    for entry in (Dropped("count", "count", "wrong since May"), Dropped("*", None, "wrong since May")):
        found = judged([HELD], job, lock(KEYED), dropped=[entry])
        assert found.is_compatible
        assert only(found).allowed == "wrong since May"
    assert not judged(
        [HELD], job, lock(KEYED), dropped=[Dropped("count", "other", "no longer"), Dropped("count", None, "mode")]
    ).is_compatible
    two = replace(HELD, keyed_states=(*HELD.keyed_states, KeyedState("total", "list")))
    assert not judged([two], job, dropped=[Dropped("count", "count", "wrong since May")]).is_compatible
    gone = judged([HELD], lock(SOURCE), dropped=[Dropped("count", None, "counted elsewhere")])
    assert gone.is_compatible
    assert judged([HELD], lock(SOURCE), dropped=[Dropped("other", None, "no longer")]).is_compatible is False


@pytest.mark.parametrize(
    ("handle", "form", "backend", "verdict"),
    [
        ("IncrementalRemoteKeyedStateHandle", None, "rocksdb", "restored"),
        ("IncrementalRemoteKeyedStateHandle", None, "hashmap", "incompatible"),
        ("IncrementalRemoteKeyedStateHandle", "native", "hashmap", "incompatible"),
        ("KeyGroupsStateHandle", None, "rocksdb", "incompatible"),
        ("KeyGroupsSavepointStateHandle", "canonical", "hashmap", "restored"),
        ("KeyGroupsSavepointStateHandle", "canonical", "rocksdb", "restored"),
    ],
)
def test_only_a_canonical_savepoint_moves_to_another_backend(handle: str, form: str | None, backend: str, verdict: str) -> None:
    """Whatever else is the same."""
    held = replace(HELD, keyed_handles=(handle,))
    assert only(judged([held], lock(KEYED, backend=backend), lock(KEYED), form=form)).verdict == verdict


def test_an_older_flink_does_not_read_it() -> None:
    """That is a matter of the whole job."""
    found = judged([HELD], lock(KEYED, flink="2.0"), lock(KEYED, flink="2.2"))
    assert not found.is_compatible
    assert [change.verdict for change in found.changes] == ["loses-state"]
    assert judged([HELD], lock(KEYED, flink="2.2"), lock(KEYED, flink="2.0")).is_compatible


def test_states_that_could_not_be_found_are_unknown() -> None:
    """With the reason; and what a snapshot names may be among them."""
    held = replace(HELD, id="f0", uid="dial", name="dial")
    for written_by in (None, lock(UNKNOWN)):
        fate = only(judged([held], lock(UNKNOWN), written_by))
        assert fate.verdict == "unknown"
        assert "open() raised OSError" in str(fate.reason)


def test_broadcast_state_is_known_by_its_name() -> None:
    """It is among the operator states; those of Java operators are Flink's own affair."""
    rules = State("rules", "broadcast", "MapTypeInfo<String, Long>")
    operator = replace(STATELESS, kind="broadcast-process", states=(rules,))
    in_process = replace(NOTHING, bytes=10, operator_states=("python-state-rules",))
    assert only(judged([in_process], lock(operator), lock(operator))).verdict == "restored"
    assert only(judged([in_process], lock(operator), None)).verdict == "unknown"
    assert only(judged([in_process], lock(replace(operator, states=())), lock(operator))).verdict == "dropped"
    held = replace(NOTHING, bytes=10, operator_states=("rules",))
    assert only(judged([held], lock(operator), lock(operator))).verdict == "restored"
    assert only(judged([held], lock(replace(operator, states=())), None)).verdict == "dropped"
    assert only(judged([replace(held, id="e0")], lock(JAVA), None)).verdict == "restored"
    another = replace(operator, states=(replace(rules, type="MapTypeInfo<String, Double>"),))
    assert only(judged([held], lock(another), lock(operator))).verdict == "incompatible"


def test_the_worst_comes_first_and_the_largest_of_its_kind() -> None:
    """In the document as well, with all that is known."""
    large = replace(HELD, id="x0", uid="large", bytes=40_000_000_000)
    found = judged([HELD, large, POSITION], lock(SOURCE, STATELESS))
    assert [fate.uid for fate in found.fates] == ["large", "count", "parse", "source"]
    document = found.to_json()
    assert (document["compatible"], document["snapshot"], document["lock"]) == (False, "file:/chk-7", None)
    assert set(document["operators"][0]) == {"uid", "id", "name", "verdict", "reason", "remedy", "bytes", "allowed"}


def test_what_flink_refuses_cannot_be_given_up() -> None:
    """Another limit, backend, type or key: to declare a loss does not make Flink start, or read it right."""
    dropped = [Dropped("count", None, "wrong since May"), Dropped("*", None, "everything")]
    for job in (
        lock(replace(KEYED, max_parallelism=64)),
        lock(KEYED, backend="hashmap"),
        lock(replace(KEYED, key_type="Long")),
        lock(replace(KEYED, states=(replace(COUNT, type="Double"),))),
    ):
        found = judged([HELD], job, lock(KEYED), dropped=dropped)
        assert (only(found).verdict, only(found).allowed, found.is_compatible) == ("incompatible", None, False)
    left_behind = judged([HELD], lock(replace(KEYED, execution_mode="process")), lock(KEYED), dropped=dropped)
    assert left_behind.is_compatible
    assert only(left_behind).allowed == "wrong since May"


def test_the_snapshots_word_goes_before_the_locks() -> None:
    """A lock that says thread mode, of a snapshot that was taken in process mode."""
    held = replace(HELD, keyed_states=(TIMERS, KeyedState("python-state-count", "list")))
    assert only(judged([held], lock(KEYED), lock(KEYED))).verdict == "incompatible"


def test_an_older_state_of_the_same_name() -> None:
    """RocksDB keeps what a job in between had given up."""
    fate = only(judged([HELD], lock(KEYED), lock(replace(KEYED, states=()))))
    assert fate.verdict == "incompatible"
    assert "The snapshot holds an older state “count”" in str(fate.reason)


def test_a_state_that_no_record_touched_is_not_missed() -> None:
    """The lock knows it; the snapshot does not have it."""
    before = lock(replace(KEYED, states=(COUNT, replace(COUNT, name="never"))))
    assert only(judged([HELD], lock(KEYED), before)).verdict == "restored"
    assert only(judged([HELD], lock(replace(KEYED, states=())), before)).verdict == "dropped"


def test_what_cannot_be_read_is_unknown() -> None:
    """State of a kind of handle without a head, and raw state of Python operators."""
    changelog = replace(HELD, keyed_states=(), keyed_handles=("ChangelogStateBackendHandleImpl",))
    for held in (changelog, replace(HELD, has_raw_state=True)):
        for written_by in (None, lock(KEYED)):
            assert only(judged([held], lock(KEYED), written_by)).verdict == "unknown"


def test_java_operators_with_state_have_a_limit_as_well() -> None:
    """Nobody knows beforehand that they have state; the snapshot does."""
    table = replace(JAVA, kind="table")
    held = replace(HELD, id="e0", uid="marks", keyed_states=(KeyedState("accState", "value"),))
    assert only(judged([held], lock(table), lock(table))).verdict == "restored"
    assert only(judged([held], lock(replace(table, max_parallelism=256)), lock(table))).verdict == "incompatible"


@pytest.mark.parametrize("backend", ["org.apache.flink.state.rocksdb.EmbeddedRocksDBStateBackendFactory", "forst", "rocksdb"])
def test_backends_of_another_name(backend: str) -> None:
    """The name of the factory is the backend's; one that is not known reads what it has written itself."""
    assert only(judged([HELD], lock(KEYED, backend=backend), lock(KEYED, backend=backend))).verdict == "restored"


@pytest.mark.parametrize(
    ("backend", "verdict"), [("forst", "unknown"), ("org.apache.flink.runtime.state.hashmap.HashMapStateBackendFactory", "incompatible")]
)
def test_a_backend_that_is_not_known_may_not_read_it(backend: str, verdict: str) -> None:
    """Of ForSt nobody here knows; the name of a factory hides no backend that is known."""
    assert only(judged([HELD], lock(KEYED, backend=backend), lock(KEYED))).verdict == verdict
    assert only(judged([HELD], lock(KEYED, backend=backend), lock(KEYED), form="canonical")).verdict == "restored"


BLIND = replace(KEYED, states=(), unknown=True)
"""As a lock has it that was made where the function could not be opened."""


def test_a_lock_that_knows_less_than_the_snapshot() -> None:
    """The snapshot names the states: one that the job does not have is dropped, and of the others the types are not known."""
    assert only(judged([HELD], lock(KEYED), lock(BLIND))).verdict == "unknown"
    renamed = replace(KEYED, states=(replace(COUNT, name="n"),))
    fate = only(judged([HELD], lock(renamed), lock(BLIND)))
    assert (fate.verdict, fate.loses_state) == ("dropped", True)


@pytest.mark.parametrize(("stored", "kind"), [("list", "map"), ("map", "value")])
def test_a_map_is_told_from_other_states_without_a_lock(stored: str, kind: str) -> None:
    """By the snapshot itself: Flink refuses to register the one as the other."""
    held = replace(HELD, keyed_states=(KeyedState("count", stored),))
    assert only(judged([held], lock(replace(KEYED, states=(replace(COUNT, kind=kind),))))).verdict == "incompatible"
    same = replace(COUNT, kind="map" if stored == "map" else "list")
    assert only(judged([held], lock(replace(KEYED, states=(same,))))).verdict == "unknown"


def test_what_a_broadcast_state_is_read_as_must_be_known() -> None:
    """When the descriptor was not found the lock says so, and the state is not simply restored."""
    ruled = replace(KEYED, states=(State("count", "broadcast", "unknown"),), unknown=True, why="the descriptor of “count” was not found")
    held = replace(HELD, keyed_states=(), keyed_handles=(), operator_states=("count",))
    found = only(judged([held], lock(ruled), lock(ruled)))
    assert found.verdict == "unknown"
    assert "the descriptor of “count” was not found" in str(found.reason)


def test_another_query_is_noted() -> None:
    """Its state is restored, and may mean something else; of one that holds nothing it does not matter."""
    query = replace(JAVA, kind="table", plan="11")
    held = replace(POSITION, id="e0", uid="marks", operator_states=(), has_raw_state=True)
    for state in (held, replace(held, bytes=0, has_raw_state=False)):
        found = only(judged([state], lock(replace(query, plan="22")), lock(query)))
        assert found.verdict == "restored"
        assert "computes something else" in str(found.reason)
