"""The parts of a rehearsal that need no cluster: counting, copying, redirecting, and what counts as a loss."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jobkit.cluster.waiting import InVain
from jobkit.errors import ConfigurationError
from jobkit.graph import State
from jobkit.lock import Lock, LockedOperator
from jobkit.rehearsal import copying, counting, ends, redirection
from jobkit.rehearsal.ends import End
from jobkit.rehearsal.outcome import Evidence, StateRow
from jobkit.rehearsal.redirection import Plan
from jobkit.rehearsal.rehearsal import Rehearsal
from jobkit.rehearsal.wishes import Wishes
from jobkit.state import snapshots
from jobkit.state.fates import Fate
from jobkit.state.snapshots import KeyedState, OperatorState, Snapshot

from tests.kit.projects import VERSIONS
from tests.kit.state.rounds.src.rounds.pipeline import KEYS
from tests.kit.state.versions import GOLDEN

from .conftest import digests

ID = 32 * "a"
COUNT = KeyedState("python-state-count", "value")


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize("version", VERSIONS)
def test_keys_are_counted_once_also_in_a_map(version: str) -> None:
    """Each state of the job has an entry for each of its keys, a map several; of timers of processing time there are none."""
    found = counting.counts(GOLDEN / version / "savepoint")
    assert found is not None
    keys = {count.state.name: count.keys for count in found.values()}
    timers = {"_timer_state/event_user-timers": KEYS, "_timer_state/processing_user-timers": 0}
    assert keys == {"count": KEYS, "rounds": KEYS, "last": KEYS, "thirds": KEYS, **timers}


@pytest.mark.usefixtures("jvm")
def test_what_is_no_savepoint_of_the_canonical_format_is_not_counted() -> None:
    """Unknown, rather than a guess."""
    assert counting.counts(GOLDEN / "2.2" / "checkpoint") is None


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_copy_says_what_the_original_says(version: str, tmp_path: Path) -> None:
    """Byte for byte, when it refers to nothing else; and the original is as it was."""
    original = GOLDEN / version / "savepoint"
    before = digests(original)
    copied = copying.copy(original, tmp_path / "copy", (), lambda *_: None)
    assert (tmp_path / "copy" / "_metadata").read_bytes() == (original / "_metadata").read_bytes()
    assert (copied.shared, copied.left_out) == (0, ())
    assert snapshots.read(tmp_path / "copy").operators == snapshots.read(original).operators
    assert digests(original) == before


@pytest.mark.usefixtures("jvm")
def test_a_copy_that_does_not_fit_says_what_a_rehearsal_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is copied then; where only the copy fits, it is known how much there was."""
    file = tmp_path / "state"
    file.write_bytes(bytes(1000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=999))
    with pytest.raises(ConfigurationError, match=r"1,000 bytes, 999 are free; a rehearsal takes about 5 times the snapshot in all"):
        copying._require_room([f"file:{file}"], tmp_path / "copy")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2000))
    assert copying._require_room([f"file:{file}"], tmp_path / "copy") == (1000, 2000)


def test_a_checkpoint_is_waited_for_as_long_as_it_is_said(tmp_path: Path) -> None:
    """A large state takes longer than any number that is written down here."""
    rehearsal = object.__new__(Rehearsal)
    rehearsal._wishes = Wishes("file:/snapshot", within=0.01)
    rest = SimpleNamespace(history=lambda _: [], trigger_checkpoint=lambda _: None)
    rehearsal.cluster, rehearsal.place = SimpleNamespace(rest=rest), SimpleNamespace(logs=tmp_path)  # type: ignore[assignment]
    with pytest.raises(InVain, match="Waited 0 s in vain: the first checkpoint is complete"):
        rehearsal._checkpoint(SimpleNamespace(job="job", check=lambda: None), "first")  # type: ignore[arg-type]


def end(role: Any, kind: str, uid: str = "out") -> End:
    """Return an end of a kind."""
    return End(uid, 1, uid, role, kind)


def test_ends_that_are_known_pass() -> None:
    """Kafka's, which are redirected, and those that reach nothing."""
    kafka = [
        end("source", "org.apache.flink.connector.kafka.source.KafkaSource"),
        end("sink", "org.apache.flink.connector.kafka.sink.KafkaSink"),
    ]
    ends.require_known([*kafka, end("sink", "org.apache.flink.streaming.api.functions.sink.PrintSinkFunction")], ())


def test_others_are_named_all_at_once_unless_they_are_allowed() -> None:
    """Each by its uid, with what it is."""
    found = [end("sink", "org.example.JdbcSink", "db"), end("source", "org.example.RabbitSource", "queue")]
    with pytest.raises(
        ConfigurationError, match=r"the sink “db” \(JdbcSink\), the source “queue” \(RabbitSource\).*--allow db --allow queue"
    ):
        ends.require_known(found, ())
    ends.require_known(found, ("db", "queue"))
    with pytest.raises(ConfigurationError, match=r"no such source or sink.*Found: bd\."):
        ends.require_known(found, ("bd", "queue"))


@pytest.mark.usefixtures("jvm")
def test_a_redirected_sink_has_nothing_of_productions_left() -> None:
    """Servers, security, transactional ids; what the job itself has set stays. The second time changes nothing."""
    from pyflink.common.serialization import SimpleStringSchema
    from pyflink.datastream.connectors.base import DeliveryGuarantee
    from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink
    from pyflink.util.java_utils import get_field_value

    values = KafkaRecordSerializationSchema.builder().set_topic("orders").set_value_serialization_schema(SimpleStringSchema()).build()
    builder = KafkaSink.builder().set_bootstrap_servers("prod:9093").set_record_serializer(values)
    builder.set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE).set_transactional_id_prefix("orders")
    for key, value in (("security.protocol", "SASL_SSL"), ("sasl.jaas.config", "secret"), ("linger.ms", "7")):
        builder.set_property(key, value)
    j_sink = builder.build().get_java_function()
    found = replace(end("sink", "org.apache.flink.connector.kafka.sink.KafkaSink"), connector=j_sink)
    plan = Plan("127.0.0.1:1", production_input=False, allowed=(), report="")
    notes = [list(redirection.redirect(found, plan)) for _ in range(2)]
    properties = dict(get_field_value(j_sink, "kafkaProducerConfig"))
    assert properties["bootstrap.servers"] == "127.0.0.1:1"
    assert properties["linger.ms"] == "7"
    assert not [key for key in properties if key.startswith(("security.", "sasl.", "ssl."))]
    assert get_field_value(j_sink, "transactionalIdPrefix") == "rehearsal-orders"
    assert ["3600000" in note for note in notes[0]] == [True]  # Flink's default, which no broker takes by default
    assert notes[1] == []


def operator(**more: Any) -> LockedOperator:
    """Return an operator with one state."""
    given: dict[str, Any] = {"states": (State("count", "value", "LONG"),), **more}
    return LockedOperator("count", ID, "count", "keyed-process", 128, **given)


def evidence(keys: int, restored: int, *, is_still: bool = True) -> Evidence:
    """Return what was found of one state."""
    held = OperatorState(
        ID, "count", "count", 1, 128, 10, 10, (COUNT,), (), has_raw_state=False, keyed_handles=(), shared_files=0, unshared_files=0
    )
    snapshot = Snapshot("file:/s", 1, is_savepoint=True, format="canonical", operators=(held,))
    pairs = [{(ID, COUNT.stored_as): counting.StateCount(COUNT, count, 8 * count)} for count in (keys, restored)]
    return Evidence(snapshot, snapshot, pairs[0], pairs[1], {}, is_still)


def row(found: Evidence, locked: LockedOperator, **fate: Any) -> StateRow:
    """Return the row of the state."""
    (only,) = found.rows([Fate("count", ID, "count", fate.pop("verdict", "restored"), **fate)], Lock("2.2", "rocksdb", (locked,)))
    return only.states[0]


def test_keys_that_are_missing_are_a_loss() -> None:
    """Unless they may have expired, the lock gives them up, or the job went on meanwhile."""
    assert row(evidence(5, 5), operator()).loss is None
    assert row(evidence(5, 3), operator()).loss == "2 keys of “count” were not restored."
    for locked in (operator(timers="set"), operator(states=(State("count", "value", "LONG", ttl="1 d"),))):
        expired = row(evidence(5, 3), locked)
        assert expired.loss is None
        assert "2 keys fewer" in str(expired.note)
    assert row(evidence(5, 0), operator(), verdict="dropped", allowed="gone").loss is None
    assert row(evidence(5, 3, is_still=False), operator()).loss is None


def test_positions_that_are_missing_are_a_loss() -> None:
    """Partitions that are gone, and, as nothing was read yet, others than before."""
    found = replace(evidence(1, 1), positions={ID: ({("words", 0): 7, ("words", 1): 9}, {("words", 0): 7})})
    states = found._positions("SourceReaderState", *found.positions[ID])
    assert (states.keys, states.restored_keys) == (2, 1)
    assert states.loss == "the positions of 1 partitions were not restored."
