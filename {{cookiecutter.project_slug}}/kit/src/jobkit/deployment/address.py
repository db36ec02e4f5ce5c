"""Where a ledger is: a file of SQLite or a database of PostgreSQL."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs
import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError

from ..errors import JobkitError

VARIABLE = "JOBKIT_LEDGER"
"""The environment variable with the address, where none is given."""

_FORMS = f"Give {VARIABLE} the path of a file, or postgresql://user:password@host/database."
_HIDDEN = "***"


class LedgerError(JobkitError):
    """A ledger that cannot be read or written, or that does not have what it is asked for."""


class LedgerAway(LedgerError):
    """A database that does not answer, or does not take a write, now: a server that is being replaced, a disk that is full."""


def find(text: str | None) -> sql.URL:
    """Return the address that a text gives: a path or a URL.

    Args:
        text: The address. None: that of the environment variable, or else a file in the user's folder for state.

    Raises:
        LedgerError: When it is neither.
    """
    text = text or os.environ.get(VARIABLE)
    if not text:
        return _file(platformdirs.user_state_path("jobkit") / "ledger.sqlite")
    if "://" not in text:
        return _file(Path(text))
    try:
        url = sql.make_url(text)
    except (ArgumentError, ValueError):  # whose text may have a part of the password
        raise _wrong("The address of the ledger is no URL.", text) from None
    kind = url.get_backend_name()
    if kind in ("postgresql", "postgres"):
        if "@" in (url.host or ""):
            raise _wrong("The address of the ledger has more than one @; one in a password is written %40.", text)
        return url.set(drivername="postgresql+psycopg")
    if url.drivername != "sqlite":
        raise _wrong("A ledger is a file of SQLite or a database of PostgreSQL.", text)
    if not url.database or url.database == ":memory:":
        raise _wrong("A ledger in memory would forget what it was told.", text)
    return url


def _wrong(what: str, text: str) -> LedgerError:
    return LedgerError(what, where=f"{text.partition('://')[0]}://{_HIDDEN}", remedy=_FORMS)


def _file(path: Path) -> sql.URL:
    file = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  (links stay)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            "The folder of the ledger cannot be made.", found=error.strerror, where=str(file.parent), remedy=_FORMS
        ) from error
    return sql.URL.create("sqlite", database=str(file))


def shown(url: sql.URL) -> str:
    """Return an address without any password, for messages."""
    hidden = {name: _HIDDEN for name in url.query if "password" in name.lower()}
    return url.update_query_dict(hidden).render_as_string(hide_password=True) if hidden else url.render_as_string(hide_password=True)


def without_passwords(text: str, url: sql.URL) -> str:
    """Return a text, of a driver, in which nothing of an address's passwords is left."""
    values = [url.password, *(value for name, value in url.query.items() if "password" in name.lower())]
    for value in filter(None, values):
        text = re.sub(re.escape(str(value)), _HIDDEN, text)
    return text
