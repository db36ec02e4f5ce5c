"""A lock that loses state is not written, unless somebody says what, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from jobkit.errors import ConfigurationError
from jobkit.graph import State
from jobkit.lock import Dropped, Lock, LockedOperator, LosesState, Revision

from .locks import COUNT, KEYED, SOURCE, STATELESS, lock

OLD = lock(KEYED, SOURCE)
WITHOUT_COUNT = lock(replace(KEYED, states=()), SOURCE)


def test_the_first_lock_is_written() -> None:
    """There is nothing to lose."""
    revision = Revision(None, OLD)
    assert (revision.is_current, revision.changes, revision.next()) == (False, [], OLD)


def test_a_harmless_change_is_written() -> None:
    """And the lock is the job's then."""
    new = lock(KEYED, SOURCE, STATELESS)
    assert not Revision(OLD, new).is_current
    assert Revision(OLD, new).next() == new
    assert Revision(new, new).is_current


def test_a_loss_is_refused() -> None:
    """The message has the command that allows it."""
    with pytest.raises(LosesState) as caught:
        Revision(OLD, WITHOUT_COUNT).next()
    assert 'jobkit lock --drop count/count --reason "…"' in str(caught.value)
    assert caught.value.exit_code == 1
    assert [change.state for change in caught.value.losses] == ["count"]


@pytest.mark.parametrize("target", ["count/count", "count"])
def test_a_loss_is_declared(target: str) -> None:
    """By the state or its operator; the lock tells which states, and why: a later loss of the same operator is another one."""
    found = Revision(OLD, WITHOUT_COUNT).next([target], " counted in the database now ")
    assert found == replace(WITHOUT_COUNT, dropped=(Dropped("count", "count", "counted in the database now"),))


def test_an_operator_that_goes_is_given_up_as_a_whole() -> None:
    """There is nothing of it that could be lost later."""
    assert Revision(OLD, lock(SOURCE)).next(["count"], "r").dropped == (Dropped("count", None, "r"),)


@pytest.mark.parametrize(
    ("changed", "target"),
    [
        (replace(KEYED, states=(replace(COUNT, type="Double"),)), "count/count"),
        (replace(KEYED, states=(replace(COUNT, kind="map"),)), "count"),
        (replace(KEYED, key_type="Long"), "count"),
        (replace(KEYED, max_parallelism=64), "count"),
    ],
)
def test_what_would_be_misread_or_refused_cannot_be_given_up(changed: LockedOperator, target: str) -> None:
    """It stays in the snapshot under the name by which the job asks for it. Only a start without a snapshot is a way out."""
    revision = Revision(OLD, lock(changed, SOURCE))
    with pytest.raises(ConfigurationError, match=f"^{target} cannot be given up: the state stays where it is"):
        revision.next([target], "r")
    with pytest.raises(
        LosesState, match=r"cannot be given up by its name .* begin without any snapshot: jobkit lock --drop '\*'"
    ) as caught:
        revision.next()
    assert "If it may be lost" not in str(caught.value)
    assert revision.next(["*"], "begins anew").dropped != ()


def test_in_the_other_execution_mode_nothing_is_misread() -> None:
    """It sees none of the states, whatever their types."""
    changed = replace(KEYED, execution_mode="process", states=(replace(COUNT, type="Double"),))
    assert Revision(OLD, lock(changed, SOURCE)).next(["count"], "r").dropped == (
        Dropped("count", None, "r"),
        Dropped("count", "count", "r"),
    )


def test_the_command_can_be_pasted_into_a_shell() -> None:
    """Uids have spaces, and a star is the shell's."""
    committer = replace(KEYED, uid="Sink Committer: out")
    with pytest.raises(LosesState, match="--drop 'Sink Committer: out' --reason"):
        Revision(lock(committer, SOURCE), lock(SOURCE)).next()


WHERE_IT_DIALS = replace(KEYED, states=(), unknown=True, why="open() raised KeyError: 'URL'")


def test_a_lock_that_is_made_where_less_can_be_found_forgets_nothing() -> None:
    """Else the next change of what was forgotten would be called new."""
    revision = Revision(OLD, lock(WHERE_IT_DIALS, SOURCE))
    assert revision.is_current
    assert revision.next() == OLD
    assert [(change.verdict, change.proved) for change in revision.changes] == [("cautious", False)] * 2
    with_more = Revision(OLD, lock(WHERE_IT_DIALS, SOURCE, STATELESS)).next()
    assert with_more.operator("count") == KEYED
    renamed = replace(KEYED, states=(replace(COUNT, name="n"),))
    with pytest.raises(LosesState, match="count/count"):
        Revision(with_more, lock(renamed, SOURCE, STATELESS)).next()


def test_what_was_never_known_is_not_called_new() -> None:
    """It may have been there, of another type."""
    (change,) = (change for change in Revision(lock(WHERE_IT_DIALS), lock(KEYED)).changes if change.state == "count")
    assert (change.verdict, change.remedy) == (
        "cautious",
        "Compare with a snapshot: jobkit compat SNAPSHOT. If it was there, keep its name and type.",
    )


def test_a_type_that_can_no_longer_be_found_stays_in_the_lock() -> None:
    """That of a broadcast state depends on where its descriptor stands."""
    rules = State("rules", "broadcast", "MapTypeInfo<String, Long>")
    before = lock(replace(KEYED, states=(rules,)))
    after = lock(replace(KEYED, states=(replace(rules, type="unknown"),)))
    assert Revision(before, after).next() == before
    (change,) = Revision(before, after).changes
    assert (change.verdict, change.proved) == ("cautious", False)


def test_everything_may_be_given_up() -> None:
    """Also what no operator has: an older Flink."""
    older = lock(SOURCE, flink="2.1")
    with pytest.raises(LosesState, match=r"--drop count .* --drop '\*'"):
        Revision(OLD, older).next()
    begun = Revision(OLD, older).next(["*"], "begins anew")
    assert set(begun.dropped) == {Dropped("*", None, "begins anew"), Dropped("count", None, "begins anew")}
    assert Revision(begun, older).next() == begun
    later = Revision(begun, lock(SOURCE, STATELESS, flink="2.1")).next()
    assert later.dropped == (Dropped("count", None, "begins anew"),)


def test_one_declaration_does_not_cover_another_loss() -> None:
    """Of another operator, or of another state of the same."""
    two = lock(replace(KEYED, states=(COUNT, replace(COUNT, name="n"))), SOURCE)
    with pytest.raises(LosesState) as caught:
        Revision(two, lock(replace(KEYED, states=()))).next(["count/n"], "not needed")
    assert [(change.uid, change.state) for change in caught.value.losses] == [("count", "count"), ("source", None)]


@pytest.mark.parametrize(
    ("targets", "reason", "message"),
    [
        (["count/n"], "r", "Nothing of count/n would be lost. Found: what would be: count/count."),
        (["count"], None, "--drop needs --reason."),
        (["count"], "  ", "--drop needs --reason."),
        ([], "r", "--reason needs --drop."),
    ],
)
def test_a_declaration_that_says_nothing_is_refused(targets: list[str], reason: str | None, message: str) -> None:
    """A misspelt name would allow nothing, and a loss without a reason is no decision."""
    with pytest.raises(ConfigurationError) as caught:
        Revision(OLD, WITHOUT_COUNT).next(targets, reason)
    assert str(caught.value).startswith(message)


def test_a_declaration_stays_until_the_state_is_back() -> None:
    """A snapshot of before may be the one to start from for some time; a state that came back would have to be dropped anew."""
    dropped = Revision(OLD, WITHOUT_COUNT).next(["count/count"], "r")
    more = lock(replace(KEYED, states=()), SOURCE, STATELESS)
    assert Revision(dropped, more).next().dropped == (Dropped("count", "count", "r"),)
    back: Lock = Revision(dropped, OLD).next()
    assert back.dropped == ()
    with pytest.raises(LosesState):
        Revision(back, WITHOUT_COUNT).next()


@pytest.mark.parametrize(
    ("target", "changed"),
    [
        ("count", replace(KEYED, execution_mode="process")),
        ("count", replace(KEYED, states=())),
        ("count/count", replace(KEYED, states=())),
    ],
)
def test_a_declaration_stays_although_its_operator_did(target: str, changed: LockedOperator) -> None:
    """What was lost is what it had kept, and that does not come back."""
    new = lock(changed, SOURCE)
    dropped = Revision(OLD, new).next([target], "r")
    assert Revision(dropped, new).next() == dropped
    assert Revision(dropped, lock(changed, SOURCE, STATELESS)).next().dropped == dropped.dropped != ()
