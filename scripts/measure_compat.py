"""Say how long `jobkit compat` takes over a snapshot of 200 operators and 10,000 files: `python scripts/measure_compat.py`."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.kit.projects import jobkit
from tests.kit.state import large


def main() -> None:
    """Measure, with the snapshot and without."""
    folder = Path(tempfile.mkdtemp(prefix="jobkit-"))
    try:
        project = large.project(folder / "project", operators=200)
        print(f"{large.make(folder / 'chk-7', large.ids(project)):,} files")
        for _ in range(3):
            for arguments in ((str(folder / "chk-7"),), ()):
                since = time.monotonic()
                done = jobkit(project.root, "compat", *arguments)
                if done.returncode != 0:
                    sys.exit(done.stderr)
                print(f"{'with the snapshot' if arguments else 'without one'}: {time.monotonic() - since:.1f} s")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
