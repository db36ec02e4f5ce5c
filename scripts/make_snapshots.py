"""Make the snapshots that tests restore with the code of today: `python scripts/make_snapshots.py [FLINK_VERSION …]`.

A checkpoint and a savepoint of the job in tests/kit/state/rounds for each supported Flink version, each made with that version's
PyFlink and committed. Make them anew only for a new Flink version: those that are there show that old state can be read.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from jobkit.cluster import snapshots
from jobkit.cluster.waiting import until

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from tests.kit.projects import VERSIONS  # noqa: E402 - found through the line before
from tests.kit.state.versions import GOLDEN, KINDS, python_of, run  # noqa: E402 - as well

ENOUGH = 20_000
"""At which number, and at which timer, the snapshots are taken; restored jobs must be beyond it."""


def main(versions: list[str]) -> None:
    """Make the snapshots of some versions, of all by default."""
    for version in versions or VERSIONS:
        # Flink writes the path into the snapshot, as a name for each file: it is a neutral one.
        with tempfile.TemporaryDirectory(prefix="golden-", dir="/tmp") as temporary:
            make(version, Path(temporary))


def make(version: str, folder: Path) -> None:
    """Make the snapshots of one version."""
    with run(python_of(version, folder / "python"), folder / "run") as job:
        job.wait_for("number", ENOUGH)
        job.wait_for("time", ENOUGH)
        job.take_savepoint()
        (checkpoints,) = (folder / "run" / "checkpoints").iterdir()
        for _ in range(2):  # the second shares files with the first
            wait_for_checkpoint(checkpoints)
    (savepoint,) = (folder / "run" / "savepoints").iterdir()
    for kind, source in zip(KINDS, (snapshots.newest(checkpoints) or checkpoints, savepoint), strict=True):
        target = GOLDEN / version / kind
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        print(f"{target.relative_to(ROOT)}: {sum(file.stat().st_size for file in target.iterdir()):,} bytes")


def wait_for_checkpoint(checkpoints: Path) -> None:
    """Wait until one more checkpoint is completed."""
    taken = snapshots.newest(checkpoints)

    def probe() -> Path | None:
        newest = snapshots.newest(checkpoints)
        return newest if newest != taken else None

    until(probe, what="one more checkpoint is completed", seconds=60, log=checkpoints)


if __name__ == "__main__":
    main(sys.argv[1:])
