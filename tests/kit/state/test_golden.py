"""The job's code of today goes on from the snapshots that were kept, on each Flink version.

What the job prints is computed here once more from the number, or the time, alone: lost state would show, and so would a lost timer.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from jobkit.state import snapshots

from tests.kit.projects import VERSIONS

from .rounds.src.rounds.pipeline import KEYS, LAST, ROUND
from .versions import GOLDEN, KINDS, python_of, run

TAKEN_AT = 20_000
"""The snapshots were taken after this number and this timer."""


def expected(line: dict[str, Any]) -> dict[str, Any]:
    """Compute what the job must print for a number or a timer when nothing was ever lost."""
    if "time" in line:
        return {"time": line["time"], "rounds": line["time"] // ROUND}
    number = line["number"]
    key, count = number % KEYS, number // KEYS + 1
    thirds = {str(third): sum(1 for other in range(key, number + 1, KEYS) if other % 3 == third) for third in range(3)}
    return {"number": number, "count": count, "last": [number - KEYS * back for back in reversed(range(LAST))], "thirds": thirds}


def restore(python: Path, folder: Path, snapshot: Path, module: str) -> tuple[set[str], list[dict[str, Any]]]:
    """Start the job from a snapshot until each of its outputs was seen; return its operators' ids, and what it printed."""
    with run(python, folder, snapshot, module) as job:
        job.wait_for("number", 0)
        return job.operators(), job.wait_for("time", 0)


def require_continuity(python: Path, folder: Path, *restored: Path, module: str = "pipeline") -> None:
    """Restore snapshots, all at the same time, and compare each line that the job prints.

    The ids of all operators, also of those that nobody named and that hold nothing, are still those of the snapshot: Flink would
    let the empty ones go here, and refuse them when the JobManager recovers.
    """
    folders = [folder / str(number) for number, _ in enumerate(restored)]
    with ThreadPoolExecutor() as pool:
        outputs = list(pool.map(restore, [python] * len(restored), folders, restored, [module] * len(restored)))
    for snapshot, (operators, lines) in zip(restored, outputs, strict=True):
        assert operators == {operator.id for operator in snapshots.read(snapshot).operators}
        assert lines == [expected(line) for line in lines]
        assert min(line["number"] if "number" in line else line["time"] for line in lines) > TAKEN_AT


@pytest.mark.usefixtures("jvm")
@pytest.mark.parametrize("version", VERSIONS)
def test_the_job_goes_on_from_both(version: str, tmp_path: Path) -> None:
    """From the checkpoint and the savepoint, in folders that they were not made in."""
    require_continuity(python_of(version, tmp_path / "python"), tmp_path, *(GOLDEN / version / kind for kind in KINDS))


@pytest.mark.usefixtures("jvm")
def test_the_job_may_move_to_a_newer_flink(tmp_path: Path) -> None:
    """It goes on, with the newest version, from the savepoints of the older ones."""
    newest, *older = VERSIONS
    require_continuity(python_of(newest, tmp_path / "python"), tmp_path, *(GOLDEN / version / "savepoint" for version in older))


@pytest.mark.usefixtures("jvm")
def test_plain_states_become_objects_of_a_class_with_a_version(tmp_path: Path) -> None:
    """They take over from a value, a list and a map that an earlier version of the job has left, also with an older Flink."""
    newest, *older = VERSIONS
    restored = [*(GOLDEN / newest / kind for kind in KINDS), *(GOLDEN / version / "savepoint" for version in older)]
    require_continuity(python_of(newest, tmp_path / "python"), tmp_path, *restored, module="evolved")


def test_each_supported_version_has_its_snapshots() -> None:
    """And nothing but those: `python scripts/make_snapshots.py VERSION` makes what is missing."""
    files = sorted(str(file.relative_to(GOLDEN)) for file in GOLDEN.rglob("*") if file.is_file())
    assert files == sorted(f"{version}/{kind}/_metadata" for version in VERSIONS for kind in KINDS)


@pytest.mark.parametrize("file", sorted(GOLDEN.rglob("_metadata")), ids=lambda file: "-".join(file.parts[-3:-1]))
def test_no_snapshot_names_a_path_of_the_machine_that_made_it(file: Path) -> None:
    """But the neutral one, which Flink makes the names of its files from."""
    texts = [text.decode() for text in re.findall(rb"[\x20-\x7e]{4,}", file.read_bytes())]
    paths = {path for text in texts for path in re.findall(r"(?<![\w.>/-])/+\w[\w.-]*/[\w./-]+", text)}
    assert paths
    assert {path for path in paths if not re.match(r"/tmp/golden-\w+/run/", path)} == set()  # noqa: S108 - it is in the file
