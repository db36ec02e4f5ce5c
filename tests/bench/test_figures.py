"""The figures of a run are of the time in which it worked: what an idle job does afterwards is none of them."""

from __future__ import annotations

from typing import Any

import pytest
from jobkit.bench.resources import Usage
from jobkit.cluster.rest import Checkpoint
from jobkit.errors import ClusterError

from bench.errors import BenchmarkError
from bench.figures import Course, figures

LAUNCHED = 1_000.0
MIB = 1 << 20


def checkpoint(triggered: float, seconds: float, state_bytes: int = 0) -> Checkpoint:
    """Return one that was completed."""
    return Checkpoint(
        1, "COMPLETED", is_savepoint=False, path=None, bytes=5, state_bytes=state_bytes, triggered=triggered, seconds=seconds, failure=None
    )


def course(**changes: Any) -> Course:
    """Return a run: first output after 10 s, 1,000 records a second for 60 s, and two idle minutes while they are read back."""
    moments = [LAUNCHED + second for second in range(190)]
    usage = Usage(
        times=moments,
        cpu_seconds=[float(min(second, 70)) + max(0, second - 70) / 10 for second in range(190)],
        busy_seconds=[float(second) for second in range(190)],
        memory=[(moment, (100 if moment < LAUNCHED + 71 else 900) * MIB) for moment in moments],
    )
    values: dict[str, Any] = {
        "launched": LAUNCHED,
        "times": [1_010_000 + number for number in range(60_000)],
        "usage": usage,
        "broker": Usage(times=moments, cpu_seconds=[0.0] * 190),
        "measuring": Usage(times=moments, cpu_seconds=[second / 50 for second in range(190)]),
        "checkpoints": [checkpoint(LAUNCHED + 12 + 2 * number, 1.0 if number < 28 else 0.01, number) for number in range(80)],
        "cores": 2,
    }
    return Course(**{**values, **changes})


def test_checkpoints_of_a_job_that_is_done_do_not_count() -> None:
    """They are quick, and many; nor do those count that were taken before it was warm."""
    found = figures(course(), 20)["checkpoints"]
    assert set(found["seconds"]) == {1.0}
    assert (found["count"], found["state_bytes"]) == (19, 27)


def test_processors_and_memory_of_a_job_that_is_done_do_not_count() -> None:
    """One second of processor time for each second in which it worked; what reading back takes is nobody's memory."""
    found = figures(course(), 20)
    assert found["peak_mib"] == 100
    assert found["seconds"] == pytest.approx(70, abs=0.01)
    assert sum(second > found["seconds"] for second, _ in found["memory_mib"]) == 1, "the first look after it, and no other"
    assert found["cpu_seconds_per_million_with_startup"] == pytest.approx(70 / 0.06, rel=0.01)
    assert found["cpu_seconds_per_million"] == pytest.approx(1_000)


def test_what_a_run_writes_while_it_is_being_stopped_does_not_count() -> None:
    """Nobody has looked what it took then: it would seem to cost nothing."""
    stopped = course()
    stopped.usage.times[:] = stopped.usage.times[:50]
    stopped.usage.cpu_seconds[:] = stopped.usage.cpu_seconds[:50]
    found = figures(stopped, 20)
    assert found["records"] == 39_001
    assert found["steady"]["end"] < LAUNCHED + 49
    assert found["cpu_seconds_per_million"] == pytest.approx(1_000)


def test_what_measures_is_measured_too() -> None:
    """As a share of the processors of the run, which it may have to use as well."""
    assert figures(course(), 20)["measuring_share"] == pytest.approx(0.01)


def test_a_fast_run_is_given_half_the_time_to_get_warm() -> None:
    """Where less than five seconds would be left; a slow one is given all of it."""
    fast = figures(course(times=[1_010_000 + number for number in range(22_000)]), 20)
    assert (fast["warm_up_seconds"], fast["is_short"]) == (10, False)
    assert figures(course(), 20)["warm_up_seconds"] == 20


def test_a_figure_of_less_than_five_seconds_is_known_as_such() -> None:
    """One second at full pace is no finding."""
    assert figures(course(times=[1_010_000 + number for number in range(12_000)]), 20)["is_short"]


def test_a_run_of_a_few_large_commits_is_measured_as_a_whole_where_that_is_its_way() -> None:
    """Anything else that has no middle is refused."""
    times = [1_030_000] * 5_000
    found = figures(course(times=times), 20, may_have_no_middle=True)
    assert (found["with_startup"], found["records_per_second"]) == (True, pytest.approx(5_000 / 30))
    with pytest.raises(ClusterError, match="too short"):
        figures(course(times=times), 20)


def test_a_run_without_output_has_no_figures() -> None:
    """Not even noughts."""
    with pytest.raises(BenchmarkError, match="Nothing was written"):
        figures(course(times=[]), 20)
