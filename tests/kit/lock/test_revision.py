"""A lock that loses state is not written, unless somebody says what, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from jobkit.errors import ConfigurationError
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


@pytest.mark.parametrize(("target", "state"), [("count/count", "count"), ("count", None)])
def test_a_loss_is_declared(target: str, state: str | None) -> None:
    """By the state or its operator; the lock tells why."""
    found = Revision(OLD, WITHOUT_COUNT).next([target], " counted in the database now ")
    assert found == replace(WITHOUT_COUNT, dropped=(Dropped("count", state, "counted in the database now"),))


def test_everything_may_be_given_up() -> None:
    """Also what no operator has: an older Flink."""
    older = lock(SOURCE, flink="2.1")
    with pytest.raises(LosesState, match=r"--drop \* --drop count"):
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
        ("count", replace(KEYED, key_type="Long")),
        ("count", replace(KEYED, states=())),
        ("count/count", replace(KEYED, states=(replace(COUNT, type="Double"),))),
    ],
)
def test_a_declaration_stays_although_its_operator_did(target: str, changed: LockedOperator) -> None:
    """What was lost is what it had kept, and that does not come back."""
    new = lock(changed, SOURCE)
    dropped = Revision(OLD, new).next([target], "r")
    assert Revision(dropped, new).next() == dropped
    assert Revision(dropped, lock(changed, SOURCE, STATELESS)).next().dropped == dropped.dropped != ()
