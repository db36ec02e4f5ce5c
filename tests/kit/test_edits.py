"""An edit elsewhere in a job leaves every state where Flink finds it, and changes no more uids than it must."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from jobkit import graph, states
from jobkit.origins import Origins
from pyflink.datastream import StreamExecutionEnvironment

from . import edits

pytestmark = pytest.mark.usefixtures("jvm")

_JOB = (Path(__file__).parent / "edited_job.py").read_text(encoding="utf-8")


def read(folder: Path, changes: tuple[tuple[str, str], ...], patch: pytest.MonkeyPatch) -> graph.JobGraph:
    """Write the job with an edit into a folder, build it from there, and read its graph."""
    text = _JOB
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    module = f"edited_{abs(hash(folder))}"
    (folder / f"{module}.py").write_text(text, encoding="utf-8")
    patch.syspath_prepend(str(folder))
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_max_parallelism(128)
    with Origins() as origins:
        importlib.import_module(module).build(env)
    return graph.read(env, origins)


def ids(job: graph.JobGraph) -> dict[str | None, str | None]:
    """Return Flink's operator ids by uid."""
    found = {operator.uid: operator.id for operator in job.operators}
    assert len(found) == len(job.operators)
    return found


def test_there_are_enough_edits() -> None:
    """The table covers what happens to a job in its life."""
    assert len(edits.EDITS) >= 20


def test_operator_ids_are_the_hash_of_the_uid_and_of_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Flink computes from the whole graph must be what another program computes from the uids alone."""
    assert ids(read(tmp_path, (), monkeypatch)) == edits.IDS


def test_the_operators_with_state_are_those_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Python operator holds state that the table does not watch."""
    job = read(tmp_path, (), monkeypatch)
    states.discover(job)
    assert not [operator.uid for operator in job.operators if operator.states_unknown]
    found = {operator.uid for operator in job.operators if operator.states}
    assert found == {uid for uid in edits.STATEFUL if "/" not in uid} - {"source", "rules"}


@pytest.mark.parametrize("edit", [pytest.param(edit, id=edit.name) for edit in edits.EDITS])
def test_an_edit_changes_what_it_must_and_nothing_else(edit: edits.Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Operators that the edit does not concern keep uid and operator id; those with state always do."""
    found = ids(read(tmp_path, edit.changes, monkeypatch))
    assert set(found) - set(edits.IDS) == edit.appear
    assert set(edits.IDS) - set(found) == edit.vanish
    assert {uid: found[uid] for uid in edits.IDS if uid in found} == {uid: edits.IDS[uid] for uid in edits.IDS if uid in found}


def test_a_uid_that_is_edited_is_another_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table can fail: this is the edit that does lose state."""
    found = ids(read(tmp_path, (('.uid("count")', '.uid("counter")'),), monkeypatch))
    assert edits.STATEFUL - set(found) == {"count"}
    assert edits.IDS["count"] not in found.values()


def test_operators_of_one_query_that_compute_the_same_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what they read from, not by their place among the queries."""
    first, last = (ids(read(folder, changes, monkeypatch)) for folder, changes in zip(folders(tmp_path, 2), edits.TWINS, strict=True))
    assert first == last
    assert sum((uid or "").startswith("joined/calc~") for uid in first) == 2
    assert {uid: first.get(uid) for uid in edits.IDS} == edits.IDS


def folders(parent: Path, count: int) -> list[Path]:
    """Make so many folders."""
    made = [parent / str(number) for number in range(count)]
    for folder in made:
        folder.mkdir()
    return made
