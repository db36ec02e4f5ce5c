"""What each operation works with: the right to change a deployment, its ledger and journal, and who is told how it goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

import tenacity

from ..cluster.local import Reporter
from ..cluster.submission import JobRefused
from ..errors import ClusterError, ConfigurationError, JobFailed, JobkitError
from .address import LedgerAway
from .holder import person
from .instance import ABANDONED, PREPARED, Instance, Operation, new_uid
from .lease import Lease
from .ledger import Ledger
from .version import Version

_SECONDS_FOR_THE_LEDGER = 120
"""How long a ledger is waited for that is away: a server that fails over takes a minute."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Change:
    """One command's change of a deployment.

    Attributes:
        ledger: Remembers it.
        lease: The right to it.
        reporter: Is told how it goes on.
        work: The project's folder `.jobkit`.
    """

    ledger: Ledger
    lease: Lease
    reporter: Reporter
    work: Path

    def version(self, instance: Instance) -> Version:
        """Return an instance as a version on this machine."""
        return Version(self.ledger, instance, self.work)

    def of(self, uid: str) -> Version:
        """Return the version of an instance."""
        return self.version(self.ledger.instance(uid))

    def begin(self, kind: str, details: Mapping[str, Any]) -> Operation:
        """Write a new operation into the journal."""
        operation = Operation(new_uid(), self.lease.deployment, kind, PREPARED, dict(details), begun=now(), by=person())
        self.ledger.begin(operation, self.lease)
        return operation

    def record(self, operation: Operation, step: str, **details: Any) -> Operation:
        """Write down a step that an operation has reached; return the operation."""
        return self.patiently(lambda: self.ledger.record(operation.uid, self.lease, step, **details))

    def add(self, instance: Instance) -> Instance:
        """Add an instance to the ledger; one that is there already stays as it is."""

        def write() -> Instance:
            known = {each.uid: each for each in self.ledger.instances(instance.deployment)}
            return known.get(instance.uid) or self.ledger.add(instance, self.lease)

        return self.patiently(write)

    def change(self, uid: str, **values: Any) -> Instance:
        """Change what the ledger says of an instance."""
        return self.patiently(lambda: self.ledger.change(uid, self.lease, **values))

    def end(self, uid: str, status: str, ending: str, **values: Any) -> Instance:
        """Write down that an instance is over."""
        return self.change(uid, status=status, ended=now(), ending=ending, **values)

    def finish(self, operation: Operation, outcome: str) -> None:
        """Write down that an operation is over."""

        def write() -> None:
            left = self.ledger.unfinished(operation.deployment)
            if left is not None and left.uid == operation.uid:  # else it was written, and the answer was lost
                self.ledger.finish(operation.uid, self.lease, outcome)

        self.patiently(write)

    def close(self, operation: Operation, outcome: str, *ends: tuple[str, str, str]) -> None:
        """Write down that an operation is over, and instances with it; what it comes to is written first, so that it can be taken up.

        Args:
            operation: The operation.
            outcome: How it is finished.
            ends: Uid, status and ending of each instance.
        """
        self.record(operation, operation.step, closing={"outcome": outcome, "ends": [list(end) for end in ends]})
        for uid, status, ending in ends:
            self.end(uid, status, ending)
        self.finish(operation, outcome)

    def instances(self) -> list[Instance]:
        """Return the instances of the deployment, the newest first."""
        return self.patiently(lambda: self.ledger.instances(self.lease.deployment))

    def require(self) -> None:
        """Raise LeaseLost when another command has taken over: it may have begun what this one must not end."""
        self.patiently(self.lease.require)

    def patiently(self, write: Callable[[], _T]) -> _T:
        """Ask the ledger again for a while when it is away: a job may have been stopped, and nothing runs until it answers."""

        def tell(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            self.tell(f"the ledger is away; once more: {error.found if isinstance(error, LedgerAway) else ''}")

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_delay(_SECONDS_FOR_THE_LEDGER),
            wait=tenacity.wait_exponential(0.5, max=5),
            retry=tenacity.retry_if_exception_type(LedgerAway),
            before_sleep=tell,
            reraise=True,
        )
        return retrying(write)

    def tell(self, text: str) -> None:
        """Tell how it goes on; a terminal that is gone keeps nothing from going on."""
        with suppress(OSError):
            self.reporter.phase(text)

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Show that something goes on, for as long as it does; nobody can tell how far it is."""
        with suppress(OSError):
            self.reporter.progress(what, 0, 0)
        try:
            yield
        finally:
            with suppress(OSError):
                self.reporter.progress(what, 1, 1)

    @contextmanager
    def abandoning(self, new: Version) -> Iterator[None]:
        """Let the ledger say so when an instance is given up before anything of it has started."""
        try:
            yield
        except JobkitError as error:
            is_open = self.ledger.unfinished(self.lease.deployment) is not None  # then the next command goes on with it
            if not is_open and self.ledger.instance(new.uid).status == PREPARED:
                self.end(new.uid, ABANDONED, error.what)
            raise


UNPROVED = (JobFailed, JobRefused, ClusterError, ConfigurationError, OSError, subprocess.SubprocessError)
"""What says that a version does not start; the ledger's own errors, and a lost lease, are none of these."""


def reason_of(error: BaseException) -> str:
    """Return why a version does not start, in a line or two."""
    if isinstance(error, JobFailed):
        return error.root_cause if error.what == "The job failed." else f"{error.what} {error.root_cause}"
    return str(error) or type(error).__name__


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(timezone.utc)
