"""What a change leaves of instances on this machine."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from jobkit.deployment import housekeeping
from jobkit.deployment.change import Change
from jobkit.deployment.instance import RUNNING, STARTING, STOPPED
from jobkit.deployment.ledger import Ledger
from jobkit.deployment.target import folder_of

from . import ledgers


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger that keeps one instance that is over, and folders that nobody else uses."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Ledger.open(str(tmp_path / "ledger.sqlite"), kept=1)
    made.keep_artefact(ledgers.digest(0), ledgers.content(0))
    return made


def add(ledger: Ledger, change: Change, status: str) -> Path:
    """Add an instance with a folder as a start leaves it; return that."""
    instance = ledger.add(ledgers.entry(status=status), change.lease)
    folder = folder_of(instance.uid)
    for name in ("conf", "logs", "project"):
        (folder / name).mkdir(parents=True)
    return folder


def names(folder: Path) -> set[str]:
    """Return what is in a folder."""
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_what_nothing_needs_is_removed(ledger: Ledger, tmp_path: Path) -> None:
    """Logs are kept for as long as the ledger knows the instance; what is about to start keeps all."""
    with ledger.lease(ledgers.DEPLOYMENT, "upgrade") as lease:
        change = Change(ledger, lease, SimpleNamespace(), tmp_path)
        forgotten = add(ledger, change, STOPPED)
        before = ledger.instances(ledgers.DEPLOYMENT)
        stopped, runs, starting = (add(ledger, change, status) for status in (STOPPED, RUNNING, STARTING))
        housekeeping.clear(change, before)
    assert names(forgotten) == set()
    assert names(stopped) == names(runs) == {"logs"}
    assert names(starting) == {"conf", "logs", "project"}
    ledger.close()


def test_what_another_command_works_with_is_left(ledger: Ledger, tmp_path: Path) -> None:
    """Whoever has lost the lease removes nothing."""
    with ledger.lease(ledgers.DEPLOYMENT, "upgrade") as lease:
        change = Change(ledger, lease, SimpleNamespace(), tmp_path)
        runs = add(ledger, change, RUNNING)
        ledgers.set_lease(ledger, owner="another")
        housekeeping.clear(change, ledger.instances(ledgers.DEPLOYMENT))
    assert names(runs) == {"conf", "logs", "project"}
    ledger.close()
