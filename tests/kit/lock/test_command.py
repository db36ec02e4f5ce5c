"""`jobkit lock`, as its users start it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ..projects import TinyProject, jobkit, tiny

PIPELINE = "src/tiny/pipeline.py"


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    """A project with a lock."""
    return tiny(tmp_path)


def lock_of(project: TinyProject) -> str:
    """Return what is in a project's lock."""
    return (project.root / "flink.lock").read_text(encoding="utf-8")


def test_a_lock_is_checked(project: TinyProject) -> None:
    """It is that of the job until the job changes; then both say what has, and only one writes."""
    done = jobkit(project.root, "lock", "--check")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    before = lock_of(project)
    project.replace(PIPELINE, 'counts.print().uid("out")', 'counts.print().uid("out")\n    stream.print().uid("all")')
    done = jobkit(project.root, "lock", "--check")
    assert done.returncode == 1
    assert "✓ harmless  all" in done.stdout
    assert "flink.lock is not that of the job. Write it: jobkit lock" in done.stderr
    assert lock_of(project) == before
    assert jobkit(project.root, "lock").returncode == 0
    assert jobkit(project.root, "lock", "--check").returncode == 0


def test_a_loss_is_not_written_by_accident(project: TinyProject) -> None:
    """What would be lost, what to do, and how to say that it may be."""
    before = lock_of(project)
    project.replace(PIPELINE, 'ValueStateDescriptor("count",', 'ValueStateDescriptor("n",')
    done = jobkit(project.root, "lock")
    assert done.returncode == 1
    assert "✗ loses state  count/count" in done.stdout
    assert "give it its name back" in done.stderr
    assert '--drop count/count --reason "…"' in done.stderr
    assert lock_of(project) == before
    assert jobkit(project.root, "lock", "--drop", "count/count", "--reason", "wrong since May").returncode == 0
    assert lock_of(project).endswith("dropped:\n- uid: count\n  state: count\n  reason: wrong since May\n")
    assert jobkit(project.root, "lock", "--check").returncode == 0


def git(project: TinyProject, *arguments: str) -> None:
    """Run Git in a project."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=project.root, check=True, capture_output=True)


def test_a_lock_of_git_is_compared_with(project: TinyProject) -> None:
    """One that was removed is not begun anew, and what changed since the last release is a question of its own."""
    git(project, "init", "-q")
    git(project, "add", "flink.lock")
    git(project, "commit", "-qm", "first")
    git(project, "tag", "v1")
    project.replace(PIPELINE, 'ValueStateDescriptor("count",', 'ValueStateDescriptor("n",')
    (project.root / "flink.lock").unlink()
    done = jobkit(project.root, "lock")
    assert (done.returncode, "✗ loses state  count/count" in done.stdout) == (1, True), done.stderr
    assert not (project.root / "flink.lock").exists()
    done = jobkit(project.root, "lock", "--against", "v1")
    assert (done.returncode, "Since v1 would be lost: count/count" in done.stderr) == (1, True), done.stderr
    assert jobkit(project.root, "lock", "--drop", "count", "--reason", "wrong since May").returncode == 0
    assert jobkit(project.root, "lock", "--check").returncode == 0
    done = jobkit(project.root, "lock", "--against", "v1")
    assert (done.returncode, "Nothing would be lost since v1." in done.stderr) == (0, True), done.stderr
    done = jobkit(project.root, "lock", "--against", "v2")
    assert (done.returncode, "Git has no flink.lock of that revision." in done.stderr) == (2, True), done.stderr


def test_a_job_without_a_lock(project: TinyProject) -> None:
    """Fails the check, which says how to write one; it is the one that was there."""
    before = lock_of(project)
    (project.root / "flink.lock").unlink()
    done = jobkit(project.root, "lock", "--check")
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no flink.lock. Write it: jobkit lock" in done.stderr
    done = jobkit(project.root, "lock")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "flink.lock is written." in done.stderr
    assert lock_of(project) == before


def test_json(project: TinyProject) -> None:
    """One document: what has changed."""
    assert json.loads(jobkit(project.root, "lock", "--check", "--json").stdout) == {"exists": True, "current": True, "changes": []}
    project.replace(PIPELINE, "env.set_max_parallelism(128)", "env.set_max_parallelism(64)")
    done = jobkit(project.root, "lock", "--check", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["exists"], found["current"]) == (True, False)
    assert {change["uid"] for change in found["changes"]} == {"count/key-by", "count", "out"}
    assert [change["uid"] for change in found["changes"] if change["verdict"] == "loses-state"] == ["count"]
    fields = {"verdict", "what", "remedy", "uid", "state", "proved", "of_code", "left_behind"}
    assert all(set(change) == fields for change in found["changes"])


def test_a_check_drops_nothing(project: TinyProject) -> None:
    """It would seem as if something had been declared."""
    done = jobkit(project.root, "lock", "--check", "--drop", "count", "--reason", "r")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--check writes nothing" in done.stderr


def test_what_is_no_lock(project: TinyProject) -> None:
    """A merge that was left unfinished, say: nothing is compared with it, and it is not overwritten."""
    file = project.root / "flink.lock"
    file.write_text("format: 1\n<<<<<<< HEAD\n", encoding="utf-8")
    done = jobkit(project.root, "lock")
    assert (done.returncode, done.stdout) == (2, "")
    assert "was a merge left unfinished?" in done.stderr
    assert file.read_text(encoding="utf-8") == "format: 1\n<<<<<<< HEAD\n"
