"""The tutorial does what it says, from its first command to its last."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

from .blocks import Block, blocks, lines

TUTORIAL = ROOT / "docs" / "tutorial.md"
COVERED_ELSEWHERE = "run by `make demo`"


def test_tutorial(tmp_path: Path, environment: dict[str, str], cookiecutter_config: Path, clean_template: Path) -> None:
    """Each command runs, each change applies, and what is shown as output is in the output."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "cookiecutter").symlink_to(Path(sys.executable).with_name("cookiecutter"))
    path = os.pathsep.join([str(tmp_path / "bin"), environment["PATH"]])
    variables = {**environment, "PATH": path, "COOKIECUTTER_CONFIG": str(cookiecutter_config), "COLUMNS": "140"}
    reader = Reader(tmp_path, variables, str(clean_template))
    for block in blocks(TUTORIAL):
        reader.follow(block)
    assert reader.commands >= 10


class Reader:
    """Somebody who does what the page says.

    Attributes:
        commands: How many commands were run.
    """

    def __init__(self, folder: Path, variables: dict[str, str], template: str) -> None:
        self._folder, self._variables, self._template = folder, variables, template
        self._output = ""
        self.commands = 0

    def follow(self, block: Block) -> None:
        """Run the commands of a block, make the change that it shows, or compare with the output that it shows."""
        if block.language == "console" and block.note != COVERED_ELSEWHERE:
            for command in block.commands:
                self._run(command, fails=block.note == "fails")
        elif block.language == "diff":
            self._run("git apply --recount -", fails=False, content=block.text)
        elif block.language == "text":
            shown = lines(self._output)
            assert [line for line in lines(block.text) if line not in shown] == [], self._output
        else:
            assert block.note == COVERED_ELSEWHERE, f"nothing is done with a block of {block.language}"

    def _run(self, command: str, *, fails: bool, content: str | None = None) -> None:
        if command.startswith("cd "):
            self._folder /= command.removeprefix("cd ")
            return
        command = command.replace("gh:org/flink-job", self._template)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._variables,
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) is fails, f"{command} exited with {done.returncode}:\n{done.stdout}"
        self._output = done.stdout
        self.commands += 1
