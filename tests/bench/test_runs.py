"""A run on a real broker: the right output gives figures, a wrong one none, and nothing is left of either."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from jobkit.bench.resources import processors
from jobkit.cluster.processes import Process
from jobkit.cluster.sample import Record
from jobkit.cluster.topics import Topics

from bench import feeding, flights, latency
from bench.contenders.contender import Contract, Task
from bench.contenders.peer import RunningPeer
from bench.latency import Pace
from bench.place import Place
from bench.runs import PARTITIONS, Input, Surroundings, execute
from bench.tail import Tail
from bench.verify import Expected

COUNT = 5_000
_SECONDS_TO_REMOVE = 30.0


@dataclass(frozen=True)
class Counting:
    """The program beside this file, as a contender."""

    flaw: str = ""
    contract: Contract = Contract.EACH
    name: str = "counting"
    guarantee: str = "none"
    workers: str = "one process"

    def prepare(self) -> Mapping[str, str]:
        """There is nothing to fetch."""
        return {}

    def start(self, task: Task) -> RunningPeer:
        """Start it."""
        log = task.folder / "logs" / "counting.log"
        command = [sys.executable, str(Path(__file__).with_name("counting.py"))]
        return RunningPeer([Process("counting", command, log=log, environment={**os.environ, **task.variables, "FLAW": self.flaw})])


def nothing(_what: str, _done: int, _total: int) -> None:
    """Take no notice of progress."""


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    """A broker for all runs."""
    folder = tmp_path_factory.mktemp("bench")
    broker = Place(folder).broker(folder)
    try:
        servers = broker.wait()
        assert broker.process.pid is not None
        yield Surroundings(servers, broker.process.pid, processors()[:2], folder / "run", 60, nothing, warm_up=0)
    finally:
        broker.stop()


def flight(number: int) -> dict[str, object]:
    """Return a made-up flight."""
    return {"date": "2001/01/01 00:05", "delay": number % 37 - 9, "distance": 1, "origin": "DTW", "destination": "LAS"}


@pytest.fixture(scope="module")
def source(around: Surroundings) -> Input:
    """An input of 5,000 records, five of them malformed."""
    bodies = ({**flight(number), "key": f"K{number * 7 % 50}"} for number in range(COUNT))
    values = [
        flights.spoil(body, number) if (number + 1) % flights.MALFORMED_EVERY == 0 else flights.encode(body)
        for number, body in enumerate(bodies)
    ]
    with closing(Topics(around.servers)) as client:
        client.create(["input"], PARTITIONS)
    records = (Record(b"%d" % (number * 7 % 50), value) for number, value in enumerate(values))
    feeding.feed(Place(around.folder.parent), around.servers, "input", records, lambda _: None)
    with Tail(around.servers, "input") as tail:
        tail.read()
    assert sorted(tail.values()) == sorted(values)
    return Input("input", 50, Expected(part.values for part in tail.partitions.values()))


def left(around: Surroundings) -> tuple[list[str], list[str], list[int]]:
    """Return the topics, files and processes that a run should have removed."""
    deadline = time.monotonic() + _SECONDS_TO_REMOVE
    with closing(Topics(around.servers)) as client:
        while (topics := [name for name in client.names() if "counting" in name]) and time.monotonic() < deadline:
            time.sleep(0.2)  # the broker says that a topic is removed a moment before it no longer lists it
    files = [str(file) for file in around.folder.rglob("*") if file.is_file() and "logs" not in file.parts]
    programs = [process.pid for process in psutil.Process().children(recursive=True) if "counting.py" in " ".join(_command(process))]
    return topics, files, programs


def test_the_right_output_gives_figures(around: Surroundings, source: Input) -> None:
    """All of them plausible; the run leaves nothing behind."""
    begin = time.time()
    result = execute(Counting(), source, 1, around)
    spent = time.time() - begin
    assert (result.detail, result.complete) == ("", True)
    figures = result.figures
    assert figures["records"] == COUNT - 5
    assert 100 < figures["records_per_second"] < COUNT / 0.5
    assert 0 < figures["startup_seconds"] < figures["seconds"] < spent
    assert 0 < figures["cpu_seconds_per_million_with_startup"] * COUNT / 1e6 < 2 * spent
    assert 10 < figures["peak_mib"] < 500
    assert left(around) == ([], [], [])
    assert not list(around.folder.rglob("*.log"))


@pytest.mark.parametrize(
    ("flaw", "message"), [("mean", "A mean is wrong"), ("twice", "there twice"), ("stop", "out of order")], ids=["mean", "twice", "stop"]
)
def test_a_wrong_output_gives_none(around: Surroundings, source: Input, flaw: str, message: str) -> None:
    """One record of five thousand is enough; a program that ends is reported with what it said."""
    result = execute(Counting(flaw), source, 1, around)
    assert message in result.detail
    assert result.figures == {}
    assert left(around) == ([], [], [])


def test_a_run_that_takes_too_long_is_measured_as_far_as_it_got(around: Surroundings, source: Input) -> None:
    """What it had written is checked all the same."""
    result = execute(Counting("slow"), source, 1, replace(around, seconds=8))
    assert (result.detail, result.complete) == ("", False)
    assert 2_900 < result.figures["records"] <= 3_001
    assert left(around) == ([], [], [])


def test_updates_are_read_when_they_are_all_there(around: Surroundings, source: Input) -> None:
    """Reading along would take processors from what is measured; their number is not known beforehand."""
    reads: list[int] = []
    looks: list[int] = []
    read = Tail.read

    def noted(tail: Tail) -> None:
        reads.append(len(looks))
        read(tail)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tail, "read", noted)
        seen = replace(around, progress=lambda _what, done, _total: looks.append(done))
        result = execute(Counting(contract=Contract.FINAL), source, 1, seen)
    assert (result.detail, result.complete) == ("", True)
    assert result.figures["records"] == COUNT - 5
    assert all(looks[place - 1] == max(looks) for place in reads)
    looks_after_it = [second for second, _ in result.figures["memory_mib"] if second > result.figures["seconds"] + 0.05]  # they are rounded
    assert len(looks_after_it) <= 1
    assert result.figures["memory_mib"][-1][0] > result.figures["seconds"] - 0.05


def test_latency_of_one_that_does_not_keep_up_is_none(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records that it never wrote would be missing from the percentiles; it is told as such, and fails nothing."""
    monkeypatch.setattr(flights, "flights", lambda _file, count: (flight(number) for number in range(count)))
    monkeypatch.setattr(latency, "_SECONDS_TO_WAIT", 1.0)
    result = latency.execute(Counting("slow"), Pace(Path(), 229, 1_000.0, 1.0, 4.0), 1, around)
    assert (result.detail, result.complete) == ("", False)
    assert result.figures == {"rate": 1_000.0, "keeps_up": False}


def test_latency_is_that_of_each_record(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between nothing and a few seconds, even on a busy machine; it is visible no sooner than it is written."""
    monkeypatch.setattr(flights, "flights", lambda _file, count: (flight(number) for number in range(count)))
    result = latency.execute(Counting(), Pace(Path(), 229, 500.0, 1.0, 3.0), 1, around)
    assert (result.detail, result.complete) == ("", True)
    figures = result.figures
    assert figures["records"] == pytest.approx(1_500, abs=60)
    assert 0 <= figures["written_ms"]["p50"] <= figures["written_ms"]["p99"] <= figures["written_ms"]["max"] < 10_000
    assert figures["visible_ms"]["p50"] >= figures["written_ms"]["p50"]
    assert left(around) == ([], [], [])


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
