"""Say how long `jobkit compat` takes over a snapshot of a large job, of 10,000 files: `python scripts/measure_compat.py`.

The command builds the job, too, which PyFlink takes the longer for the more operators it has: so each is also asked without a snapshot,
in turn. The quickest of the runs counts: what else goes on on a machine only ever adds to them.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.kit.projects import TinyProject, jobkit
from tests.kit.state import large

_TIMES = 5
_COMPATIBLE, _LOST = 0, 1
_FILES = 10_000
_JOBS = ((1, _LOST), (100, _COMPATIBLE), (200, _COMPATIBLE))
"""Functions with state, and what the command says of the snapshot: the first job has lost all but one of its operators."""


def main() -> None:
    """Measure, with the snapshot and without."""
    folder = Path(tempfile.mkdtemp(prefix="jobkit-"))
    try:
        projects = {functions: large.project(folder / f"{functions}" / "project", functions) for functions, _ in _JOBS}
        snapshots = {functions: folder / f"of-{functions}" / "chk-7" for functions in (100, 200)}
        for functions, snapshot in snapshots.items():
            operators = large.operators(projects[functions])
            made = large.make(snapshot, operators, _FILES // functions // (large.FILES + 1))
            print(f"a snapshot of {len(operators)} operators: {made:,} files", flush=True)
        for functions, code in _JOBS:
            named = str(snapshots.get(functions, snapshots[100]))
            runs = [(_seconds(projects[functions], _COMPATIBLE), _seconds(projects[functions], code, named)) for _ in range(_TIMES)]
            alone, with_it = (min(found) for found in zip(*runs, strict=True))
            print(
                f"{functions} functions, {_operators(functions)} operators: {alone:.1f} s without a snapshot, {with_it:.1f} s with",
                flush=True,
            )
    finally:
        shutil.rmtree(folder)


def _operators(functions: int) -> int:
    """Return how many operators the job has: a key-by before each function, the source, the sink and the map before it."""
    return 2 * functions + 3


def _seconds(project: TinyProject, code: int, *arguments: str) -> float:
    """Return the seconds that the command takes; end when it does not end as expected."""
    since = time.monotonic()
    done = jobkit(project.root, "compat", "--env", "prod", *arguments)
    if done.returncode != code:
        sys.exit(done.stderr)
    return time.monotonic() - since


if __name__ == "__main__":
    main()
