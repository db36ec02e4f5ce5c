"""The folder of rehearsals."""

from __future__ import annotations

import shutil

from ..cluster.workplace import Workplace
from ..project import Project

NAME = "rehearsal"


class Place(Workplace):
    """The folder of rehearsals, in which no data of production's stays.

    Attributes:
        copy: The copy of the snapshot.
    """

    def __init__(self, project: Project) -> None:
        """Name the folders; nothing is made."""
        super().__init__(project, NAME)
        self.copy = self.root / "snapshot"

    def clean(self) -> None:
        """Remove the temporary files, the copy and what the job has made of it; the logs stay."""
        super().clean()
        for folder in (self.copy, self.checkpoints, self.savepoints, self.drained, self.broker):
            shutil.rmtree(folder, ignore_errors=True)
