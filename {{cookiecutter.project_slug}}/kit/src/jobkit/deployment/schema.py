"""The ledger's tables, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects import postgresql, sqlite

from .address import LedgerError

VERSION = 1
"""Counted up when an older jobkit would misread the tables."""

_KEY_OF_CREATION = 0x6A6F626B6974
"""Which of PostgreSQL's advisory locks those take who create the tables: `jobkit` in ASCII."""


class Moment(sql.types.TypeDecorator[datetime]):
    """A moment: aware and in UTC in Python, on SQLite too, which has no such type."""

    impl = sql.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sql.Dialect) -> datetime | None:
        """Return what is written."""
        if value is None:
            return None
        moment = value.astimezone(timezone.utc)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: sql.Dialect) -> datetime | None:
        """Return what was read."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if dialect.name == "sqlite" else value.astimezone(timezone.utc)


class Document(sql.types.TypeDecorator[Any]):
    """Anything that JSON can express, as a text: PostgreSQL's own type refuses some texts, SQLite has none."""

    impl = sql.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sql.Dialect) -> str:
        """Return what is written; in ASCII, so that texts may have characters that a database does not store."""
        del dialect
        return json.dumps(value, allow_nan=False)

    def process_result_value(self, value: str | None, dialect: sql.Dialect) -> Any:
        """Return what was read."""
        del dialect
        try:
            return json.loads(value or "")
        except ValueError as error:
            raise LedgerError("An entry of the ledger is damaged: it is no JSON.", found=str(error)) from error


tables = sql.MetaData()

schema = sql.Table("jobkit_schema", tables, sql.Column("version", sql.Integer, primary_key=True, autoincrement=False))

artefacts = sql.Table(
    "jobkit_artefacts",
    tables,
    sql.Column("sha256", sql.Text, primary_key=True),
    sql.Column("content", sql.LargeBinary, nullable=False),
    # Milliseconds on the database's clock: since when it waits for the instance that it was kept for. Null: it came.
    sql.Column("waiting_since", sql.BigInteger),
)

instances = sql.Table(
    "jobkit_instances",
    tables,
    sql.Column("uid", sql.Text, primary_key=True),
    sql.Column("deployment", sql.Text, nullable=False),
    sql.Column("number", sql.Integer, nullable=False),
    sql.Column("created", Moment, nullable=False),
    sql.Column("by", sql.Text, nullable=False),
    sql.Column("specification", Document, nullable=False),
    sql.Column("artefact", sql.Text, sql.ForeignKey("jobkit_artefacts.sha256"), nullable=False, index=True),
    sql.Column("previous", sql.Text),
    sql.Column("snapshot", sql.Text),
    sql.Column("status", sql.Text, nullable=False),
    sql.Column("savepoint", sql.Text),
    sql.Column("ended", Moment),
    sql.Column("ending", sql.Text),
    sql.UniqueConstraint("deployment", "number"),
)

operations = sql.Table(
    "jobkit_operations",
    tables,
    sql.Column("uid", sql.Text, primary_key=True),
    sql.Column("deployment", sql.Text, nullable=False, index=True),
    sql.Column("kind", sql.Text, nullable=False),
    sql.Column("step", sql.Text, nullable=False),
    sql.Column("details", Document, nullable=False),
    sql.Column("begun", Moment, nullable=False),
    sql.Column("by", sql.Text, nullable=False),
    sql.Column("ended", Moment),
    sql.Column("outcome", sql.Text),
)

leases = sql.Table(
    "jobkit_leases",
    tables,
    sql.Column("deployment", sql.Text, primary_key=True),
    sql.Column("owner", sql.Text, nullable=False),
    sql.Column("what", sql.Text, nullable=False),
    sql.Column("person", sql.Text, nullable=False),
    sql.Column("machine", sql.Text, nullable=False),
    sql.Column("process", sql.Integer, nullable=False),
    sql.Column("started", sql.Text, nullable=False),
    sql.Column("since", Moment, nullable=False),
    sql.Column("runs_out", sql.BigInteger, nullable=False),  # milliseconds on the database's clock
)


def clock(connection: sql.Connection) -> sql.ColumnElement[int]:
    """Return an expression for the milliseconds since 1970, on the database's clock, at the moment of the statement.

    The clocks of two machines may be minutes apart; the database has one, by which a lease runs out for all of them at once.
    """
    if connection.dialect.name == "sqlite":
        return sql.cast((sql.func.julianday("now") - 2440587.5) * 86_400_000, sql.BigInteger)
    return sql.cast(sql.extract("epoch", sql.func.clock_timestamp()) * 1000, sql.BigInteger)


def insertion(connection: sql.Connection, table: sql.Table) -> Any:
    """Return an INSERT that can say what is to happen when the row is there already."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def version(connection: sql.Connection) -> int | None:
    """Return the version of the tables, or None when there are none."""
    if not sql.inspect(connection).has_table(schema.name):
        return None
    return connection.execute(sql.select(sql.func.max(schema.c.version))).scalar_one() or 0


def create(connection: sql.Connection) -> None:
    """Create the tables in a transaction, unless another process has done so."""
    if connection.dialect.name == "postgresql":
        connection.execute(sql.select(sql.func.pg_advisory_xact_lock(_KEY_OF_CREATION)))
    if version(connection) is None:
        tables.create_all(connection)
        connection.execute(sql.insert(schema).values(version=VERSION))
