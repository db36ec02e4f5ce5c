"""What the tests of deployments share: ledgers in files and on a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from jobkit.deployment.ledger import Ledger

from . import ledgers


@pytest.fixture(scope="session")
def postgresql() -> Iterator[ledgers.Server]:
    """A PostgreSQL server."""
    with ledgers.server() as server:
        yield server


@pytest.fixture(scope="session")
def crowd() -> Iterator[ledgers.Crowd]:
    """Processes that contend for a lease."""
    crowd = ledgers.Crowd()
    yield crowd
    crowd.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a ledger that nobody has opened yet: a file and, in another run of the test, a database on a server."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.sqlite")
    server: ledgers.Server = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
def opened() -> Iterator[Callable[..., Ledger]]:
    """A function that opens a ledger, which is closed when the test is over."""
    with ExitStack() as stack:

        def open_ledger(address: str | None = None, kept: int = 100) -> Ledger:
            return stack.enter_context(closing(Ledger.open(address, kept)))

        yield open_ledger


@pytest.fixture
def ledger(address: str, opened: Callable[..., Ledger]) -> Ledger:
    """A ledger with one artefact."""
    ledger = opened(address)
    ledger.keep_artefact(ledgers.digest(0), ledgers.content(0))
    return ledger
