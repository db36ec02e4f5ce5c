"""A runner of GitHub's workflows on this machine, for the steps that are shell."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import BakedProject

SHELLS = {None: ("bash", "-e"), "bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail")}
"""What GitHub's runner calls with the file of a step's script, by the `shell:` that the workflow names."""


@dataclass(frozen=True)
class Done:
    """A step that was run.

    Attributes:
        name: Its name, or else its script.
        code: What it exited with.
        output: What it printed.
    """

    name: str
    code: int
    output: str


@dataclass
class Runner:
    """Runs the shell steps of a workflow's jobs in a project; those that use an action are passed over.

    Attributes:
        project: The project, as it would be checked out.
        environment: The variables of the machine.
        workflow: The parsed workflow.
    """

    project: BakedProject
    environment: Mapping[str, str]
    workflow: dict[str, Any]

    @property
    def summary(self) -> Path:
        """The file whose content GitHub shows with a run."""
        return self.project.path.parent / "summary.md"

    def run(self, job: str) -> list[Done]:
        """Run the steps of a job in their order; after a failure, those that ask for it."""
        done: list[Done] = []
        for step in self.workflow["jobs"][job]["steps"]:
            failed = any(before.code for before in done)
            wanted = {"success()": not failed, "failure()": failed, "always()": True}[step.get("if", "success()")]
            if wanted and "run" in step:
                done.append(self._step(job, step))
        return done

    def _step(self, job: str, step: Mapping[str, Any]) -> Done:
        layers = [self.workflow, self.workflow["jobs"][job], step]
        variables = {name: str(value) for layer in layers for name, value in layer.get("env", {}).items()}
        assert "${{" not in step["run"] + "".join(variables.values()), "An expression is GitHub's to evaluate: no shell can run it."
        defaults = [layer["defaults"]["run"] for layer in layers if "defaults" in layer]
        shell = SHELLS[{key: value for layer in [*defaults, step] for key, value in layer.items()}.get("shell")]
        script = self.project.path.parent / "step.sh"
        script.write_text(step["run"], encoding="utf-8")
        done = subprocess.run(
            [*shell, str(script)],
            cwd=self.project.path / step.get("working-directory", "."),
            env={**self.environment, "CI": "true", "GITHUB_STEP_SUMMARY": str(self.summary), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Done(step.get("name", step["run"]), done.returncode, done.stdout)
