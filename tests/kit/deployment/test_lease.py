"""One process at a time changes a deployment."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from jobkit.cluster.waiting import until
from jobkit.deployment import holder, instance
from jobkit.deployment.holder import Holder
from jobkit.deployment.lease import LeaseLost, Occupied
from jobkit.deployment.ledger import Ledger, LedgerError

from . import ledgers
from .ledgers import DEPLOYMENT, LONG, Crowd

TURNS = 3
SECONDS = 180
"""A deadline that is far from the end of a long lease."""


def take(ledger: Ledger) -> bool:
    """Try to take the lease, and give it back."""
    try:
        with ledger.lease(DEPLOYMENT, "upgrade"):
            return True
    except Occupied:
        return False


def test_of_a_crowd_one_takes_it(address: str, crowd: Crowd) -> None:
    """Also when there is no ledger yet, which all create at once; the others are told who has it."""
    with crowd.doing(ledgers.take_once, address) as contenders:
        answers = [one.answer() for one in contenders]
        winner = contenders[answers.index("taken")]
        others = [answer for answer in answers if answer != "taken"]
        assert len(others) == Crowd.SIZE - 1
        assert all(f"upgrade by {holder.person()}, process {winner.pid}, since" in answer for answer in others)
        winner.tell("give it back")


@pytest.mark.parametrize("end", ["run out", "gone"])
def test_of_a_crowd_one_takes_over(ledger: Ledger, address: str, crowd: Crowd, end: str) -> None:
    """All see the same lease, whose holder has not given it back."""
    with ledger.lease(DEPLOYMENT, "deploy", LONG):
        ledgers.set_lease(ledger, **({"runs_out": 0} if end == "run out" else {"started": "earlier"}))
        with crowd.doing(ledgers.take_once, address) as contenders:
            answers = [one.answer() for one in contenders]
            assert answers.count("taken") == 1
            contenders[answers.index("taken")].tell("give it back")


def test_nobody_has_it_beside_another(address: str, crowd: Crowd, tmp_path: Path) -> None:
    """Each of a crowd gets it in the end, and is alone with it."""
    with crowd.doing(ledgers.take_in_turn, address, tmp_path / "place", TURNS) as contenders:
        assert [one.answer() for one in contenders] == [(TURNS, 0)] * Crowd.SIZE


def test_a_killed_holder_is_taken_over_from_at_once(ledger: Ledger, address: str) -> None:
    """Though its lease has not run out, and nobody has taken note of its end; what it had begun is there to be taken up."""
    with ledger.lease(DEPLOYMENT, "deploy") as lease:
        ledger.add(ledgers.entry(), lease)
    uid = instance.new_uid()
    with ledgers.contender() as other:
        other.tell(ledgers.hold, address, uid)
        assert other.answer() == "held"
        assert not take(ledger)
        os.kill(other.pid, signal.SIGKILL)
        until(lambda: take(ledger) or None, what="the lease is taken over", seconds=SECONDS)
        assert psutil.Process(other.pid).status() == psutil.STATUS_ZOMBIE
    left = ledger.unfinished(DEPLOYMENT)
    assert left is not None
    assert (left.uid, left.step, left.details) == (uid, "stopping", {"from": "a", "savepoint": "s3://savepoints/1"})


def test_a_stopped_holder_that_goes_on_writes_nothing(ledger: Ledger, address: str) -> None:
    """Its lease ran out, and another took it: each of its writes is refused, and it does not take the lease back."""
    with ledger.lease(DEPLOYMENT, "deploy") as lease:
        added = ledger.add(ledgers.entry(), lease)
    uid = instance.new_uid()
    with ledgers.contender() as other:
        other.tell(ledgers.hold, address, uid)
        assert other.answer() == "held"
        os.kill(other.pid, signal.SIGSTOP)
        until(lambda: psutil.Process(other.pid).status() == psutil.STATUS_STOPPED or None, what="it is stopped", seconds=SECONDS)
        assert not take(ledger)
        ledgers.set_lease(ledger, runs_out=0)
        before = ledger.operations(), ledger.instances()
        with ledger.lease(DEPLOYMENT, "rollback", LONG) as mine:
            os.kill(other.pid, signal.SIGCONT)
            other.tell("write")
            assert other.answer() == [LeaseLost.__name__] * 6
            assert other.answer() == "over"
            assert (ledger.operations(), ledger.instances()) == before
            mine.require()
    assert ledger.instances() == [added]


def test_a_holder_that_is_not_disturbed_can_write(ledger: Ledger, address: str) -> None:
    """The same writes as above are accepted, but the last one, since its operation is finished by then."""
    with ledger.lease(DEPLOYMENT, "deploy") as lease:
        ledger.add(ledgers.entry(), lease)
    with ledgers.contender() as other:
        other.tell(ledgers.hold, address, instance.new_uid())
        assert other.answer() == "held"
        other.tell("write")
        assert other.answer() == ["written"] * 6
    assert len(ledger.instances()) == 2


def test_it_is_renewed(ledger: Ledger) -> None:
    """By itself, as long as it is held, and by `require`."""
    with ledger.lease(DEPLOYMENT, "deploy", seconds=3):
        first = ledgers.lease_row(ledger).runs_out
        until(lambda: ledgers.lease_row(ledger).runs_out > first or None, what="it is renewed", seconds=SECONDS, interval=0.01)
    with ledger.lease(DEPLOYMENT, "deploy", LONG) as lease:
        ledgers.set_lease(ledger, runs_out=0)
        lease.require()
        assert ledgers.lease_row(ledger).runs_out > 0
        assert not take(ledger)


def test_it_is_given_back(ledger: Ledger) -> None:
    """Also when the work fails; it is of no use after."""
    with pytest.raises(ZeroDivisionError), ledger.lease(DEPLOYMENT, "deploy") as lease:
        raise ZeroDivisionError
    assert ledgers.lease_row(ledger) is None
    with pytest.raises(LeaseLost, match="nobody holds it now"):
        lease.require()
    with pytest.raises(LeaseLost):
        ledger.add(ledgers.entry(), lease)
    assert ledger.instances() == []


def test_a_lost_one_is_not_given_back_in_the_name_of_another(ledger: Ledger) -> None:
    """The end of a block leaves the lease of whoever has taken it."""
    with ledger.lease(DEPLOYMENT, "deploy", LONG) as lost:
        ledgers.set_lease(ledger, owner="another", what="rollback")
        with pytest.raises(LeaseLost, match=f"{DEPLOYMENT}.*rollback by"):
            lost.require()
    assert ledgers.lease_row(ledger).owner == "another"


def test_each_deployment_has_its_own(ledger: Ledger) -> None:
    """Two can be changed at once; one's lease does not allow to change the other."""
    with ledger.lease(DEPLOYMENT, "deploy"), ledger.lease("flight-delays/test", "deploy") as other:
        for write in (lambda: ledger.add(ledgers.entry(), other), lambda: ledger.begin(ledgers.operation(), other)):
            with pytest.raises(LedgerError, match="does not allow to change flight-delays/prod"):
                write()
    assert ledger.instances() == []
    assert ledger.operations() == []


def test_who_has_it_is_told(ledger: Ledger) -> None:
    """What is done, by whom, since when, and how long to wait at most."""
    with ledger.lease(DEPLOYMENT, "savepoint"):
        ledgers.set_lease(ledger, person="ann@host", process=os.getpid(), since=ledgers.now().replace(2026, 1, 2, 3, 4, 5))
        with pytest.raises(Occupied) as caught, ledger.lease(DEPLOYMENT, "stop"):
            pass
    assert caught.value.exit_code == 1
    assert caught.value.what == "Another operation on flight-delays/prod is under way."
    assert caught.value.found == f"savepoint by ann@host, process {os.getpid()}, since 2026-01-02 03:04:05 UTC"
    assert caught.value.remedy
    digits = [word for word in caught.value.remedy.split() if word.isdigit()]
    assert [0 < int(seconds) <= 60 for seconds in digits] == [True]


def test_a_process_of_another_machine_is_waited_for(ledger: Ledger) -> None:
    """There, its id may be that of a process that runs: nothing is known until the lease runs out."""
    with ledger.lease(DEPLOYMENT, "deploy", LONG):
        ledgers.set_lease(ledger, machine="elsewhere", started="earlier")
        assert not take(ledger)
        ledgers.set_lease(ledger, runs_out=0)
        assert take(ledger)


def test_a_process_with_the_id_of_an_earlier_one_is_another() -> None:
    """The time of its start tells them apart; not so the time of a clock that was set."""
    me = Holder.me()
    assert not me.is_gone()
    assert replace(me, started="earlier").is_gone()
    assert not replace(me, started="earlier", machine="elsewhere").is_gone()


def test_a_process_that_cannot_be_looked_at_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes of other users may be hidden."""
    me = Holder.me()

    def hidden(process: int) -> psutil.Process:
        raise psutil.NoSuchProcess(process)

    monkeypatch.setattr(psutil, "Process", hidden)
    assert not me.is_gone()


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs with any user id."""

    def nameless() -> str:
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nameless)
    assert holder.person().startswith(f"{os.getuid()}@")
