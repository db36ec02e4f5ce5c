"""Make the sample that generated projects come with: `python scripts/make_sample.py flights-20k.json`.

The input is the file of that name in the Python package `vega-datasets` 3.2.1. The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "{{cookiecutter.project_slug}}" / "sample" / "flights.jsonl.gz"


def main(source: Path) -> None:
    """Write one flight a line, in the order of the source, which is that of departure."""
    flights = json.loads(source.read_text(encoding="utf-8"))
    lines = "".join(json.dumps(flight, separators=(",", ":")) + "\n" for flight in flights)
    # No name and no time in the header: they would change the bytes.
    SAMPLE.write_bytes(gzip.compress(lines.encode("ascii"), compresslevel=9, mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
