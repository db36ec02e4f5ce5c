"""Say how long `jobkit compat` takes over a snapshot of 200 operators and 10,000 files: `python scripts/measure_compat.py`.

A job of as many operators takes PyFlink long to build, whatever is asked of it. So a job of a few is compared with that snapshot, too.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.kit.projects import TinyProject, jobkit
from tests.kit.state import large

_TIMES = 3
_COMPATIBLE, _LOST = 0, 1


def main() -> None:
    """Measure, with the snapshot and without."""
    folder = Path(tempfile.mkdtemp(prefix="jobkit-"))
    try:
        many, few = (large.project(folder / f"{count}" / "project", operators=count) for count in (200, 1))
        snapshot = str(folder / "chk-7")
        print(f"{large.make(Path(snapshot), large.ids(many)):,} files", flush=True)
        for name, project, code in (("200 functions", many, _COMPATIBLE), ("1 function", few, _LOST)):
            alone = _seconds(project, _COMPATIBLE)
            print(f"a job of {name}: {alone:.1f} s without a snapshot, {_seconds(project, code, snapshot):.1f} s with this one", flush=True)
    finally:
        shutil.rmtree(folder)


def _seconds(project: TinyProject, code: int, *arguments: str) -> float:
    """Return the median of the seconds that the command takes; end when it does not end as expected."""
    found = []
    for _ in range(_TIMES):
        since = time.monotonic()
        done = jobkit(project.root, "compat", "--env", "prod", *arguments)
        found.append(time.monotonic() - since)
        if done.returncode != code:
            sys.exit(done.stderr)
    return statistics.median(found)


if __name__ == "__main__":
    main()
