"""Make the pictures in docs/images from a generated project: `python scripts/make_pictures.py`, with --check to compare only.

The graph is what `jobkit graph --svg` draws. The refusal is what the terminal shows when the same project, with the
mistakes of `BROKEN` in it, is submitted with the configuration of production.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from cookiecutter.main import cookiecutter
from jobkit import analysis, configuration
from jobkit.cluster import distribution
from jobkit.project import find_project
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
WIDTH = 112
"""Columns of the terminal: those of jobkit's own texts, and a margin."""

BROKEN = (
    ("src/flight_delays/pipeline.py", '.name("late-to-kafka").uid("late-to-kafka")', '.name("late-to-kafka")'),
    ("src/flight_delays/pipeline.py", "import Duration, WatermarkStrategy", "import Duration, Types, WatermarkStrategy"),
    (
        "src/flight_delays/pipeline.py",
        'uid="delays-by-hour")\n',
        """uid="delays-by-hour")
    values.key_by(lambda value: value[-6:-3], Types.STRING()).reduce(max).uid("greatest").print().uid("greatest-log")
""",
    ),
    (
        "conf/base.yaml",
        "externalized-checkpoint-retention: RETAIN_ON_CANCELLATION",
        "externalized-checkpoint-retention: DELETE_ON_CANCELLATION",
    ),
)
"""File, what is there and what somebody wrote instead: a forgotten uid, a rolling aggregate, checkpoints that are deleted."""


def main(*, check: bool) -> int:
    """Write the pictures, or with check name those that are not up to date; return the exit code."""
    with tempfile.TemporaryDirectory() as temporary:
        # HOME: cookiecutter keeps a copy of the answers there.
        os.environ["HOME"], home = temporary, os.environ["HOME"]
        place = Path(cookiecutter(str(ROOT), no_input=True, default_config=True, output_dir=temporary)).resolve()
        os.environ["HOME"] = home
        # Otherwise the parallelism would be the number of this machine's cores.
        with (place / "conf" / "local.yaml").open("a", encoding="utf-8") as file:
            file.write("\nparallelism.default: 2\n")
        pictures = {"graph": graph(place), "refused": terminal("flink run -pym flight_delays", refusal(place))}
    stale = [name for name, text in pictures.items() if _text(IMAGES / f"{name}.svg") != text]
    for name in stale:
        if not check:
            IMAGES.mkdir(exist_ok=True)
            (IMAGES / f"{name}.svg").write_text(pictures[name], encoding="utf-8")
        print(f"docs/images/{name}.svg {'is not up to date: run make docs' if check else 'written'}")
    return int(check and bool(stale))


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.is_file() else None


def graph(place: Path) -> str:
    """Return the picture of a project's job graph."""
    file = place / "graph.svg"
    jobkit = Path(sys.executable).with_name("jobkit")
    subprocess.run([str(jobkit), "graph", "--svg", file.name], cwd=place, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return file.read_text(encoding="utf-8")


def refusal(place: Path) -> str:
    """Break a project, start it for production, and return what it prints."""
    for name, right, wrong in BROKEN:
        text = (place / name).read_text(encoding="utf-8")
        if right not in text:
            raise SystemExit(f"{name} has no {right!r} any more: mend BROKEN")
        (place / name).write_text(text.replace(right, wrong), encoding="utf-8")
    project = find_project(place)
    conf = project.work / "conf"
    configuration.load(project.conf, "prod").write(conf / "config.yaml")
    analysis.prepare(project)
    environ = {**os.environ, "FLINK_CONF_DIR": str(conf), "PYTHONPATH": "src", "JOBKIT_ENV": "prod"}
    flink = distribution.home() / "bin" / "flink"
    # The target matters only for what is submitted, and nothing is.
    command = [str(flink), "run", "-t", "local", "-pyclientexec", sys.executable, "-pym", "flight_delays"]
    launched = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, check=False)
    # Before it Flink's client may warn of its logging; behind it comes that the program has ended with 1.
    said = re.search(
        r"^The job was not started.*?(?=^\d\d:\d\d:\d\d|^\S*(?:Exception|Error)\b|\Z)", launched.stdout, re.DOTALL | re.MULTILINE
    )
    if said is None:
        raise SystemExit(f"the broken job was not refused: {launched.stdout}{launched.stderr}")
    return said[0]


def terminal(command: str, output: str) -> str:
    """Return a picture of a terminal in which a command printed something, without a font from elsewhere."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    console.print(Text(output.rstrip()))
    code = console.export_svg(title="A job that jobkit refuses", theme=DIMMED_MONOKAI, unique_id="refused")
    before, _, rest = code.partition("@font-face")
    return before + rest[rest.rindex("}\n", 0, rest.index(".refused-matrix")) + 2 :].lstrip()


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
