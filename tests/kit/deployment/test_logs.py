"""Which lines of a cluster's logs are an instance's; the JobManager is a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from jobkit.deployment.logs import PATTERN, Line, Reading

from . import ledgers
from .job_manager import job_manager

UID, OTHER = "a" * 32, "b" * 32
BEGUN = datetime(2026, 5, 1, 12, 0, tzinfo=timezone.utc)
STAMP = "2026-05-01T14:00:{:02}.000+02:00 INFO "
MANAGER = {"id": "tm-1", "slotsNumber": 1}


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the JobManager answers."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    answers: dict[str, Any] = {"/taskmanagers": {"taskmanagers": [MANAGER]}, "/jobmanager/logs": {"logs": []}}
    with job_manager(answers) as url:
        answers["url"] = url
        yield answers


def serve(answers: dict[str, Any], lines: list[str], process: str = "taskmanagers/tm-1", name: str = "tm.log") -> None:
    """Let a process have one log file."""
    answers[f"/{process}/logs"] = {"logs": [{"name": name, "size": 1}]}
    answers[f"/{process}/logs/{name}"] = "".join(f"{line}\n" for line in lines).encode()


def read(answers: dict[str, Any], *, unnamed: bool = False) -> tuple[list[Line], list[str]]:
    """Return the lines of the instance, and the notes."""
    what = replace(ledgers.specification(), url=answers["url"])
    instance = replace(ledgers.entry(), uid=UID, specification=what, created=BEGUN, ended=BEGUN + timedelta(minutes=1))
    reading = Reading(instance, unnamed=unnamed)
    return list(reading.lines()), reading.notes


def test_lines_are_utf_8_and_end_with_line_feeds(answers: dict[str, Any]) -> None:
    """Flink does not say so; a next-line character, as in a traceback's text, ends no line. What is no UTF-8 is replaced."""
    lines = [f"{STAMP.format(1)}[{UID}] x - naïve \x85 …", "Caused by: é", f"{STAMP.format(2)}[{OTHER}] x - theirs", "Caused by: theirs"]
    serve(answers, lines)
    answers["/taskmanagers/tm-1/logs/tm.log"] += f"{STAMP.format(3)}[{UID}] ".encode() + b"\xff\r\n"
    found, notes = read(answers)
    assert [line.text for line in found] == [*lines[:2], f"{STAMP.format(3)}[{UID}] �"]
    assert {line.file for line in found} == {"tm-1/tm.log"}
    assert notes == []


def test_a_process_that_does_not_answer_is_named(answers: dict[str, Any]) -> None:
    """The lines of the others come all the same."""
    answers["/taskmanagers"]["taskmanagers"] = [{"id": "tm-0", "slotsNumber": 1}, MANAGER]
    answers["/taskmanagers/tm-0/logs"] = 500
    serve(answers, [f"{STAMP.format(1)}[{UID}] x - there"])
    found, notes = read(answers)
    assert len(found) == 1
    assert [note.partition(":")[0] for note in notes] == ["tm-0 could not be read"]


def test_a_pattern_without_the_job_is_said(answers: dict[str, Any]) -> None:
    """Such a cluster's lines have the uid in a few messages only."""
    serve(answers, [f"{STAMP.format(1)}x - Receive slot request for job {UID}", f"{STAMP.format(2)}x - its own"])
    found, notes = read(answers)
    assert [line.text for line in found] == [f"{STAMP.format(1)}x - Receive slot request for job {UID}"]
    assert len(notes) == 1
    assert PATTERN in notes[0]


def test_lines_of_no_job_come_when_they_are_wanted(answers: dict[str, Any]) -> None:
    """Of TaskManagers, with what follows them, and from while the instance ran."""
    before, later = "2026-05-01T13:59:59.000+02:00 WARN  f - early", "2026-05-01T14:02:00.000+02:00 WARN  f - late"
    mine = [
        f"{STAMP.format(1)}[{UID}] x - its own",
        f"{STAMP.format(2)}f - from Python",
        "Traceback",
        f"{STAMP.format(3)}f - {OTHER} in a text",
    ]
    serve(answers, [before, *mine, f"{STAMP.format(4)}[{OTHER}] x - theirs", "Traceback of theirs", later, "Traceback of the late one"])
    assert [line.text for line in read(answers)[0]] == mine[:1]
    found, notes = read(answers, unnamed=True)
    assert [line.text for line in found] == mine
    assert notes == []


def test_lines_of_python_are_found(answers: dict[str, Any]) -> None:
    """In process mode by the folder that the code was shipped as; what thread mode prints is in a file without times."""
    mine = [
        f"{STAMP.format(1)}/data/python-dist-1/python-files/job-{UID[:12]}/job-{UID[:12]}/tiny/functions.py:25 - a word",
        "Traceback",
        "KeyError",
    ]
    printed = f"{STAMP.format(2)}/site-packages/pyflink/fn_execution/beam/beam_sdk_worker_main.py:67 - printed"
    serve(answers, [*mine, printed])
    files = answers["/taskmanagers/tm-1/logs"]["logs"]
    files.append({"name": "tm.out", "size": 1})
    answers["/taskmanagers/tm-1/logs/tm.out"] = b"printed in thread mode\n"
    assert [line.text for line in read(answers)[0]] == mine
    assert [line.text for line in read(answers, unnamed=True)[0]] == [*mine, printed, "printed in thread mode"]
