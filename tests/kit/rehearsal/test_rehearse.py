"""`jobkit rehearse` from one end to the other: real snapshots of a real production, which must not notice anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jobkit.project import Project

from tests.kit.cluster.conftest import processes_of
from tests.kit.projects import jobkit

from .conftest import Production, Run, change, digests, remains, start, version

STRANGE_SECURITY = (
    '.set_property("transaction.timeout.ms",',
    (
        '.set_property("security.protocol", "SASL_SSL")\n        .set_property("sasl.mechanism", "PLAIN")\n'
        '        .set_property("transaction.timeout.ms",'
    ),
)
"""Security settings of a cluster that is not the rehearsal's: with them, nothing could be written to that."""
LOUDER = ('yield f"{value} {count}"', 'yield f"{value} {count}!"')
FAILING = (
    "        count = (self._count.value() or 0) + 1\n",
    '        count = (self._count.value() or 0) + 1\n        if count > 1:\n            raise ValueError("a count that I cannot read")\n',
)
RENAMED = ('numbered.uid("number")', 'numbered.uid("numbering")')
TO_FILES = (
    'numbered.sink_to(_sink(settings)).uid("counts")',
    (
        "from pyflink.common.serialization import Encoder\n"
        "    from pyflink.datastream.connectors.file_system import FileSink\n"
        '    numbered.sink_to(FileSink.for_row_format("archive", Encoder.simple_string_encoder()).build()).uid("archive")\n'
        '    numbered.map(print).uid("shout")\n'
        '    numbered.sink_to(_sink(settings)).uid("counts")'
    ),
)
"""A sink and a function that leave something outside of Kafka."""
ALLOWED = ("--allow", "archive", "--allow", "shout")


@dataclass(frozen=True)
class Course:
    """Rehearsals side by side, and production before and after them."""

    runs: Mapping[str, Run]
    production: Production
    before: Any
    offsets: Any

    def untouched(self) -> None:
        """Check that production has noticed nothing."""
        assert digests(self.production.root / "savepoints") | digests(self.production.root / "checkpoints") == self.before
        assert self.production.offsets() == self.offsets


@pytest.fixture(scope="module")
def course(production: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    """All rehearsals that take long, started at the same time."""
    folder = tmp_path_factory.mktemp("rehearsals")
    before = digests(production.root / "savepoints") | digests(production.root / "checkpoints")
    offsets = production.offsets()
    quick = ("--json", "--seconds", "3")
    without_counts = given_up(folder / "given-up")
    runs = {
        "compatible": start(version(folder / "compatible", LOUDER, STRANGE_SECURITY), production, production.savepoint, *quick),
        "given up": start(without_counts, production, production.savepoint, *quick, *ALLOWED, "--topic", "more", "-p", "1"),
        "retained": start(
            version(folder / "a retained one", LOUDER), production, production.checkpoint, *quick, "--production-input", "-p", "1"
        ),
        "failing": start(version(folder / "failing", FAILING), production, production.savepoint, "-p", "1"),
        "interrupted": start(version(folder / "interrupted"), production, production.savepoint),
    }
    runs["interrupted"].notes(wait_for="broker ready")
    runs["interrupted"].interrupt()
    yield Course(runs, production, before, offsets)
    for run in runs.values():
        run.kill()
        assert processes_of(run.project.root) == []


def given_up(folder: Path) -> Project:
    """Make a version that gives an operator's state up, and whose lock says so."""
    project = version(folder)
    for options in ((), ("--drop", "number", "--reason", "counted anew")):
        done = jobkit(project.root, "lock", "--env", "local", *options, PRODUCTION_KAFKA="nowhere:9092")
        assert done.returncode == 0, done.stderr
        if not options:
            change(project, RENAMED, TO_FILES)
    return project


def states(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the states of a document by name."""
    return {state["name"]: state for operator in document["operators"] for state in operator["states"]}


def test_a_compatible_version_has_all_its_state(course: Course) -> None:
    """As many keys as there are words, counted apart; what it wrote is in its own broker; production is as it was."""
    code, document = course.runs["compatible"].document()
    assert (code, document["state"], document.get("losses")) == (0, "as expected", []), document
    count = states(document)["count"]
    assert (count["keys"], count["restored_keys"]) == (len(course.production.counts),) * 2
    assert count["bytes"] == count["restored_bytes"] > 0
    assert states(document)["SourceReaderState"]["restored_keys"] == 2
    assert document["read"] == {"words": 1000}
    assert document["written"] == {"counts": 1000}
    assert document["copied"]["shared"] == 0
    assert [note for note in document["notes"] if "uncommitted" in note]
    for taken in ("first_checkpoint", "second_checkpoint"):
        assert document[taken]["bytes"] > 0
    course.untouched()


def test_a_retained_checkpoint_is_copied_with_what_it_shares(course: Course) -> None:
    """Its files in shared/ as well; its keys are counted after the restore. It reads on in production, and commits nothing there."""
    code, document = course.runs["retained"].document()
    assert (code, document["state"]) == (0, "as expected")
    assert document["copied"]["shared"] > 0
    count = states(document)["count"]
    assert (count["keys"], count["restored_keys"]) == (None, len(course.production.counts))
    assert document["read"] == {"words": 100}
    assert document["written"] == {"counts": 100}
    assert [note for note in document["notes"] if course.production.broker.servers in note]
    course.untouched()


def test_state_that_was_given_up_is_left_behind(course: Course) -> None:
    """Flink is told so; a sink and a function that were allowed have run for real, and a topic that was asked for is there."""
    run = course.runs["given up"]
    code, document = run.document()
    assert (code, document["state"]) == (0, "as expected"), document["losses"]
    assert document["allows_non_restored"] is True
    assert document["written"] == {"counts": 1000, "more": 0}
    assert list((run.project.root / "archive").rglob("*part-*"))
    course.untouched()


def test_an_incompatible_version_is_started_when_asked_for(production: Production, tmp_path: Path) -> None:
    """It shows what Flink does then."""
    run = start(version(tmp_path / "anyway", RENAMED), production, production.savepoint, "--anyway", "-p", "1")
    assert run.finish()[0] == 1
    assert "Cannot map checkpoint/savepoint state for operator" in run.notes()
    assert remains(run.project) == {"conf", "logs"}


def test_a_version_that_cannot_read_its_state_fails(course: Course) -> None:
    """Exit code 1, the root cause and the user's line; nothing of production's stays on the disk."""
    run = course.runs["failing"]
    assert run.finish()[0] == 1
    assert "ValueError: a count that I cannot read" in run.notes()
    assert f'File "{run.project.root}/src/tally/pipeline.py"' in run.notes()
    assert remains(run.project) == {"conf", "logs"}
    course.untouched()


def test_an_interrupted_rehearsal_leaves_nothing(course: Course) -> None:
    """No process, no copy."""
    run = course.runs["interrupted"]
    assert run.finish()[0] == 130
    assert processes_of(run.project.root) == []
    assert remains(run.project) == {"conf", "logs"}
    course.untouched()


def test_an_incompatible_version_is_not_started(production: Production, tmp_path: Path) -> None:
    """The check's table, exit code 1, and not even a folder."""
    run = start(version(tmp_path / "renamed", RENAMED), production, production.savepoint)
    assert run.finish() == (1, "")
    assert "dropped" in run.notes()
    assert "--anyway" in run.notes()
    assert remains(run.project) == set()


def test_what_cannot_be_redirected_is_refused_by_name(production: Production, tmp_path: Path) -> None:
    """A sink of another kind, and a function whose output nobody reads; exit code 2 before anything starts."""
    run = start(version(tmp_path / "files", TO_FILES), production, production.savepoint)
    assert run.finish() == (2, "")
    assert "“archive” (FileSink)" in run.notes()
    assert "--allow archive --allow shout" in run.notes()
    assert remains(run.project) == set()
