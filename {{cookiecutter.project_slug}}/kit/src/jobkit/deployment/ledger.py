"""The ledger of deployments: what ran, what runs, from which bytes, and who is changing it."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import AbstractContextManager
from dataclasses import fields
from typing import Any

import sqlalchemy as sql

from . import lease as leasing
from . import schema
from .address import LedgerError
from .database import Database
from .instance import RUNNING, STARTING, STATUSES, Instance, Specification
from .journal import Journal
from .lease import Lease
from .pruning import prune
from .schema import artefacts, instances

__all__ = ["Ledger", "LedgerError"]

KEPT = "JOBKIT_LEDGER_KEPT"
"""The environment variable that says how many instances that are over are kept of each deployment."""
_KEPT = 100

_COLUMNS = [instances.c[entry.name] for entry in fields(Instance)]
_CHANGING = frozenset({"specification", "status", "snapshot", "savepoint", "ended", "ending"})
_PREFIX = re.compile(r"[0-9a-f]{4,32}")


class Ledger(Journal):
    """Remembers instances, their artefacts and the operations on deployments.

    A write that takes a lease checks, in its own transaction, that nobody else has taken that: a process that was stopped
    for minutes and goes on changes nothing.

    Attributes:
        url: The database's address, without a password.
    """

    def __init__(self, database: Database, kept: int) -> None:
        """Take the database; see `open`."""
        super().__init__(database)
        self.url = database.url
        self._kept = kept

    @classmethod
    def open(cls, url: str | None = None, kept: int | None = None) -> Ledger:
        """Open a ledger, and create it if there is none.

        Args:
            url: A path, of a SQLite file, or a URL of SQLite or PostgreSQL. None: that of the environment variable
                JOBKIT_LEDGER or, where that is not set, a file in the user's folder for state.
            kept: How many instances that are over are kept of each deployment. None: as many as the environment variable
                JOBKIT_LEDGER_KEPT says, or 100.

        Raises:
            LedgerError: When it cannot be opened, or a newer jobkit has written it.
        """
        kept = _kept() if kept is None else kept
        if kept < 1:
            raise LedgerError("A ledger keeps one instance that is over at least.", found=str(kept))
        return cls(Database(url), kept)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def lease(self, deployment: str, what: str, seconds: float = leasing.SECONDS) -> AbstractContextManager[Lease]:
        """Hold the lease of a deployment until the block ends; see `lease.held`."""
        return leasing.held(self._database, deployment, what, seconds)

    def keep_artefact(self, sha256: str, content: bytes) -> None:
        """Keep an artefact for an instance that is to be added within the hour; one that is there stays.

        Raises:
            LedgerError: When the content has another digest, or cannot be written.
        """
        self._check_digest(sha256, content)
        with self._database.writing() as connection:
            values = {"content": content, "waiting_since": schema.clock(connection)}
            statement = schema.insertion(connection, artefacts).values(sha256=sha256, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["sha256"], set_=values))

    def artefact(self, sha256: str) -> bytes:
        """Return the content of an artefact.

        Raises:
            LedgerError: When there is none, or its content is damaged.
        """
        with self._database.reading() as connection:
            content = connection.scalar(sql.select(artefacts.c.content).where(artefacts.c.sha256 == sha256))
        if content is None:
            raise LedgerError("The ledger has no such artefact.", found=sha256, where=self.url, remedy="Build it anew from its commit.")
        self._check_digest(sha256, content)
        return bytes(content)

    def _check_digest(self, sha256: str, content: bytes) -> None:
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            found = f"{found}, not {sha256}"
            raise LedgerError("The artefact is damaged: its SHA-256 is another.", found=found, where=self.url, remedy="Build it anew.")

    def add(self, instance: Instance, lease: Lease) -> Instance:
        """Add an instance, whose artefact was kept, and forget what is too old.

        Args:
            instance: What to add; its number does not matter.
            lease: That of its deployment.

        Returns:
            The instance, with its number.

        Raises:
            LeaseLost: When another has taken the lease.
            LedgerError: When the uid is there, or the artefact is not.
        """
        self.check_lease(lease, instance.deployment)
        sha256 = instance.specification.artefact
        values = {entry.name: getattr(instance, entry.name) for entry in fields(Instance)}
        with self._database.writing() as connection:
            lease.fence(connection)
            # On PostgreSQL, one at a time adds and prunes; on SQLite one at a time writes anyway.
            connection.execute(sql.select(schema.schema.c.version).with_for_update())
            if connection.scalar(sql.select(instances.c.uid).where(instances.c.uid == instance.uid)):
                raise LedgerError("The instance is in the ledger already.", found=instance.uid, where=self.url)
            came = sql.update(artefacts).where(artefacts.c.sha256 == sha256).values(waiting_since=None)
            if connection.execute(came).rowcount != 1:
                raise LedgerError("The ledger has no such artefact.", found=sha256, where=self.url, remedy="Keep it before its instance.")
            last = connection.scalar(sql.select(sql.func.max(instances.c.number)).where(instances.c.deployment == instance.deployment))
            values |= {"number": (last or 0) + 1, "specification": instance.specification.to_json()}
            connection.execute(sql.insert(instances).values(**values, artefact=sha256))
            added = _one(connection, instance.uid)
            prune(connection, instance.deployment, self._kept)
        return added

    def change(self, uid: str, lease: Lease | None = None, **values: Any) -> Instance:
        """Change what is known of an instance.

        Args:
            uid: The whole uid.
            lease: That of its deployment; None for what was only observed.
            values: Any of `specification`, `status`, `snapshot`, `savepoint`, `ended` and `ending`.

        Raises:
            LeaseLost: When another has taken the lease.
            LedgerError: When there is no such instance.
        """
        if not values.keys() <= _CHANGING:
            raise TypeError(f"an instance has no {', '.join(sorted(values.keys() - _CHANGING))} that could change")
        if values.get("status", STARTING) not in STATUSES:
            raise ValueError(f"{values['status']!r} is none of {', '.join(STATUSES)}")
        if "specification" in values:
            values["specification"] = values["specification"].to_json()
        with self._database.writing() as connection:
            if lease is not None:
                lease.fence(connection)
            deployment = connection.scalar(sql.select(instances.c.deployment).where(instances.c.uid == uid))
            if deployment is None:
                raise LedgerError("The ledger has no such instance.", found=uid, where=self.url)
            if lease is not None:
                self.check_lease(lease, deployment)
            if values:
                connection.execute(sql.update(instances).where(instances.c.uid == uid).values(**values))
            return _one(connection, uid)

    def instance(self, uid: str, deployment: str | None = None) -> Instance:
        """Return an instance.

        Args:
            uid: Its uid, or the first digits of it, four at least, when no other has the same.
            deployment: Whose it is, or None for any.

        Raises:
            LedgerError: When there is none, or there are several.
        """
        digits = uid.strip().lower()
        if not _PREFIX.fullmatch(digits):
            raise LedgerError("This is no uid of an instance.", found=repr(uid), remedy="Give 4 to 32 of its hexadecimal digits.")
        chosen = sql.select(*_COLUMNS).where(instances.c.uid.startswith(digits))
        if deployment is not None:
            chosen = chosen.where(instances.c.deployment == deployment)
        found = self._instances(chosen.order_by(instances.c.deployment, instances.c.number.desc()))
        if not found:
            raise LedgerError(f"The ledger has no such instance{f' of {deployment}' if deployment else ''}.", found=uid, where=self.url)
        if len(found) > 1:
            candidates = ", ".join(f"{entry.uid} ({entry.deployment}, number {entry.number})" for entry in found)
            raise LedgerError("Several instances have a uid that begins so.", found=candidates, where=self.url, remedy="Give more digits.")
        return found[0]

    def instances(self, deployment: str | None = None) -> list[Instance]:
        """Return the instances of a deployment, or all, the newest first."""
        chosen = sql.select(*_COLUMNS)
        if deployment is not None:
            return self._instances(chosen.where(instances.c.deployment == deployment).order_by(instances.c.number.desc()))
        return self._instances(chosen.order_by(instances.c.created.desc(), instances.c.deployment, instances.c.number.desc()))

    def current(self, deployment: str) -> Instance | None:
        """Return the newest instance of a deployment that runs or is about to, or None."""
        runs = instances.c.status.in_((STARTING, RUNNING))
        chosen = sql.select(*_COLUMNS).where(instances.c.deployment == deployment, runs)
        return next(iter(self._instances(chosen.order_by(instances.c.number.desc()).limit(1))), None)

    def _instances(self, chosen: sql.Select[Any]) -> list[Instance]:
        with self._database.reading() as connection:
            return [_instance(row) for row in connection.execute(chosen)]


def _kept() -> int:
    text = os.environ.get(KEPT) or str(_KEPT)
    if not text.isdecimal():
        raise LedgerError(f"{KEPT} is no number.", found=repr(text), remedy="It says how many instances that are over are kept.")
    return int(text)


def _one(connection: sql.Connection, uid: str) -> Instance:
    return _instance(connection.execute(sql.select(*_COLUMNS).where(instances.c.uid == uid)).one())


def _instance(row: sql.Row[Any]) -> Instance:
    values = dict(row._mapping)
    return Instance(**{**values, "specification": Specification.from_json(values["specification"])})
