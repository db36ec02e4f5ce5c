"""An instance on this machine: its code unpacked, its configuration, the process that examines it, and where it runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from .. import configuration
from ..cluster import jars, java
from ..errors import ConfigurationError, JobkitError
from ..project import ENVIRONMENT_VARIABLE, find_project
from . import artefact
from .application import ApplicationCluster
from .examination import HIDDEN
from .examiner import Examiner
from .instance import Instance, Specification
from .ledger import Ledger
from .session import SessionCluster
from .target import Start, Target, folder_of, home

SESSION, APPLICATION = "session", "application"


class Version:
    """One instance; a context manager that ends its examiner.

    Attributes:
        instance: What the ledger says of it.
        target: Where it runs.
    """

    def __init__(self, ledger: Ledger, instance: Instance, work: Path | None = None) -> None:
        """Take an instance; nothing is unpacked yet.

        Args:
            ledger: Holds its artefact.
            instance: The instance.
            work: A folder `.jobkit` that knows where jars are, so that they are not looked for anew.
        """
        self.instance, self._ledger, self.work = instance, ledger, work
        self.target = target_of(instance.specification)
        self._examiner: Examiner | None = None
        self._unpacked: Path | None = None

    def __enter__(self) -> Version:  # noqa: PYI034  (typing.Self came with Python 3.11)
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the examiner."""
        if self._examiner is not None:
            self._examiner.close()
            self._examiner = None

    @property
    def uid(self) -> str:
        """The instance's uid."""
        return self.instance.uid

    @property
    def unpacked(self) -> Path:
        """The folder of its code; unpacked now if it was not.

        Raises:
            LedgerError: When the ledger does not have the artefact.
        """
        if self._unpacked is None:
            folder = folder_of(self.uid) / "project"
            content = self._ledger.artefact(self.instance.specification.artefact)
            self._unpacked = artefact.unpack(content, folder)
            if self.work is not None:
                known = self.work / "flink" / "jars.json"
                with contextlib.suppress(OSError):
                    (folder / ".jobkit" / "flink").mkdir(parents=True, exist_ok=True)
                    shutil.copy(known, folder / ".jobkit" / "flink" / known.name)
        return self._unpacked

    @property
    def examiner(self) -> Examiner:
        """The process that examines it; started now if it was not.

        Raises:
            JobkitError: When the job cannot be built.
        """
        if self._examiner is None:
            specification = self.instance.specification
            self._examiner = Examiner(self.unpacked, specification.environment, self.variables(), self._extra())
        return self._examiner

    @cached_property
    def values(self) -> dict[str, str]:
        """Its configuration, secrets and all."""
        read = configuration.load(self.unpacked / "conf", self.instance.specification.environment).values
        return {**read, **self._extra()}

    def variables(self) -> dict[str, str]:
        """Return the environment variables of its processes: those of this process, with the settings that it was deployed with.

        Raises:
            ConfigurationError: When a secret is not set here.
        """
        return variables(self.instance.specification, os.environ)

    def require_startable(self) -> None:
        """Look, as long as nothing has happened, whether it could be started from here: code, settings, secrets, jars, Java.

        Raises:
            JobkitError: When something is missing.
        """
        self.variables()
        _ = self.values
        java.find()
        jars.library(find_project(self.unpacked))

    def start(self, snapshot: str | None, *, leaves_state_behind: bool = False, again: bool = False) -> None:
        """Bring it to where Flink knows its job; see `Target.start`.

        Args:
            snapshot: The address of what it starts from, or None.
            leaves_state_behind: Whether the snapshot holds operators that the job gives up.
            again: It was started before, by a command that was interrupted: where its job is lost, it goes on from its own checkpoint.
        """
        if again and self.target.state(self.uid) is None:
            snapshot = self.newest_left() or snapshot
        arguments = self.instance.specification.arguments
        self.target.start(
            Start(
                uid=self.uid,
                folder=folder_of(self.uid),
                unpacked=self.unpacked,
                package=find_project(self.unpacked).package,
                configuration=self.values,
                variables=self.variables(),
                parallelism=int(arguments["parallelism"]),
                task_managers=int(arguments.get("task_managers") or 1),
                snapshot=snapshot,
                leaves_state_behind=leaves_state_behind,
            )
        )

    def snapshots_folder(self, key: str) -> str | None:
        """Return the address of the folder for its checkpoints (`dir`) or savepoints (`savepoint-dir`), or None when there is none."""
        folder = self.values.get(f"execution.checkpointing.{key}", "").rstrip("/")
        return f"{folder}/{self.uid}" if folder else None

    def newest_left(self) -> str | None:
        """Return the newest checkpoint that it has left, or None."""
        folder = self.snapshots_folder("dir")
        found = self.examiner.savepoints(folder) if folder else []
        return found[-1] if found else None

    def keep_lock(self, savepoint: str, through: Version | None = None) -> None:
        """Put its lock beside a savepoint, so that it is found when the checkpoints of this job are gone.

        The folder may be out of reach from here; then the one beside the checkpoints must do.

        Args:
            savepoint: The savepoint's address.
            through: The version whose examiner writes it, because it is up; by default this one.
        """
        if self.instance.specification.lock:
            with contextlib.suppress(JobkitError):
                (through or self).examiner.store_lock(savepoint, self.instance.specification.lock)

    def tidy(self) -> None:
        """Remove what only a start needs from its folder, secrets among it; logs, and what an application cluster runs from, stay."""
        if not self.target.runs_from_folder(self.uid):
            for name in ("project", "tmp", "conf"):
                shutil.rmtree(folder_of(self.uid) / name, ignore_errors=True)
            self._unpacked = None

    def _extra(self) -> dict[str, str]:
        return {"parallelism.default": str(self.instance.specification.arguments["parallelism"])}


def target_of(specification: Specification) -> Target:
    """Return where instances of a specification run.

    Raises:
        ConfigurationError: When it is an application cluster of another machine, or of another user of this one.
    """
    if specification.mode == APPLICATION:
        place = specification.arguments.get("place")
        if place != here():
            raise ConfigurationError(
                "The application cluster is on another machine, or another user's.", found=here(), where=place, remedy="Ask there."
            )
        return ApplicationCluster(specification.url)
    return SessionCluster(specification.url)


def here() -> str:
    """Return what tells this user on this machine from all others."""
    return f"{socket.gethostname()}:{home()}"


def variables(specification: Specification, environ: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables in which the settings have the values that they were deployed with; secrets stay as they are here.

    Raises:
        ConfigurationError: When a secret is not set here.
    """
    found = {**environ, ENVIRONMENT_VARIABLE: specification.environment}
    for name, value in specification.settings.items():
        if value == HIDDEN:
            if name not in environ:
                raise ConfigurationError(
                    f"{name} is not set.", where="environment variables", remedy="It is a secret, which the ledger does not hold: set it."
                )
        elif value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return found
