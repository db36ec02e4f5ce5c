"""The rule about timers: the loss that it is there for, the jobs that break it, and those that only look so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from jobkit.cluster import java, jvm
from jobkit.guardrails import Result
from jobkit.state.contents import contents
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

from . import jobs
from .judging import Build, by_rule, judged, line_of
from .timers_job import KEYS

pytestmark = pytest.mark.usefixtures("jvm")

_ROOT = Path(__file__).parents[3]
_SECONDS = 600
_PROCESS = {"python.execution-mode": None}
"""Process mode is what Flink takes when nothing is set."""

REFUSED: list[tuple[Build, str, str]] = [
    (jobs.processing(jobs.Reminding()), "timer", "Reminding.process_element registers timers"),
    (jobs.processing(jobs.RemindingThroughHelper()), "timer-helper", "remind registers timers"),
    (jobs.processing(jobs.RemindingAgain()), "timer-alias", "RemindingAgain.on_timer registers timers"),
    (jobs.reminded_of_two, "timer-second", "RemindingOfTwo.process_element2 registers timers"),
    (jobs.reminded_by_rule, "timer-rule", "RemindingByRule.process_element registers timers"),
    (jobs.GLOBAL_DAILY, "timer-trigger", "Daily.on_element registers timers"),
    (jobs.SESSIONS, "windows", "each of its windows has a timer for its end"),
    (jobs.GLOBAL_CONTINUOUS, "windows", "its trigger, PurgingTrigger, registers timers"),
]
UNKNOWN: list[tuple[Build, str]] = [
    (jobs.processing(jobs.RemindingByName()), "RemindingByName has an on_timer, but the call that registers its timers was not found"),
    (jobs.processing(jobs.Unpicklable()), "its function cannot be unpickled here"),
    (jobs.OWN_WINDOWS, "whether the windows of OwnWindows have timers is unknown"),
]


def run(folder: Path, mode: str, savepoint: str | None = None) -> str:
    """Run the job of `timers_job` in a process of its own; return what it printed last."""
    library = folder / "data"
    library.mkdir(parents=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = {
        **jvm.environment(java.find(), folder / "tmp"),
        "FLINK_LOG_DIR": str(folder),
        "PATH": path,
        # Flink embeds a Python that knows nothing of this environment.
        "PYTHONPATH": os.pathsep.join([str(_ROOT), sysconfig.get_path("purelib")]),
    }
    command = [sys.executable, "-W", "ignore", "-m", "tests.kit.guardrails.timers_job", mode, str(library)]
    with (folder / "output.txt").open("w+b") as output:
        process = subprocess.Popen(
            [*command, *([savepoint] if savepoint else [])],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=variables,
            cwd=folder,
            start_new_session=True,
        )
        try:
            process.wait(_SECONDS)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    text = (folder / "output.txt").read_text(encoding="utf-8")
    assert process.returncode == 0, text
    return text.removesuffix("\n").rpartition("\n")[2]


def timers_and_states(savepoint: str) -> tuple[int, int]:
    """Return how many timers and how many values a savepoint holds."""
    states = {state.state.name: len(state.entries) for state in contents(savepoint.removeprefix("file:")).values()}
    return states.get("_timer_state/event_user-timers", 0), states["kept"]


@pytest.mark.parametrize(("mode", "saved"), [("process", ()), ("thread", KEYS)])
def test_timers_of_the_bundle_that_a_snapshot_ends_are_lost_in_process_mode_only(tmp_path: Path, mode: str, saved: tuple[str, ...]) -> None:
    """The state of every key is in the savepoint. Should Flink mend it, this test fails, and the rule can go."""
    savepoint = run(tmp_path / "before", mode)
    assert timers_and_states(savepoint) == (len(saved), len(KEYS))
    assert run(tmp_path / "after", mode, savepoint) == ",".join(saved)


def only(results: list[Result]) -> Result:
    """Return the rule's only finding."""
    (result,) = by_rule(results, "timers-in-process-mode")
    return result


@pytest.mark.parametrize(("build", "mark", "found"), REFUSED)
def test_timers_in_process_mode_are_refused_where_they_are_registered(build: Build, mark: str, found: str) -> None:
    """Directly, in a helper, under another name, of two inputs, by a trigger; and the windows that have an end."""
    result = only(judged(build, _PROCESS))
    assert (result.status, result.operator, result.box) == ("fail", "count", "state")
    assert (result.file, result.line) == (jobs.__file__, line_of(jobs.__file__, mark))
    assert result.message == f"“count” runs in process mode, and {found}."
    assert "Set python.execution-mode: thread" in str(result.remedy)


@pytest.mark.parametrize(("build", "found"), UNKNOWN)
def test_what_cannot_be_seen_is_unknown(build: Build, found: str) -> None:
    """It is no proof: the job may start, with a warning."""
    result = only(judged(build, _PROCESS))
    assert (result.status, result.operator) == ("unknown", "count")
    assert found in result.message


def test_a_function_without_source_is_known_by_the_names_that_it_uses() -> None:
    """As it is when only compiled files are shipped."""
    scope = {"Passing": jobs.Passing}
    lines = ("def process_element(self, value, ctx):", "    ctx.timer_service().register_event_time_timer(1)", "    yield value")
    code = "\n    ".join(["class Sourceless(Passing):", *lines])
    exec(code, scope)  # noqa: S102 - a source that is nowhere
    result = only(judged(jobs.processing(scope["Sourceless"]()), _PROCESS))
    assert result.status == "fail"
    assert "Sourceless.process_element registers timers" in result.message


@pytest.mark.parametrize(
    "build", [jobs.processing(jobs.Count()), jobs.processing(jobs.Deleting()), jobs.COUNT, jobs.GLOBAL_COUNT, jobs.keyed_map]
)
def test_process_mode_without_timers_is_fine(build: Build) -> None:
    """Windows that only count have none either."""
    assert only(judged(build, _PROCESS)).status == "pass"


@pytest.mark.parametrize("build", [build for build, _, _ in REFUSED] + [build for build, _ in UNKNOWN])
def test_thread_mode_is_fine_with_any_timers(build: Build) -> None:
    """Timers are registered at once there."""
    assert only(judged(build)).status == "pass"


@pytest.mark.parametrize(("configured", "mode", "status"), [("thread", "process", "fail"), ("process", "thread", "pass")])
def test_the_mode_is_what_flink_made_of_it(configured: str, mode: str, status: str) -> None:
    """What the code sets goes before the configuration."""
    assert only(judged(jobs.in_mode(mode), {"python.execution-mode": configured})).status == status


def test_a_batch_job_is_not_concerned() -> None:
    """It is never restored."""
    result = only(judged(jobs.processing(jobs.Reminding()), {**_PROCESS, "execution.runtime-mode": "BATCH"}))
    assert result.status == "not-applicable"


def test_operators_are_judged_one_by_one() -> None:
    """The one with timers is named, its neighbour is not."""

    def build(env: StreamExecutionEnvironment) -> None:
        keyed = jobs.pairs(env).key_by(lambda value: value[0], Types.STRING())
        keyed.process(jobs.Count(), jobs.PAIR).uid("count").print().uid("out")
        keyed.process(jobs.Reminding(), jobs.PAIR).uid("remind").print().uid("reminded")

    assert only(judged(build, _PROCESS)).operator == "remind"
