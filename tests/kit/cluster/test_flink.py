"""A cluster runs jobs, and says legibly why one does not run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psutil
import pytest
from jobkit.cluster.broker import Broker
from jobkit.cluster.flink import FlinkCluster
from jobkit.cluster.sample import Record
from jobkit.cluster.submission import JobRefused
from jobkit.cluster.topics import Topics
from jobkit.cluster.waiting import until
from jobkit.cluster.watch import Watch
from jobkit.errors import JobFailed
from jobkit.project import Project

SECONDS = 600


class Submit:
    """Submits the small project's job to the session's cluster, and cancels it in the end."""

    def __init__(self, cluster: FlinkCluster, broker: Broker) -> None:
        """Take what is there."""
        self._cluster, self._servers = cluster, broker.wait()
        self._watches: list[Watch] = []

    def __call__(self, *options: str, flaw: str = "") -> Watch:
        """Submit."""
        variables = {"KAFKA_BOOTSTRAP_SERVERS": self._servers, "TALLY_FLAW": flaw}
        client = self._cluster.submit([*options, "-p", "2", "-pym", "tally"], variables)
        watch = Watch(self._cluster, client, [])
        self._watches.append(watch)
        return watch

    def cancel_all(self) -> None:
        """Cancel the jobs that still run, for the next one to have the slots."""
        rest = self._cluster.rest
        for watch in self._watches:
            if watch.job and rest.state(watch.job) == "RUNNING":
                rest.cancel(watch.job)


@pytest.fixture
def submit(cluster: FlinkCluster, broker: Broker, topics: Topics) -> Iterator[Submit]:
    """A function that submits the job."""
    assert topics.ends("words")
    submit = Submit(cluster, broker)
    yield submit
    submit.cancel_all()


def failure_of(watch: Watch) -> JobFailed | JobRefused:
    """Watch a job until it fails."""
    with pytest.raises((JobFailed, JobRefused)) as caught:
        until(lambda: watch.check(), what="it fails", seconds=SECONDS)  # noqa: PLW0108  (None, as a value)
    failure = caught.value
    assert isinstance(failure, JobFailed | JobRefused)
    return failure


def feed(topics: Topics, *words: str) -> None:
    """Put words behind those that are there."""
    before = [Record(b"", b"")] * topics.ends("words")[0]
    topics.feed("words", itertools.chain(before, (Record(b"", word.encode()) for word in words)), 1, lambda _: None)


def test_the_cluster_has_its_task_managers_and_own_ports(cluster: FlinkCluster) -> None:
    """Each has one slot; the configuration on disk names the ports that they got, so that Flink's own tools work with it."""
    overview = cluster.rest.overview()
    assert (overview["taskmanagers"], overview["slots-total"]) == (2, 2)
    effective = cluster.rest.job_manager_configuration()
    assert effective["state.backend.type"] == "rocksdb"
    assert int(effective["jobmanager.rpc.port"]) > 0
    assert cluster.rest.url.endswith(effective["rest.port"]) or effective["rest.port"] == "0"


def test_each_process_has_a_log_of_its_own(cluster: FlinkCluster) -> None:
    """Two TaskManagers do not write into one file."""
    names = sorted(path.name.split("-standalone")[0].split("-taskexecutor")[0] for path in cluster.logs.glob("flink-*er*-*.log"))
    assert [name for name in names if "client" not in name] == ["flink-jobmanager", "flink-taskmanager-1", "flink-taskmanager-2"]


def test_temporary_files_are_in_the_projects_folder(cluster: FlinkCluster) -> None:
    """Nothing is written into the system's own temporary folder."""
    processes = [process.pid for process in (cluster.job_manager, *cluster.task_managers) if process]
    assert len(processes) == 3
    for pid in processes:
        opened = [file.path for file in psutil.Process(pid).open_files()]
        assert [file for file in opened if file.startswith(("/tmp/hsperf", "/tmp/flink", "/tmp/tm_", "/tmp/jm_"))] == []  # noqa: S108
    assert list(cluster.temporary.glob("tm_*"))


def test_an_exception_while_building_shows_its_traceback(submit: Submit, tally: Project) -> None:
    """The place is the project's own file, and no line is Java's."""
    failure = failure_of(submit(flaw="exception"))
    assert isinstance(failure, JobFailed)
    assert (failure.exit_code, failure.root_cause) == (1, "LookupError: no such word")
    assert f'File "{tally.root}/src/tally/pipeline.py"' in str(failure.python_traceback)
    assert "\tat " not in str(failure.python_traceback)


@pytest.mark.parametrize(("flaw", "exit_code"), [("refusal", 1), ("settings", 2)])
def test_what_the_job_says_when_it_does_not_start_is_passed_on(submit: Submit, tally: Project, flaw: str, exit_code: int) -> None:
    """A guardrail's refusal is shown as it is, and so is the kind of error."""
    failure = failure_of(submit(flaw=flaw))
    assert isinstance(failure, JobRefused)
    assert str(failure) == f"Not started: {tally.root}/src/tally/pipeline.py:1 is at fault."
    assert failure.exit_code == exit_code


@pytest.mark.parametrize("mode", ["process", "thread"])
def test_a_failure_in_a_function_shows_its_traceback(submit: Submit, topics: Topics, tally: Project, mode: str) -> None:
    """In both execution modes: the user's line, and Python's message as the root cause."""
    feed(topics, "poison")
    failure = failure_of(submit(f"-Dpython.execution-mode={mode}"))
    assert isinstance(failure, JobFailed)
    assert failure.root_cause.endswith("ZeroDivisionError: a poisonous word")
    lines = str(failure.python_traceback).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert f'  File "{tally.root}/src/tally/pipeline.py", line ' in lines[1]
    assert "process_element" in lines[1]
    assert "pyflink/fn_execution" not in str(failure.python_traceback)


def test_a_failure_in_java_shows_the_innermost_cause(submit: Submit) -> None:
    """The sink's transactions must end before the broker's limit: that message is what helps, not what wraps it."""
    failure = failure_of(submit(flaw="sink"))
    assert isinstance(failure, JobFailed)
    assert "transaction timeout is larger than the maximum" in failure.root_cause
    assert failure.python_traceback is None
    assert failure.where
