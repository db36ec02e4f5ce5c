"""The right to change a deployment: one process at a time has it, and loses it when it does not renew it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sql

from ..errors import JobkitError
from . import schema
from .address import LedgerError
from .database import Database
from .holder import Holder
from .schema import leases

SECONDS = 60.0
"""How long a lease lasts that is not renewed."""
_RENEWALS = 6
"""How often it is renewed in that time."""


class Occupied(JobkitError):
    """Another operation on the deployment is under way."""

    exit_code = 1


class LeaseLost(JobkitError):
    """The lease was not renewed in time, and another operation has taken it: this one must not go on."""

    exit_code = 1


class Lease:
    """The right to change one deployment.

    Attributes:
        deployment: Which one.
        owner: What tells this lease from all others.
    """

    def __init__(self, database: Database, deployment: str, seconds: float) -> None:
        """Prepare one that is not taken yet; see `held`."""
        self.deployment = deployment
        self.owner = secrets.token_hex(16)
        self._database = database
        self._milliseconds = int(seconds * 1000)

    def require(self) -> None:
        """Renew it.

        Raises:
            LeaseLost: When another has taken it.
            LedgerError: When the database refuses.
        """
        with self._database.writing() as connection:
            self.fence(connection)

    def fence(self, connection: sql.Connection) -> None:
        """Renew it as a part of a transaction, which nobody else can take it before the end of.

        Raises:
            LeaseLost: When another has taken it.
        """
        mine = (leases.c.deployment == self.deployment) & (leases.c.owner == self.owner)
        renewed = connection.execute(sql.update(leases).where(mine).values(runs_out=self._end(connection)))
        if renewed.rowcount != 1:
            row = _row(connection, self.deployment)
            raise LeaseLost(
                f"The lease of {self.deployment} is lost: it was not renewed in time. Nothing was written.",
                found="nobody holds it now" if row is None else _described(row),
                where=self._database.url,
                remedy="Look at what the other operation has done, and begin anew.",
            )

    def take(self, what: str) -> None:
        """Take it, if nobody has it or whoever has it is gone.

        Raises:
            Occupied: When somebody has it.
            LedgerError: When the database refuses.
        """
        while True:
            with self._database.writing() as connection:
                statement = schema.insertion(connection, leases).values(deployment=self.deployment, **self._values(connection, what))
                connection.execute(statement.on_conflict_do_nothing())
                row = _row(connection, self.deployment)
                if row is None:  # given back between the two statements
                    continue
                if row.owner == self.owner:
                    return
                if row.remaining > 0 and not _holder(row).is_gone():
                    raise self._occupied(row)
                if self._replace(connection, what, row):
                    return

    def give_back(self) -> None:
        """Let others take it at once; nothing happens when it is lost."""
        with self._database.writing() as connection:
            connection.execute(sql.delete(leases).where(leases.c.deployment == self.deployment, leases.c.owner == self.owner))

    def _replace(self, connection: sql.Connection, what: str, row: sql.Row[Any]) -> bool:
        as_it_was_read = (leases.c.owner == row.owner) & (leases.c.runs_out == row.runs_out)
        statement = sql.update(leases).where(leases.c.deployment == self.deployment, as_it_was_read)
        return connection.execute(statement.values(**self._values(connection, what))).rowcount == 1

    def _values(self, connection: sql.Connection, what: str) -> dict[str, Any]:
        me = Holder.me()
        return {
            "owner": self.owner,
            "what": what,
            "person": me.person,
            "machine": me.machine,
            "process": me.process,
            "started": me.started,
            "since": datetime.now(timezone.utc),
            "runs_out": self._end(connection),
        }

    def _end(self, connection: sql.Connection) -> sql.ColumnElement[int]:
        return schema.clock(connection) + self._milliseconds

    def _occupied(self, row: sql.Row[Any]) -> Occupied:
        seconds = -(-row.remaining // 1000)
        return Occupied(
            f"Another operation on {self.deployment} is under way.",
            found=_described(row),
            where=self._database.url,
            remedy=f"Wait until it has ended. If its process is gone, try again in {seconds} s, when its lease has run out.",
        )


@contextmanager
def held(database: Database, deployment: str, what: str, seconds: float = SECONDS) -> Iterator[Lease]:
    """Hold the lease of a deployment, and renew it in a thread, until the block ends.

    Args:
        database: Where it is written.
        deployment: Which one.
        what: What is done, for those who want it meanwhile.
        seconds: How long it lasts when it is not renewed.

    Raises:
        Occupied: When somebody has it.
        LedgerError: When the database refuses.
    """
    lease = Lease(database, deployment, seconds)
    lease.take(what)
    over = threading.Event()
    renewal = threading.Thread(target=_renew, args=(lease, over, seconds / _RENEWALS), name=f"lease of {deployment}", daemon=True)
    renewal.start()
    try:
        yield lease
    finally:
        over.set()
        renewal.join()
        with suppress(LedgerError):  # then it runs out; what was to be done is done
            lease.give_back()


def _renew(lease: Lease, over: threading.Event, interval: float) -> None:
    with suppress(LeaseLost):  # the next write says so
        while not over.wait(interval):
            with suppress(LedgerError):  # there is time for more attempts
                lease.require()


def _row(connection: sql.Connection, deployment: str) -> sql.Row[Any] | None:
    remaining = (leases.c.runs_out - schema.clock(connection)).label("remaining")
    return connection.execute(sql.select(leases, remaining).where(leases.c.deployment == deployment)).one_or_none()


def _holder(row: sql.Row[Any]) -> Holder:
    return Holder(row.person, row.machine, row.process, row.started)


def _described(row: sql.Row[Any]) -> str:
    return f"{row.what} by {row.person}, process {row.process}, since {row.since:%Y-%m-%d %H:%M:%S} UTC"
