"""What the table says of each edit is what Flink does and what the lock says; and the lock never calls a loss harmless."""

from __future__ import annotations

import pytest

from .runs import Observation, Runs
from .table import EDITS, Edit

EACH = [pytest.param(edit, id=edit.name) for edit in EDITS]


@pytest.fixture
def edit(request: pytest.FixtureRequest) -> Edit:
    """One of the table."""
    found: Edit = request.param
    return found


@pytest.fixture
def observed(edit: Edit, runs: Runs) -> Observation:
    """What became of it."""
    return runs.of(edit)


def test_there_are_enough_edits() -> None:
    """The table covers what happens to the state of a job in its life, each edit once."""
    assert len(EDITS) >= 60
    assert len({edit.slug for edit in EDITS}) == len(EDITS)
    assert {edit.outcome for edit in EDITS} == {"kept", "lost", "garbage", "refused", "failed"}


@pytest.mark.parametrize("edit", EACH, indirect=True)
def test_flink_does_what_the_table_says(edit: Edit, observed: Observation) -> None:
    """With the states of the branch, after a start from a snapshot."""
    assert observed.outcome in (edit.outcome, edit.or_else), observed.cause
    assert observed.outcome != edit.outcome or edit.cause in observed.cause


@pytest.mark.parametrize("edit", EACH, indirect=True)
def test_the_lock_says_what_the_table_says(edit: Edit, observed: Observation) -> None:
    """The worst of the changes; of an edit that shares its job, those in its branch."""
    assert observed.verdict == edit.verdict, observed.changes


@pytest.mark.parametrize("edit", EACH, indirect=True)
def test_compat_says_what_the_table_says(edit: Edit, observed: Observation) -> None:
    """Of the snapshot that the edited job was started from, with the lock of the job before."""
    assert observed.fate == edit.fate, observed.fates


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_the_lock_is_right(edit: Edit) -> None:
    """Where state does not outlive an edit it is not silent, and where it does not alarmed; nor is `compat`."""
    assert edit.verdict != ("loses-state" if edit.outcome == "kept" else "harmless")
    assert edit.fate not in (("dropped", "incompatible") if edit.outcome == "kept" else ("restored", "rescaled", "new"))
    assert bool(edit.cause) == (edit.outcome != "kept"), "the table says why"
