"""The database of a ledger: its connections, its transactions, and what goes wrong with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sql
import tenacity
from sqlalchemy.exc import ArgumentError, InterfaceError, InternalError, OperationalError, SQLAlchemyError, StatementError

from . import schema
from .address import LedgerAway, LedgerError, find, shown, without_passwords

_SECONDS_TO_WAIT = 30
"""How long a transaction waits for others."""
_SECONDS_TO_IDLE = 20
"""How long PostgreSQL lets a transaction do nothing: that of a process that was stopped must not block all others."""
_SECONDS_TO_CONNECT = 10
_WRITES = "jobkit_writes"
_MAY_PASS = (OperationalError, InterfaceError, InternalError, sqlite3.OperationalError)
"""A connection that is lost or refused, a lock that is not given, a disk that is full, a server that does not take writes yet."""


class Database:
    """Runs transactions; whatever goes wrong is a LedgerError.

    Attributes:
        url: The address, without a password.
    """

    def __init__(self, address: str | None) -> None:
        """Connect, and create the tables if there are none.

        Args:
            address: See `address.find`.

        Raises:
            LedgerError: When that cannot be, or a newer jobkit has created the tables.
        """
        self._address = find(address)
        self.url = shown(self._address)
        self._engine = self._make_engine()
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sql.Connection]:
        """Run a transaction that reads.

        Raises:
            LedgerError: When the database refuses.
        """
        with self._explained("The ledger cannot be read."), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sql.Connection]:
        """Run a transaction that writes: all of it or, when anything is raised, nothing.

        Raises:
            LedgerError: When the database refuses.
        """
        with self._explained("The ledger cannot be written."), self._engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def _make_engine(self) -> sql.Engine:
        is_file = self._address.get_backend_name() == "sqlite"
        try:
            engine = sql.create_engine(
                self._address,
                connect_args={"timeout": _SECONDS_TO_WAIT} if is_file else _arguments(self._address),
                hide_parameters=True,
                pool_pre_ping=not is_file,
            )
        except ImportError as error:
            remedy = 'Install it: pip install "flink-jobkit[postgresql]"'
            raise LedgerError("PostgreSQL's driver, psycopg, is not installed.", found=str(error), where=self.url, remedy=remedy) from error
        except (ArgumentError, TypeError, ValueError) as error:
            raise self._error("The address of the ledger cannot be used.", error) from None
        if is_file:
            sql.event.listen(engine, "connect", _set_up_file)
        sql.event.listen(engine, "begin", _begin_on_file if is_file else _begin_on_server)
        return engine

    def _prepare(self) -> None:
        with self._explained("The ledger cannot be opened."), self._engine.connect() as connection, connection.begin():
            found = schema.version(connection)
        if found is None:
            with self.writing() as connection:
                schema.create(connection)
                found = schema.version(connection)
        if found != schema.VERSION:
            raise LedgerError(
                "A newer jobkit has written the ledger.",
                found=f"version {found}, of which this one knows {schema.VERSION}",
                where=self.url,
                remedy="Update flink-jobkit.",
            )

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._error(what, error) from None  # the cause has the statement and, maybe, what it was to write

    def _error(self, what: str, error: Exception) -> LedgerError:
        cause = error.orig if isinstance(error, StatementError) else error
        text = " ".join(line.strip() for line in str(cause).splitlines()) or type(cause).__name__
        remedy = "Check that JOBKIT_LEDGER names the right one, that it can be reached, and that you may write it."
        kind = LedgerAway if isinstance(error, _MAY_PASS) else LedgerError
        return kind(what, found=without_passwords(text, self._address).rstrip("."), where=self.url, remedy=remedy)


def _arguments(address: sql.URL) -> dict[str, Any]:
    defaults = {"connect_timeout": _SECONDS_TO_CONNECT, "tcp_user_timeout": 1000 * _SECONDS_TO_WAIT, "application_name": "jobkit"}
    chosen = {name: value for name, value in defaults.items() if name not in address.query}
    return {**chosen, "prepare_threshold": None}  # connection poolers lose prepared statements


def _set_up_file(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_on_file` says so, not where the driver thinks
    # The one who turns this on first needs the file for itself, for which SQLite does not wait.
    waiting = tenacity.Retrying(
        stop=tenacity.stop_after_delay(_SECONDS_TO_WAIT),
        wait=tenacity.wait_random(0.01, 0.05),
        retry=tenacity.retry_if_exception(_is_busy),
        reraise=True,
    )
    waiting(connection.execute, "PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def _begin_on_file(connection: sql.Connection) -> None:
    # A transaction that reads first and then wants to write fails when another has written between; this one waits its turn.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_on_server(connection: sql.Connection) -> None:
    limits = {"lock_timeout": _SECONDS_TO_WAIT, "idle_in_transaction_session_timeout": _SECONDS_TO_IDLE}
    is_local = sql.true()
    connection.execute(sql.select(*(sql.func.set_config(name, f"{seconds}s", is_local) for name, seconds in limits.items())))
