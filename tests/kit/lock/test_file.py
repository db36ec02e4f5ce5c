"""What is written is read; it is the same for the same job, and what is no lock is told so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from jobkit.errors import ConfigurationError
from jobkit.graph import State
from jobkit.lock import Dropped, parse, read, text, write

from .locks import HOURS, KEYED, SOURCE, UNKNOWN, lock

AWKWARD = replace(
    KEYED,
    uid="12",
    name="on: #yes",
    unknown=True,
    max_parallelism=None,
    states=(
        State("both", "broadcast", "Long"),
        State("both", "value", "Long"),
        State("null", "list", "a: [b, {c}]", ttl="1 ms, x"),
        HOURS,
    ),
)
WINDOWS = replace(KEYED, uid="windows", code="c0de", window="TumblingEventTimeWindows, EventTimeTrigger, TimeWindow", key="unknown")
MIGRATED = replace(KEYED, uid="migrated", states=(replace(HOURS, migrates=True),))
QUERY = replace(SOURCE, uid="query", kind="table", plan="91a0")
READ = replace(SOURCE, uid="read", connector="KafkaSource")
FULL = replace(
    lock(KEYED, SOURCE, AWKWARD, WINDOWS, MIGRATED, QUERY, READ), dropped=(Dropped("a/b", "c/d", "why: not"), Dropped("*", None, "“ü”"))
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Also names that mean something in YAML."""
    file = tmp_path / "flink.lock"
    write(FULL, file)
    assert read(file) == FULL
    assert file.read_text(encoding="utf-8") == text(FULL)
    assert text(FULL).endswith("\n")


def test_the_order_of_a_merge_does_not_matter() -> None:
    """Nor is the reason part of it for which states were not found."""
    head, _, rest = text(lock(KEYED, SOURCE)).partition("operators:\n")
    first, _, second = rest.partition("  source:\n")
    assert parse(f"{head}operators:\n  source:\n{second}{first}", "flink.lock") == lock(KEYED, SOURCE)
    assert "OSError" not in text(lock(UNKNOWN))


def test_a_state_without_a_word_about_migrate_has_none() -> None:
    """As that of a function that has none."""
    written = text(lock(MIGRATED))
    assert "        migrates: true\n" in written
    assert parse(written.replace("        migrates: true\n", ""), "flink.lock") == lock(replace(MIGRATED, states=(HOURS,)))


def test_there_may_be_none(tmp_path: Path) -> None:
    """That is no error."""
    assert read(tmp_path / "flink.lock") is None


def test_a_change_is_a_line_or_two() -> None:
    """So that a reviewer sees what has changed, and nothing else."""
    before, after = text(lock()).splitlines(), text(lock(replace(KEYED, max_parallelism=256), SOURCE)).splitlines()
    assert [line for line in after if line not in before] == ["    max-parallelism: 256"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "This is no lock."),
        ("- a", "This is no lock."),
        ("format: 1\nflink: '2.2'", "This is no lock. Found: KeyError: 'operators'"),
        ("format: 0\nbackend: b\nflink: f\noperators: {}", "This is no lock. Found: ValueError: format: 0"),
        (text(FULL).replace("version: 1", "version: '1'"), "This is no lock. Found: ValueError: '1' is no number"),
        ("format: 2\nmore: true", "A newer jobkit wrote the lock. Found: format: 2, of which this one knows 1."),
        ("format: 1\n<<<<<<< HEAD\nflink: 2\n", "The lock is not YAML; was a merge left unfinished?"),
    ],
)
def test_what_is_no_lock_is_told_so(content: str, message: str) -> None:
    """With the file, and what to do."""
    with pytest.raises(ConfigurationError) as caught:
        parse(content, "flink.lock")
    assert str(caught.value).startswith(message)
    assert "flink.lock" in str(caught.value)


def test_a_file_that_cannot_be_read_or_written_is_told_so(tmp_path: Path) -> None:
    """A folder in its place, say."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write(FULL, tmp_path)
