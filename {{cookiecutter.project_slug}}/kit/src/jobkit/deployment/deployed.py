"""A project's job in one environment, and what can be done to it: deploy, upgrade, roll back, savepoint, stop."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from .. import configuration
from ..cluster.local import Reporter
from ..errors import ClusterError, ConfigurationError
from ..project import Project
from . import artefact, committed, first_start, housekeeping, left, preparation, savepoints, slots, stopping, unfinished
from .change import Change
from .instance import ABANDONED, FAILED, PREPARED, STOPPED, Instance, Operation, Specification
from .ledger import Ledger
from .preparation import Place
from .replacement import Replacement
from .rest import Deployed
from .taking_up import Asked, settle
from .target import is_over
from .version import Version
from .whereabouts import moved, way_on, write_off

SECONDS_FOR_SAVEPOINT = 900.0
"""How long a savepoint of a job that runs on is waited for, by default."""


class NotRunning(ClusterError):
    """A job that the ledger takes for running, and that has ended."""

    exit_code = 1


class DeployedJob:
    """The job.

    Attributes:
        name: What the ledger calls it: `<project>/<environment>`.
    """

    def __init__(self, project: Project, environment: str, ledger: Ledger, reporter: Reporter) -> None:
        """Take the project; nothing is asked of the cluster.

        Args:
            project: Whose job it is.
            environment: Names the file in conf/.
            ledger: Remembers its instances.
            reporter: Shows how it goes on.
        """
        self.name = f"{project.name}/{environment}"
        self._project, self._environment, self._ledger, self._reporter = project, environment, ledger, reporter

    def deploy(  # noqa: PLR0913
        self,
        place: Place,
        snapshot: str | None,
        within: float,
        *,
        version: str | None = None,
        lost: bool = False,
        discard_state: bool = False,
    ) -> Instance:
        """Start the version in the project's folder, or an earlier one, when none runs.

        Args:
            place: Where.
            snapshot: The address of what it starts from; None for a start without state.
            within: Seconds in which its first checkpoint must be complete.
            version: The uid of an instance of an earlier version, or its beginning; it runs as that did, and where, but for the place's
                address and parallelism.
            lost: Write off what the ledger takes for running, and what was interrupted, where no cluster knows of it.
            discard_state: Start although the ledger knows newer state, which is left behind.

        Raises:
            Refused: When a guardrail is broken, or state would be lost.
            JobFailed: When the job does not prove itself; it is ended.
            ConfigurationError: When one runs already.
        """
        with self._changing(Asked("deploy"), lost=place if lost else None) as (change, _), ExitStack() as stack:
            self._require_none(change)
            if version is None:
                new = stack.enter_context(preparation.of_folder(change, self._project, self._environment, place, None))
                stack.enter_context(preparation.added(change, new))
            else:
                earlier = self._ledger.instance(version, self.name)
                new = stack.enter_context(preparation.of_instance(change, earlier, earlier, place))
            preparation.require_unknown(new)
            slots.require_room(change, new)
            nothing: dict[str, Any] = {"snapshot": None, "leaves_state_behind": False}
            found = new.examiner.require_compatible(snapshot) if snapshot else nothing
            if not discard_state:
                left.require_nothing_newer(change, new, found["snapshot"])
            details = {"new": new.uid, **{key: found[key] for key in nothing}, "within": within}
            return first_start.carry_out(change, change.begin("deploy", details), new)

    def upgrade(
        self, within: float, parallelism: int | None = None, *, again: bool = False, snapshot: str | None = None, native: bool = False
    ) -> Instance:
        """Put the version in the project's folder into the place of the one that runs; see `Replacement`.

        Args:
            within: Seconds in which its first checkpoint must be complete.
            parallelism: The new version's; None for that of its configuration or, where that names none, the old one's.
            again: Do so even when the version that runs is the same.
            snapshot: What it starts from, and the old one again, should it fail; what runs is cancelled. None for a savepoint of now.
            native: Whether the savepoint in between has the state backend's own format.
        """
        again = again or snapshot is not None
        asked = Asked("upgrade", lambda: artefact.build(self._project).sha256, snapshot, again)
        with self._changing(asked) as (change, settled):
            if settled is not None:
                return settled
            current = self._current() if snapshot else self._running(change)
            place = Place.of(current.specification, parallelism)
            with preparation.of_folder(change, self._project, self._environment, place, current) as new:
                if not again and _is_same(new.instance.specification, current.specification):
                    self._reporter.phase(f"this version runs already: instance {current.uid[:12]}")
                    return current
                with preparation.added(change, new):
                    self._tell_parallelism(current, new, "its configuration" if parallelism is None else "-p")
                    return self._replace(change, "upgrade", current, new, snapshot, within, native=native)

    def rollback(self, within: float, to: str | None = None, snapshot: str | None = None, parallelism: int | None = None) -> Instance:
        """Put an earlier version into the place of the one that runs.

        Args:
            within: Seconds in which its first checkpoint must be complete.
            to: The uid of an instance of that version, or its beginning; None for the version before.
            snapshot: What it starts from; None for a savepoint of now.
            parallelism: Its parallelism; None for the one that it had.
        """
        asked = Asked("rollback", lambda: self._ledger.instance(to, self.name).specification.artefact if to else None, snapshot)
        with self._changing(asked, undoes=("upgrade",) if to is None and snapshot is None else ()) as (change, settled):
            if settled is not None:
                return settled
            current = self._current() if snapshot else self._running(change)
            earlier = self._ledger.instance(to, self.name) if to else self._before(current)
            with preparation.of_instance(change, earlier, current, Place(parallelism=parallelism)) as new:
                self._tell_parallelism(current, new, "the earlier version" if parallelism is None else "-p")
                return self._replace(change, "rollback", current, new, snapshot, within)

    def undo(self) -> Instance:
        """Take back what a command has begun that was interrupted; return the instance that runs again, or was to be deployed.

        Raises:
            ConfigurationError: When nothing was interrupted.
        """
        with self._changing(Asked("rollback", undoes=True)) as (_, settled):
            if settled is None:
                raise ConfigurationError(f"Nothing of {self.name} is unfinished.", where=self._ledger.url, remedy="See jobkit status.")
            return settled

    def savepoint(self, within: float = SECONDS_FOR_SAVEPOINT, *, native: bool = False) -> str:
        """Take a savepoint, put the lock of what runs beside it, and return its address; the job runs on.

        Args:
            within: Seconds in which it must be complete.
            native: Whether it has the state backend's own format.

        Raises:
            JobFailed: When it fails.
            NotYet: When it is not complete in time.
        """
        with self._changing(Asked("savepoint")) as (change, _), change.version(self._running(change)) as version:
            return savepoints.take(change, version, within, native=native)

    def dispose(self, savepoint: str) -> None:
        """Remove a savepoint, through the cluster of what runs or, when nothing does, of what ran last; see `savepoints.dispose`."""
        savepoints.require_savepoint(savepoint)
        with self._changing(Asked("savepoint --dispose")) as (change, _):
            ran = next((each for each in self._ledger.instances(self.name) if each.status != ABANDONED), None)
            savepoints.dispose(change, self._ledger.current(self.name) or ran or self._current(), savepoint)

    def stop(self, *, cancel: bool = False, native: bool = False) -> str | None:
        """Stop the job with a savepoint, and return its address.

        Args:
            cancel: Take no savepoint, as of a job that fails over and over; what is returned is the checkpoint that it has left, or None.
            native: Whether the savepoint has the state backend's own format.
        """
        with self._changing(Asked("stop")) as (change, _):
            current = self._current() if cancel else self._running(change)
            with change.version(current) as old:
                details = {"cancel": True} if cancel else {**preparation.order(old), "native": native}
                return stopping.carry_out(change, change.begin("stop", {"old": old.uid, **details}), old)

    def move(self, url: str) -> Instance:
        """Remember another address of the cluster; what is under way goes on there. Return the instance that runs.

        Raises:
            ConfigurationError: When the JobManager there does not know the job.
        """
        where = preparation.address(url, {})
        with self._ledger.lease(self.name, "instances move") as lease:
            current, opened = self._current(), self._open()
            if not any(Deployed(where).known_state(instance.uid) for instance in opened):
                remedy = "If its cluster is gone for good: jobkit deploy --lost --from SNAPSHOT."
                raise ConfigurationError(f"The JobManager there does not know {self.name}.", found=current.uid, where=where, remedy=remedy)
            for instance in opened:
                self._ledger.change(instance.uid, lease, specification=moved(instance, where))
        return self._current()

    def state(self) -> tuple[Instance, str | None]:
        """Return the instance that runs, and its job's state; None when the cluster does not know it."""
        current = self._current()
        return current, Version(self._ledger, current).target.state(current.uid)

    def unfinished(self) -> Operation | None:
        """Return what was begun, and is under way or was interrupted."""
        return self._ledger.unfinished(self.name)

    @contextmanager
    def _changing(
        self, asked: Asked, *, lost: Place | None = None, undoes: Collection[str] = ()
    ) -> Iterator[tuple[Change, Instance | None]]:
        """Hold the lease; first finish, or take back, what a command that was killed has begun, or write it off.

        Gives the change, and the instance that runs where nothing is left to do of what was asked for. Interrupted operations of
        the kinds in `undoes` are what the command takes back.
        """
        settled = None
        with self._ledger.lease(self.name, asked.kind) as lease, ExitStack() as stack:
            change = Change(self._ledger, lease, self._reporter, self._project.work)
            stack.callback(housekeeping.clear, change, self._ledger.instances(self.name))
            if lost is not None:
                values = configuration.load(self._project.conf, self._environment).values
                write_off(change, self._open(), preparation.address(lost.url, values))
            operation = self._ledger.unfinished(self.name)
            if operation is not None:
                when = f"{operation.begun.astimezone():%Y-%m-%d %H:%M}"
                self._reporter.phase(f"taking up the {operation.kind} of {when} by {operation.by}, which was interrupted")
                settled = settle(change, operation, replace(asked, undoes=asked.undoes or operation.kind in undoes))
            for instance in self._open():
                if instance.status == PREPARED:
                    change.end(instance.uid, ABANDONED, "the command was interrupted before anything had happened")
            yield change, settled

    def _replace(  # noqa: PLR0913, PLR0917
        self, change: Change, kind: str, current: Instance, new: Version, snapshot: str | None, within: float, *, native: bool = False
    ) -> Instance:
        with change.version(current) as old:
            found = new.examiner.require_compatible(snapshot) if snapshot else preparation.compared(old, new)
            self._reporter.phase(f"the new version can start from {found['snapshot']}")
            slots.require_room(change, new, old)
            details = {
                "old": old.uid,
                "new": new.uid,
                "within": within,
                **preparation.order(old),
                "native": native,
                "countable": committed.is_countable(change, new),
                "leaves_state_behind": found["leaves_state_behind"],
                **({"savepoint": found["snapshot"]} if snapshot else {}),
            }
            old.require_startable()  # it may have to come back
            new.require_startable()
            return Replacement(change, change.begin(kind, details), (old, new)).carry_out()

    def _tell_parallelism(self, current: Instance, new: Version, reason: str) -> None:
        """Say so when the parallelism changes, and why."""
        was, will = (int(each.specification.arguments["parallelism"]) for each in (current, new.instance))
        if was != will:
            self._reporter.phase(f"the parallelism goes from {was} to {will}, that of {reason}; -p sets another one")

    def _open(self) -> list[Instance]:
        """Return the instances that are not over."""
        return [instance for instance in self._ledger.instances(self.name) if not instance.is_over]

    def _current(self) -> Instance:
        """Return the instance that runs, or is about to."""
        found = self._ledger.current(self.name)
        if found is None:
            operation = self.unfinished()
            raise ConfigurationError(
                f"Nothing of {self.name} runs.",
                found=f"unfinished: {unfinished.described(operation)}" if operation else None,
                where=self._ledger.url,
                remedy=unfinished.remedy(operation) if operation else left.hint(self._ledger, self.name),
            )
        return found

    def _running(self, change: Change) -> Instance:
        """Return the instance that runs; raise when its job does not, and say what it can be started from."""
        current, state = self.state()
        if state == "RUNNING":
            return current
        found = f"instance {current.uid[:12]}: {state or 'the cluster does not know it'}"
        raise NotRunning(f"The job of {self.name} does not run.", found=found, remedy=way_on(change, current, state))

    def _require_none(self, change: Change) -> None:
        """Raise when a job runs; what the ledger takes for running, and the cluster does not, is over."""
        running = self._ledger.current(self.name)
        if running is None:
            return
        state = change.version(running).target.state(running.uid)
        if not is_over(state):
            found = f"instance {running.uid[:12]}, {state}"
            remedy = way_on(change, running, state) if state != "RUNNING" else "jobkit upgrade puts this version into its place."
            raise ConfigurationError(f"{self.name} runs already.", found=found, remedy=remedy)
        change.version(running).target.end(running.uid)
        change.end(running.uid, FAILED, f"found {state or 'gone'} at the next deploy")

    def _before(self, current: Instance) -> Instance:
        """Return the newest instance before one, of another version, that has run."""
        for instance in self._ledger.instances(self.name):
            is_other = not instance.specification.is_version_of(current.specification)
            if instance.number < current.number and instance.status == STOPPED and is_other:
                return instance
        remedy = "See jobkit instances; name one with --to."
        raise ConfigurationError(f"There is no version of {self.name} before the one that runs.", remedy=remedy)


def _is_same(one: Specification, other: Specification) -> bool:
    """Whether two instances would do the same: code, configuration, settings, libraries."""
    return replace(one, commit=None) == replace(other, commit=None)
