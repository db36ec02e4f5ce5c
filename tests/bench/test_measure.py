"""The figures are what their names say."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jobkit.bench import measure
from jobkit.bench.resources import Sampler, Usage, pinned, processors
from jobkit.errors import ClusterError

BURN = "import time\nend = time.process_time() + 0.8\nwhile time.process_time() < end: pass\nprint('burnt', flush=True)\ninput()"
HOARD = "hoard = bytearray(b'x' * 200_000_000)\nprint('there', flush=True)\ninput()"


def test_full_pace_leaves_out_both_ends() -> None:
    """A slow start and a straggler do not count: in between it is one record in two milliseconds."""
    times = [0, *(100_000 + 2 * number for number in range(1_000)), 900_000]
    assert measure.steady(times, warm_up=90).rate == pytest.approx(500)


def test_full_pace_begins_when_the_time_to_get_warm_is_over() -> None:
    """Ten times as slow before."""
    times = [*range(0, 10_000, 10), *range(10_000, 20_000)]
    assert measure.steady(times, warm_up=10).rate == pytest.approx(1_000)
    assert measure.steady(times, warm_up=0).rate < 700


def test_a_run_without_a_middle_is_refused() -> None:
    """All at once is no pace."""
    with pytest.raises(ClusterError, match="too short"):
        measure.steady([5, 5, 5, 5], warm_up=0)


def test_a_run_that_is_over_before_it_is_warm_is_refused() -> None:
    """It would be measured at its end, where the input runs out."""
    with pytest.raises(ClusterError, match=r"too short.*10 s to get warm"):
        measure.steady(range(0, 10_000, 10), warm_up=10)


def test_nothing_written_is_refused() -> None:
    """There is nothing to measure."""
    with pytest.raises(ClusterError, match="too short"):
        measure.steady([], warm_up=0)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (0.995, 100), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: int) -> None:
    """The smallest that enough of them do not exceed."""
    assert measure.percentile(range(1, 101), share) == value


def test_processor_time_is_interpolated_between_samples() -> None:
    """A run seldom begins with a sample."""
    usage = Usage(times=[10.0, 12.0, 16.0], cpu_seconds=[0.0, 1.0, 5.0])
    assert usage.between(11.0, 14.0) == pytest.approx(2.5)
    assert usage.between(0.0, 100.0) == pytest.approx(5.0)


def test_processor_time_of_a_process_that_has_ended_stays() -> None:
    """It was used all the same."""
    with subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        sampler = Sampler(lambda: [child.pid])
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(1.2)
        child.communicate(b"\n")
        usage = sampler.stop()
    assert 0.5 < usage.total < 2.0


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin processes")
def test_what_keeps_a_processor_busy_is_seen() -> None:
    """Even when it is none of the processes that are looked at."""
    core = processors()[-1:]
    sampler = Sampler(list, core)
    with pinned(core):
        subprocess.run([sys.executable, "-c", BURN.removesuffix("input()")], check=True, capture_output=True)
    usage = sampler.stop()
    assert usage.total == 0
    assert usage.busy_between(usage.times[0], usage.times[-1]) >= 0.7


def test_memory_of_children_counts() -> None:
    """The most at one time, of the process and of what it has started."""
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOARD!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        usage = Sampler(lambda: [child.pid]).stop()
        child.communicate(b"\n")
    assert 200_000_000 < usage.peak_bytes < 400_000_000


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin processes")
def test_a_pinned_process_has_its_cores_and_this_one_keeps_its_own(tmp_path: Path) -> None:
    """Those that start later are free again."""
    before = processors()
    ask = [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"]
    with pinned(before[:1]):
        inside = subprocess.run(ask, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert inside.strip() == str(before[:1])
    assert processors() == before
