"""The two stages of a rehearsal: the check of the snapshot, in this process, and the run."""

from __future__ import annotations

from pathlib import Path

from rich.console import RenderableType

from .. import analysis, configuration
from ..cluster.local import Reporter
from ..errors import JobkitError
from ..project import Project
from ..state import checking, filesystems
from ..state.compatibility import Compatibility
from ..tables import fates
from .outcome import Outcome
from .rehearsal import Rehearsal
from .wishes import Premise, Wishes


class Stages:
    """A rehearsal of a project's job."""

    def __init__(self, project: Project, environment: str, wishes: Wishes, reporter: Reporter) -> None:
        """Take what the user asks for; nothing is read yet.

        Args:
            project: Whose job it is.
            environment: The one that the snapshot is of.
            wishes: What the user asks for.
            reporter: Shows how it goes on.
        """
        self._project, self._environment, self._wishes, self._reporter = project, environment, wishes, reporter
        self._premise: Premise | None = None

    def check(self, lock: Path | None) -> Compatibility:
        """Compare the job with the snapshot, as `jobkit compat` does.

        Raises:
            ConfigurationError: When there is no such snapshot, or the job cannot be read.
        """
        given = configuration.load(self._project.conf, self._environment)
        plugins = filesystems.fetch(self._project, self._wishes.snapshot)
        analysis.prepare(self._project, plugins=plugins)
        graph = analysis.of_project(self._project, self._environment, given, judged=False).jobs[0]
        if plugins is not None:
            filesystems.initialize(given.values)
        found = checking.check(self._project, graph, self._wishes.snapshot, lock)
        self._premise = Premise(graph, found, given.values)
        return found

    def table(self) -> RenderableType:
        """Return what the check has found."""
        return fates(self._checked.compatibility)

    def rehearse(self) -> Outcome:
        """Run it; see `Rehearsal.run`.

        Raises:
            JobkitError: As `Rehearsal` and its `run`.
        """
        return Rehearsal(self._project, self._wishes, self._checked, self._reporter).run()

    @property
    def _checked(self) -> Premise:
        if self._premise is None:
            raise JobkitError("The snapshot was not checked yet.")
        return self._premise
