"""What is measured of a run: from when it is warm to when its input runs out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import pytest
from jobkit.bench import report
from jobkit.bench.job import Course, Figures, Vertex
from jobkit.bench.measure import Checkpoints
from jobkit.cluster import sample as samples
from jobkit.cluster.sample import Record
from jobkit.errors import ClusterError
from rich.console import Console

FIGURES = Figures(
    records=5_000,
    complete=True,
    repeated=False,
    measured_seconds=12.4,
    records_per_second=41_234.5,
    cpu_seconds_per_million=31.25,
    peak_mib=2_345.6,
    parallelism=2,
    task_managers=2,
    checkpoints=Checkpoints(2, (0.1, 0.5), (1_000_000, 3_000_000), 7_000_000),
    vertices=[Vertex("Source: words -> read", 0.25, 0.5), Vertex("count [fast]", 0.97, 0.0)],
    by_second=[1.0, 2.0],
)


def course(*points: tuple[float, int]) -> Course:
    """Return a course of moments and counts."""
    made = Course()
    for moment, count in points:
        made.add(moment, count)
    return made


RUN = course((100.0, 0), (101.0, 0), (102.0, 100), (104.0, 300), (110.0, 900), (112.0, 980), (113.0, 1000))


def test_it_is_measured_from_when_it_is_warm_to_the_last_twentieth() -> None:
    """The time to get warm begins with the first record, not with the submission."""
    assert RUN.steady(3.0, 1000) == (105.0, 112.0)
    assert RUN.at(105.0) == 400
    assert RUN.at(112.0) == 980


def test_a_run_that_was_stopped_is_measured_to_its_end() -> None:
    """As far as it got."""
    assert RUN.steady(0.0, 10_000) == (102.0, 113.0)


@pytest.mark.parametrize("warm_up", [7.5, 60.0])
def test_a_run_that_is_over_before_it_is_warm_has_no_figures(warm_up: float) -> None:
    """The message says what to ask for."""
    with pytest.raises(ClusterError, match=r"too short.*10 s from the first record.*--records"):
        RUN.steady(warm_up, 1000)


def test_a_job_that_reads_nothing_has_no_figures() -> None:
    """Its group may be another one."""
    with pytest.raises(ClusterError, match=r"read nothing.*group"):
        course((1.0, 0), (2.0, 0)).steady(0.0, 1000)


def test_a_job_that_stops_reading_has_no_figures() -> None:
    """Nothing a second would be a figure; it is a failure."""
    with pytest.raises(ClusterError, match=r"read nothing once it was warm\. Found: 500 records in all\. It is held up"):
        course((1.0, 0), (2.0, 500), (60.0, 500)).steady(10.0, 1000)


def test_the_course_begins_with_the_first_record() -> None:
    """A second each; between two looks records are spread evenly."""
    assert RUN.by_second() == [100, 100, 100, 100, 100, 100, 100, 100, 100, 40, 40, 20]


class Words:
    """A sample that cannot go on."""

    def records(self) -> Iterator[Record]:
        """Yield two records."""
        yield Record(b"a", b"1")
        yield Record(b"b", b"2")


class MoreWords(Words):
    """One that can."""

    def endless(self) -> Iterator[Record]:
        """Yield other records each time."""
        for number in range(10**9):
            yield Record(None, str(number).encode())


def test_a_sample_that_can_go_on_does() -> None:
    """And says how."""
    records, is_own = samples.endless(MoreWords())  # type: ignore[arg-type]
    assert ([record.value for record in islice(records, 3)], is_own) == ([b"0", b"1", b"2"], True)


def test_another_sample_is_repeated() -> None:
    """Which is told."""
    records, is_own = samples.endless(Words())  # type: ignore[arg-type]
    assert ([record.value for record in islice(records, 5)], is_own) == ([b"1", b"2", b"1", b"2", b"1"], False)


def shown(figures: Figures) -> str:
    """Return what the terminal shows."""
    console = Console(file=io.StringIO(), width=120)
    console.print(report.table(figures))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_all_figures() -> None:
    """And each task, by its name as it is."""
    text = shown(FIGURES)
    for part in ("41,234", "31.2", "2,346 MiB", "0.30 s, 0.50 s the longest; 2.0 MB each, 7.0 MB of state", "count [fast]", "97%", "50%"):
        assert part in text, part
    assert "none" in shown(replace(FIGURES, checkpoints=Checkpoints(0, (), (), 0)))


def test_the_notes_tell_what_holds_the_job_up() -> None:
    """And what else one should know; nothing that is not so."""
    (only,) = report.notes(FIGURES)
    assert "count [fast]" in only
    assert any("5,000 records" in note for note in report.notes(replace(FIGURES, complete=False)))
    assert any("endless()" in note for note in report.notes(replace(FIGURES, repeated=True)))
