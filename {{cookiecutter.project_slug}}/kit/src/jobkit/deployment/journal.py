"""The journal: what is or was done to deployments, so that a process can take up what a killed one has left."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sql

from .address import LedgerError
from .database import Database
from .instance import Operation
from .lease import Lease
from .schema import operations

_COLUMNS = [operations.c[entry.name] for entry in fields(Operation)]


class Journal:
    """The part of a ledger that remembers operations; of each deployment, one at most is unfinished."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def begin(self, operation: Operation, lease: Lease) -> None:
        """Write down that an operation begins.

        Raises:
            LeaseLost: When another has taken the lease.
            LedgerError: When one of the deployment is unfinished, or the uid is there.
        """
        self.check_lease(lease, operation.deployment)
        values = {entry.name: getattr(operation, entry.name) for entry in fields(Operation)}
        with self._database.writing() as connection:
            lease.fence(connection)
            if connection.execute(sql.select(operations.c.uid).where(operations.c.uid == operation.uid)).first():
                raise LedgerError("The operation is in the ledger already.", found=operation.uid, where=self._database.url)
            left = _unfinished(connection, operation.deployment)
            if left is not None:
                raise LedgerError(
                    f"An operation on {operation.deployment} is unfinished.",
                    found=f"{left.kind} {left.uid} by {left.by}, at the step {left.step}",
                    where=self._database.url,
                    remedy="Take it up, and finish it, first.",
                )
            connection.execute(sql.insert(operations).values({**values, "details": dict(operation.details)}))

    def record(self, uid: str, lease: Lease, step: str, **details: Any) -> Operation:
        """Write down a step that an operation has reached.

        Args:
            uid: The operation's.
            lease: That of its deployment.
            step: The step.
            details: What those after it need to know; it is added to what is there.

        Raises:
            LeaseLost: When another has taken the lease.
            LedgerError: When there is no such operation, or it is finished.
        """
        return self._change(uid, lease, details, step=step)

    def finish(self, uid: str, lease: Lease, outcome: str) -> Operation:
        """Write down that an operation has ended, and how.

        Raises:
            LeaseLost: When another has taken the lease.
            LedgerError: When there is no such operation, or it is finished.
        """
        return self._change(uid, lease, {}, ended=datetime.now(timezone.utc), outcome=outcome)

    def unfinished(self, deployment: str) -> Operation | None:
        """Return the operation on a deployment that was begun and not finished, or None."""
        with self._database.reading() as connection:
            return _unfinished(connection, deployment)

    def operations(self, deployment: str | None = None) -> list[Operation]:
        """Return the operations on a deployment, or on all, the newest first."""
        chosen = sql.select(*_COLUMNS).order_by(operations.c.begun.desc(), operations.c.uid)
        if deployment is not None:
            chosen = chosen.where(operations.c.deployment == deployment)
        with self._database.reading() as connection:
            return [Operation(**row._mapping) for row in connection.execute(chosen)]

    def check_lease(self, lease: Lease, deployment: str) -> None:
        """See that a lease is that of a deployment.

        Raises:
            LedgerError: When it is another's.
        """
        if lease.deployment != deployment:
            raise LedgerError(f"The lease of {lease.deployment} does not allow to change {deployment}.", where=self._database.url)

    def _change(self, uid: str, lease: Lease, details: dict[str, Any], **values: Any) -> Operation:
        this = operations.c.uid == uid
        with self._database.writing() as connection:
            lease.fence(connection)
            row = connection.execute(sql.select(*_COLUMNS).where(this)).one_or_none()
            if row is None:
                raise LedgerError("There is no such operation.", found=uid, where=self._database.url)
            self.check_lease(lease, row.deployment)
            if row.ended is not None:
                raise LedgerError("The operation is finished.", found=f"{uid}: {row.outcome}", where=self._database.url)
            connection.execute(sql.update(operations).where(this).values(details={**row.details, **details}, **values))
            return Operation(**connection.execute(sql.select(*_COLUMNS).where(this)).one()._mapping)


def _unfinished(connection: sql.Connection, deployment: str) -> Operation | None:
    chosen = sql.select(*_COLUMNS).where(operations.c.deployment == deployment, operations.c.ended.is_(None))
    row = connection.execute(chosen.order_by(operations.c.begun.desc()).limit(1)).one_or_none()
    return None if row is None else Operation(**row._mapping)
