"""`kill -9` just before and just after everything that a command writes down or orders: running it again ends in order.

On a simulated cluster (see `simulation`); `test_interrupted` does the same with a real one, at some of the moments.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from . import ledgers
from .simulation import BROKEN, Simulation


@dataclass(frozen=True)
class Scenario:
    """A command that is killed.

    Attributes:
        before: The versions that are deployed, one after the other.
        code: What the folder has when the command runs.
        command: The command.
        codes: With what it ends when it is run again.
        runs: The version that runs at last, if any.
        fault: What is wrong with the cluster; see `FakeCluster`.
    """

    before: tuple[str, ...]
    code: str
    command: tuple[str, ...]
    codes: tuple[int, ...]
    runs: str | None
    fault: str | None = None


SCENARIOS = {
    "upgrade": Scenario(("one",), "two", ("upgrade",), (0,), "two"),
    "upgrade that fails": Scenario(("one",), BROKEN, ("upgrade", "--within", "60"), (1,), "one"),
    "upgrade whose savepoint fails": Scenario(("one",), "two", ("upgrade",), (1,), "one", "takes_no_savepoint"),
    "rollback": Scenario(("one", "two"), "two", ("rollback",), (0,), "one"),
    "deploy": Scenario((), "one", ("deploy", "--without-state"), (0, 2), "one"),  # 2: it runs already
    "stop": Scenario(("one",), "one", ("stop",), (0, 2), None),  # 2: nothing runs any more
}


def prepared(scenario: Scenario, folder: Path, address: str | None = None) -> Simulation:
    """Return what a command of a scenario finds."""
    simulation = Simulation.of(folder, address)
    for number, code in enumerate(scenario.before):
        simulation.version(code)
        simulation.ok(*(("upgrade",) if number else ("deploy", "--without-state")))
    simulation.version(scenario.code)
    if scenario.fault is not None:
        with simulation.cluster.changed() as known:
            known[scenario.fault] = True
    return simulation


def is_done(simulation: Simulation, scenario: Scenario) -> bool:
    """Say whether a command that was killed had done all; a second rollback would go back once more."""
    return simulation.unfinished is None and [job["code"] for job in simulation.cluster.running.values()] == [scenario.runs]


def kill(simulation: Simulation, scenario: Scenario, moment: int) -> bool:
    """Kill a command at a moment, and run it again; return whether it came to that moment."""
    code = simulation.run(*scenario.command, moment=moment)
    if code != -signal.SIGKILL:
        assert code in scenario.codes
        return False
    if moment % 3 == 0 and not is_done(simulation, scenario):
        simulation.run(*scenario.command, moment=moment // 2 + 1)
    if scenario.command != ("rollback",) or not is_done(simulation, scenario):
        assert simulation.run(*scenario.command) in scenario.codes, f"moment {moment}: {simulation.said}"
    simulation.require_order(scenario.runs)
    return True


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_kill_at_every_moment_leaves_nothing_in_between(name: str, tmp_path: Path) -> None:
    """Until the command comes to its end before that; of three that go on, one is killed, too, half as far on, before it is let."""
    scenario = SCENARIOS[name]
    first = prepared(scenario, tmp_path / "prepared")
    moments = next(moment for moment in count(1) if not kill(first.copy(tmp_path / str(moment)), scenario, moment))
    assert moments > 10, "it came to some"


def test_an_upgrade_whose_ledger_is_a_server_is_killed_and_finished(postgresql: ledgers.Server, tmp_path: Path) -> None:
    """On a real PostgreSQL, which is left with an open connection, and maybe an open transaction."""
    simulation = prepared(SCENARIOS["deploy"], tmp_path / "prepared", postgresql.new_database())
    simulation.ok("deploy", "--without-state")
    for moment in (5, 10, 14, 19, 25, 30):
        simulation.version(f"version {moment}")
        assert simulation.run("upgrade", moment=moment) == -signal.SIGKILL
        simulation.ok("upgrade")
        simulation.require_order(f"version {moment}")
