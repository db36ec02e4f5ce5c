"""The two stages of a rehearsal: the check of the snapshot, in this process, and the run."""

from __future__ import annotations

from pathlib import Path

from rich.console import RenderableType

from .. import configuration
from ..cluster.local import Reporter
from ..errors import JobkitError
from ..project import Project
from ..state import comparison
from ..state.fates import Compatibility
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
        read, found = comparison.compare(self._project, self._environment, given, self._wishes.snapshot, lock)
        self._premise = Premise(read.jobs[0], found, given.values)
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
