"""A job that breaks a guardrail is never submitted; one that holds them all runs. Both in a process of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobkit.cluster import distribution

from .projects import BASE, TinyProject, run, tiny

RULES_THAT_FLINKS_DEFAULTS_BREAK = {
    "auto-generated-uids",
    "rocksdb-backend",
    "incremental-checkpoints",
    "checkpoint-interval",
    "checkpoint-pause",
    "checkpoint-timeout",
    "retained-checkpoints",
    "checkpoint-directory",
    "savepoint-directory",
}
TWO_MISTAKES = """\
    counts = stream.key_by(lambda value: value[0], Types.STRING()).sum(1)
    counts.print().uid("source")
"""


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    """A project whose job holds all guardrails."""
    return tiny(tmp_path)


def python(project: TinyProject, **more: str) -> subprocess.CompletedProcess[str]:
    """Start the job as a plain Python program: Flink hands it nothing but its defaults."""
    command = [sys.executable, "-W", "ignore", "-m", "tiny"]
    return run(command, project.root / "src", FLINK_LOG_DIR=str(project.root), **{"TINY_NAME": "tiny", **more})


def flink(project: TinyProject, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Start the job by Flink's own command, which hands it a configuration, on a mini cluster in that process."""
    folder = project.root
    project.write(
        "flink/config.yaml",
        BASE
        + f"execution.checkpointing.dir: {(folder / 'checkpoints').as_uri()}\n"
        + f"execution.checkpointing.savepoint-dir: {(folder / 'savepoints').as_uri()}\n"
        + f"io.tmp.dirs: {folder}\npython.executable: {sys.executable}\npython.client.executable: {sys.executable}\n"
        + f"rest.bind-port: 0\nenv.java.default-opts.all: {distribution.java_options()}\n",
    )
    command = [str(distribution.home() / "bin" / "flink"), "run", "-t", "local", *options, "-pym", "tiny", "-pyfs", str(folder / "src")]
    shipped = distribution.home() / "conf"
    settings = {"FLINK_CONF_DIR": str(folder / "flink"), "FLINK_LOG_DIR": str(folder), "JOBKIT_ENV": "local", "TINY_NAME": "tiny"}
    for name in ("log4j-cli.properties", "log4j-console.properties"):
        project.write(f"flink/{name}", (shipped / name).read_text(encoding="utf-8"))
    return run(command, folder, **{**settings, **more})


def findings(text: str) -> Iterator[tuple[str, str]]:
    """Yield rule and place of each finding of a refusal."""
    yield from re.findall(r"^\d+\. ([a-z-]+)(?:  (\S+))?$", text, re.MULTILINE)


def test_a_refused_job_tells_all_that_is_wrong_and_is_not_submitted(project: TinyProject) -> None:
    """Each finding has file and line, what, why and remedy; the process ends with 1."""
    text = (project.root / "src/tiny/pipeline.py").read_text(encoding="utf-8")
    start = text.index("    counts = ")
    project.write("src/tiny/pipeline.py", text[:start] + TWO_MISTAKES)
    done = python(project)
    assert (done.returncode, done.stdout) == (1, "")
    line = text[:start].count("\n") + 1
    found = list(findings(done.stderr))
    assert {("missing-uids", f"tiny/pipeline.py:{line}"), ("rolling-aggregates", f"tiny/pipeline.py:{line}")} <= set(found)
    assert ("duplicate-uids", f"tiny/pipeline.py:{line + 1}") in found
    assert {rule for rule, _ in found} == {"missing-uids", "duplicate-uids", "rolling-aggregates", *RULES_THAT_FLINKS_DEFAULTS_BREAK}
    assert done.stderr.count("   Why:   ") == done.stderr.count("   Write: ") == len(found)
    assert f"{len(found)} findings" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(project.root.rglob("chk-*"))


def test_a_waived_rule_is_printed_and_the_job_accepted(project: TinyProject) -> None:
    """The reviewer's reason shows on every run; the job runs to its end."""
    rules = sorted({*RULES_THAT_FLINKS_DEFAULTS_BREAK, "flink-lock"})
    waivers = [f'[[tool.jobkit.waivers]]\nrule = "{rule}"\nreason = "a trial of {rule}"\n' for rule in rules]
    project.write("pyproject.toml", '[tool.jobkit]\npipeline = "tiny.pipeline:build"\n' + "".join(waivers))
    done = python(project)
    assert done.returncode == 0, done.stderr
    for rule in rules:
        assert re.search(rf"^waived: {rule}: .+ Reason: a trial of {rule}$", done.stderr, re.MULTILINE)
    assert sorted(done.stdout.splitlines()) == ["(a,1)", "(a,2)", "(b,1)"]


def test_an_accepted_job_runs_to_its_end(project: TinyProject) -> None:
    """On a mini cluster, with the configuration that Flink's command handed it, under Flink's strict switch."""
    done = flink(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(line for line in done.stdout.splitlines() if line.startswith("(")) == ["(a,1)", "(a,2)", "(b,1)"]
    assert "waived" not in done.stderr
    (job,) = (project.root / "checkpoints").iterdir()
    assert f"Job has been submitted with JobID {job.name}" in done.stdout
    (stored,) = job.glob("flink-*.lock")
    assert stored.read_text(encoding="utf-8") == (project.root / "flink.lock").read_text(encoding="utf-8")


def test_the_platform_may_name_the_job(project: TinyProject) -> None:
    """As Flink's application mode and the Kubernetes operator do: that id stays, and a second start under it stores no second lock."""
    for _ in range(2):
        done = flink(project, "-D$internal.pipeline.job-id=" + 32 * "7")
        assert f"Job has been submitted with JobID {32 * '7'}" in done.stdout
    assert len(list((project.root / "checkpoints" / (32 * "7")).glob("flink-*.lock"))) == 1


def test_a_lock_that_cannot_be_stored_is_a_warning(project: TinyProject) -> None:
    """The client need not reach what the cluster does; here Flink itself, in the same process, cannot start without the folder."""
    (project.root / "checkpoints").touch()
    done = flink(project)
    assert "The job's lock was not stored beside its checkpoints in file:" in done.stdout + done.stderr
    assert "CheckpointCoordinator" in done.stdout + done.stderr


def test_a_job_that_is_not_in_its_lock_is_refused_elsewhere_than_here(project: TinyProject) -> None:
    """In production each change that the lock does not have is a finding; with the lock of the job there is none."""
    before = dict(findings(flink(project, JOBKIT_ENV="prod").stdout))
    assert "checkpoint-directory" in before
    assert "flink-lock" not in before
    project.replace("src/tiny/pipeline.py", 'ValueStateDescriptor("count",', 'ValueStateDescriptor("n",')
    done = flink(project, JOBKIT_ENV="prod")
    assert done.returncode != 0
    assert dict(findings(done.stdout))["flink-lock"].endswith("flink.lock")
    assert "The state “count” of “count” is gone" in " ".join(done.stdout.split())


def test_flinks_own_strict_switch_is_on_at_submission(project: TinyProject) -> None:
    """A job that slips past jobkit by a waiver meets the next judge: Flink refuses what has no uid."""
    project.replace("src/tiny/pipeline.py", '.uid("out")', "")
    project.write("pyproject.toml", '[tool.jobkit]\n[[tool.jobkit.waivers]]\nrule = "missing-uids"\nreason = "to see Flink refuse"\n')
    done = flink(project)
    assert done.returncode != 0
    output = done.stdout + done.stderr
    assert "waived: missing-uids: " in output
    assert "Auto generated UIDs have been disabled but no UID or hash has been assigned" in output
    assert not re.search(r"^\(a,1\)$", done.stdout, re.MULTILINE)


EXECUTING = {
    "execute": 'env.execute("mine")',
    "execute_async": "env.execute_async()",
    "execute_and_collect": "list(counts.execute_and_collect())",
    "SQL": "StreamTableEnvironment.create(env).execute_sql(\"CREATE TABLE b WITH ('connector' = 'print') AS SELECT 1\")",
}


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize("call", EXECUTING)
def test_a_build_that_submits_the_job_itself_is_refused(call: str, project: TinyProject) -> None:
    """There is no way around the guardrails by being first."""
    from jobkit import entry
    from jobkit.errors import JobkitError
    from jobkit.project import find_project

    package = f"executing_{call.lower()}"
    (project.root / "src/tiny").rename(project.root / "src" / package)
    file = project.root / "src" / package / "pipeline.py"
    text = "from pyflink.table import StreamTableEnvironment\n" + file.read_text(encoding="utf-8") + f"    {EXECUTING[call]}\n"
    file.write_text(text, encoding="utf-8")
    project.write("pyproject.toml", f'[tool.jobkit]\npipeline = "{package}.pipeline:build"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        build = entry.find(find_project(project.root))
        with pytest.raises(JobkitError, match="submits the job itself") as refused:
            entry.build_graph(build, entry.settings(build, {"TINY_NAME": "tiny"}))
    line = text[: text.index("def build")].count("\n") + 1
    assert refused.value.where == f"{file}:{line}"


def test_a_wrong_setting_ends_with_2_and_one_paragraph(project: TinyProject) -> None:
    """No traceback, and what to set."""
    done = python(project, TINY_NAME="")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: TINY_NAME is not set. Set TINY_NAME to the job's name.\n"


def test_a_build_that_raises_ends_with_2_and_its_line(project: TinyProject) -> None:
    """The line is the user's, not PyFlink's."""
    project.replace("src/tiny/pipeline.py", "env.set_parallelism(1)", "env.set_parallelism(-3)")
    done = python(project)
    text = (project.root / "src/tiny/pipeline.py").read_text(encoding="utf-8")
    line = text[: text.index("env.set_parallelism")].count("\n") + 1
    assert done.returncode == 2
    assert done.stderr.startswith("error: The build function raised an exception. Found: ")
    assert f"src/tiny/pipeline.py:{line}." in done.stderr
    assert done.stderr.count("\n") == 1
