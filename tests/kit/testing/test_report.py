"""What a test run shows: of a job that failed, was refused or answers wrongly, and nothing of one that does well."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from jobkit.testing import report

from tests.kit.cluster.conftest import copy_of_tally

PLUGIN = 'pytest_plugins = ["jobkit.testing.plugin"]\n'

TESTS = """\
from jobkit.testing import oracles


def test_poison(job, kafka):
    job.start()
    job.wait_for_checkpoint()
    kafka.produce("words", ["a", "poison"])
    job.wait_until_processed()  # the line of the test


def test_refused(job):
    job.start(environment={"TALLY_FLAW": "refusal"})
    job.wait_until_running()  # the line of the test


def test_wrong_answer(job, kafka):
    kafka.produce("words", ["a", "a", "b"])
    job.start()
    oracles.exactly_once(job, "counts", [b"a 1", b"a 2", b"c 1"])  # the line of the test


def test_cluster_that_does_not_start(new_cluster):
    new_cluster(task_managers=1, configuration={"taskmanager.memory.process.size": "1m"})  # the line of the test


def test_good(job):
    job.start()
    job.wait_until_running()
"""

WITHOUT_A_CLUSTER = """\
import sys


def test_nothing_of_clusters_is_imported(tmp_path):
    assert not {"docker", "testcontainers", "kafka", "pyflink", "py4j", "psutil"} & set(sys.modules)
"""


@dataclass(frozen=True)
class Run:
    """A run of pytest that is over.

    Attributes:
        root: The project's folder.
        output: All that it has printed.
    """

    root: Path
    output: str

    def report(self, test: str) -> str:
        """Return what was printed for a failed test, without the logs' long lines."""
        found = re.search(rf"^_+ {test} _+\n(.*?)(?=^(?:_+ \w+ _+|=+ .* =+)$)", self.output, re.MULTILINE | re.DOTALL)
        assert found is not None, self.output
        return found.group(1)

    def sections(self, test: str) -> dict[str, str]:
        """Return the sections of a failed test's report, by their titles."""
        parts = re.split(r"^-+ (Flink: .*?) -+$\n", self.report(test), flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=True))

    def kept(self, test: str) -> Path:
        """Return the folder that a failed test's logs are kept in."""
        return self.root / ".jobkit" / "test-results" / f"tests-test_it.py-{test}"


def run_pytest(root: Path, tests: str, *options: str, code: int) -> Run:
    """Run pytest in a project, on tests that are written there, as its user would."""
    (root / "tests").mkdir()
    (root / "tests" / "conftest.py").write_text(PLUGIN)
    (root / "tests" / "test_it.py").write_text(tests)
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir=.", "--color=no", *options, "tests"]
    done = subprocess.run(
        command, cwd=root, env={**own, "COLUMNS": "200"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == code, done.stdout
    return Run(root, done.stdout)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the tests above."""
    project = copy_of_tally(tmp_path_factory.mktemp("report") / "a tally")
    return run_pytest(project.root, TESTS, "--flink-backend=process", code=1)


def end_of(sections: dict[str, str], name: str) -> str:
    """Return the section with the end of the log whose name begins like this."""
    found = [text for title, text in sections.items() if title.startswith(f"Flink: the end of {name}")]
    assert found, list(sections)
    return "".join(found)


def test_it_shows_why_the_job_failed(run: Run) -> None:
    """The root exception, the user's own line, and how far the checkpoints got."""
    sections = run.sections("test_poison")
    assert f"Where: {run.kept('test_poison') / 'cluster-1'}." in run.report("test_poison")
    assert re.match(r"[0-9a-f]{32} is \w+, restarted [1-9]\d* times\n", sections["Flink: the job"])
    assert sections["Flink: root exception"].strip() == "ZeroDivisionError: a poisonous word"
    traceback = sections["Flink: Python traceback"]
    assert re.search(r'src/tally/pipeline\.py", line \d+, in process_element\n +raise ZeroDivisionError\("a poisonous word"\)', traceback)
    assert "pyflink" not in traceback
    assert re.search(r"^ +\d+ checkpoint +COMPLETED +\d+ bytes  chk-\d+$", sections["Flink: checkpoint history"], re.MULTILINE)


def test_it_shows_the_end_of_each_log(run: Run) -> None:
    """Those of the JobManager, the TaskManagers, the client and the broker, without the frames of Java."""
    sections = run.sections("test_poison")
    assert "ZeroDivisionError" in end_of(sections, "cluster-1/flink-jobmanager-standalonesession")
    assert "ZeroDivisionError" in end_of(sections, "cluster-1/flink-taskmanager")
    assert "CliFrontend" in end_of(sections, "cluster-1/flink-client")
    assert "kafka" in end_of(sections, "broker/kafka.log")
    assert not re.search(r"^\s+at \S+\(", run.report("test_poison"), re.MULTILINE)
    assert "FLINK_INHERITED_LOGS" not in run.output  # Beam logs the environment of the Python workers


def test_the_whole_logs_are_kept(run: Run) -> None:
    """With the frames of Java, and those of every process, the broker's among them."""
    kept = run.kept("test_poison")
    assert run.sections("test_poison")["Flink: the whole logs"].strip() == str(kept)
    names = {str(file.relative_to(kept)) for file in kept.rglob("*") if file.is_file()}
    beginnings = (
        "broker/kafka.log",
        "cluster-1/client",
        "cluster-1/flink-jobmanager",
        "cluster-1/flink-taskmanager-1",
        "cluster-1/flink-taskmanager-2",
    )
    assert [beginning for beginning in beginnings if not any(name.startswith(beginning) for name in names)] == []
    assert re.search(r"^\s+at org\.apache\.flink\.", "".join(file.read_text() for file in kept.rglob("flink-jobmanager*")), re.MULTILINE)


@pytest.mark.parametrize("test", ["test_poison", "test_refused", "test_wrong_answer", "test_cluster_that_does_not_start"])
def test_the_traceback_is_the_test_s_own(run: Run, test: str) -> None:
    """It ends at the line of the test; none of jobkit's is in it."""
    shown = run.report(test).partition("- Flink: ")[0]
    assert re.search(r"^>.*# the line of the test$", shown, re.MULTILINE)
    assert re.findall(r"^(\S+\.py):\d+: ", shown, re.MULTILINE) == ["tests/test_it.py"]


def test_it_shows_what_a_refused_job_said(run: Run) -> None:
    """The job's own words are the error, and no job of another test is shown."""
    assert "is at fault." in run.report("test_refused").partition("- Flink: ")[0]
    sections = run.sections("test_refused")
    assert "Not started: " in sections["Flink: the job"]
    assert not {"Flink: root exception", "Flink: checkpoint history"} & set(sections)
    assert "Not started: " in end_of(sections, "cluster-1/client-2.out")
    assert "Flink: the end of cluster-1/client.out" not in sections


def test_it_shows_that_a_job_runs_which_answers_wrongly(run: Run) -> None:
    """Then the job is no suspect, and the difference is what the test says."""
    report, sections = run.report("test_wrong_answer"), run.sections("test_wrong_answer")
    assert "b 1" in report.partition("- Flink: ")[0]
    assert re.match(r"[0-9a-f]{32} is RUNNING, restarted 0 times\n", sections["Flink: the job"])
    assert "Flink: root exception" not in sections
    assert "COMPLETED" in sections["Flink: checkpoint history"]


def test_it_shows_why_a_cluster_does_not_start(run: Run) -> None:
    """There is no job then; the logs of that cluster are kept all the same."""
    report = run.report("test_cluster_that_does_not_start")
    assert "has stopped, with exit code" in report
    assert list(run.kept("test_cluster_that_does_not_start").glob("cluster-*/taskmanager-1.out"))
    assert not list(run.kept("test_cluster_that_does_not_start").glob("cluster-1"))


def test_of_a_test_that_passes_nothing_is_shown_or_kept(run: Run) -> None:
    """Not even in a run in which others fail."""
    assert re.search(r"4 failed, 1 passed", run.output)
    assert not re.search(r"^_+ test_good _+$", run.output, re.MULTILINE)
    assert not run.kept("test_good").exists()


def test_it_says_when_the_first_test_began(run: Run) -> None:
    """One line at the end."""
    assert re.search(r"^flink: the first test body with a job began after \d+\.\d s$", run.output, re.MULTILINE)


def test_without_a_cluster_nothing_is_imported_or_started(tmp_path: Path) -> None:
    """Whoever runs pure tests does not pay for clusters, nor read about them."""
    project = copy_of_tally(tmp_path / "tally")
    run = run_pytest(project.root, WITHOUT_A_CLUSTER, code=0)
    assert not project.work.exists()
    assert "flink" not in run.output


def test_logs_that_cannot_be_kept_do_not_end_the_run(tmp_path: Path) -> None:
    """As on a full disk, which is why tests fail then: the report says so, and has the ends of the logs."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "flink.log").write_text("2026-01-01 ERROR No space left on device\n")
    (tmp_path / "a-file").touch()
    sections = dict(report.sections([], {"cluster-1": tmp_path / "logs"}, tmp_path / "a-file" / "kept", since=0))
    assert sections["Flink: the end of cluster-1/flink.log"].endswith("ERROR No space left on device")
    assert re.match(r"could not be kept: .+a-file", sections["Flink: the whole logs"])
