"""Ledgers for tests: a PostgreSQL server of the session's own, entries, and processes that contend for a lease."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import psycopg
import pytest
import sqlalchemy as sql
from jobkit.cluster.machine import free_port
from jobkit.cluster.processes import Process
from jobkit.cluster.waiting import SECONDS_TO_START, until
from jobkit.deployment import instance, schema
from jobkit.deployment.instance import Instance, Operation, Specification
from jobkit.deployment.lease import Occupied
from jobkit.deployment.ledger import Ledger
from jobkit.errors import JobkitError

DEPLOYMENT = "flight-delays/prod"
LONG = 3600.0
"""Seconds that a lease lasts where it must not run out by itself."""
PASSWORD = "cA$e:of/the%40@#?"
_SECONDS_TO_ANSWER = 180
_SPAWN = multiprocessing.get_context("spawn")


class Server:
    """A PostgreSQL server that asks for a password, at 127.0.0.1, with its data in a folder that it leaves no trace of."""

    def __init__(self, folder: Path) -> None:
        """Start one, as another user where this one is root; skip the test where that cannot be, and fail it where CI is set."""
        self._folder = folder
        self._prefix = _as_another(folder) if os.geteuid() == 0 else []
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        data = str(folder / "data")
        self._run(_binary("initdb"), "-D", data, "-U", "jobkit", "-A", "scram-sha-256", "-E", "UTF8", "--pwfile", folder / "password", "-N")
        self.port = free_port()
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(folder), "-c", "fsync=off", "-c", "timezone=Asia/Kolkata"]
        command = [*self._prefix, _binary("postgres"), "-D", data, *options]
        self._process = Process("PostgreSQL", command, log=folder / "log", environment=os.environ, folder=folder)
        try:
            until(self._answers, what="PostgreSQL answers", seconds=SECONDS_TO_START, log=folder / "log")
        except BaseException:
            self.stop()
            raise

    def url(self, database: str, password: str = PASSWORD) -> str:
        """Return the address of a database."""
        return f"postgresql://jobkit:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Create a database, and return its address."""
        name = f"ledger_{secrets.token_hex(8)}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def run(self, statement: str) -> None:
        """Run a statement outside of a transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        """Stop it."""
        self._process.stop()

    def _answers(self) -> bool | None:
        if self._process.exit_code is not None:
            log = self._process.log.read_text(encoding="utf-8")
            raise JobkitError("PostgreSQL did not start.", found=log)
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return None
        return True

    def _run(self, *command: str | Path) -> None:
        subprocess.run([*self._prefix, *command], cwd=self._folder, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def server() -> Iterator[Server]:
    """Run a server; its folder has a short name, since that of a socket may have 107 characters."""
    for name in ("initdb", "postgres"):
        _binary(name)
    folder = Path(tempfile.mkdtemp(prefix="jobkit-"))
    try:
        running = Server(folder)
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder)


def _binary(name: str) -> str:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *map(str, folders)]))
    return found or _give_up(f"PostgreSQL's {name} is neither on the path nor in /usr/lib/postgresql")


def _as_another(folder: Path) -> list[str]:
    """Give a folder to another user, and return what to put before a command for that one to run it."""
    users = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = users.get("postgres") or users.get("nobody") or _give_up("PostgreSQL does not run as root, and there is no other user")
    os.chown(folder, user.pw_uid, user.pw_gid)
    if shutil.which("setpriv"):
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if shutil.which("runuser"):
        return ["runuser", "-u", user.pw_name, "--"]
    return _give_up("PostgreSQL does not run as root, and neither setpriv nor runuser is installed")


def _give_up(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"In continuous integration tests run with PostgreSQL, and {reason}")
    pytest.skip(reason)


def content(number: int) -> bytes:
    """Return the bytes of an artefact."""
    return f"artefact {number}".encode()


def digest(number: int) -> str:
    """Return the SHA-256 of an artefact."""
    return hashlib.sha256(content(number)).hexdigest()


def specification(artefact: str = digest(0)) -> Specification:
    """Return one with something in each entry."""
    return Specification(
        name="flight-delays",
        environment="prod",
        mode="session",
        url="http://flink:8081",
        configuration={"execution.checkpointing.interval": "10 s"},
        settings={"TOPIC": "flights", "REGION": None},
        artefact=artefact,
        commit="0123abc+changes",
        lock="format: 1\n",
        flink="2.2.0",
        python="3.11.7",
        kit="0.1.0",
        packages={"apache-flink": "2.2.0"},
        arguments={"parallelism": 2, "jars": ["a.jar"], "memory": {"managed": "1g"}},
    )


def now() -> datetime:
    """Return the time."""
    return datetime.now(timezone.utc)


def entry(deployment: str = DEPLOYMENT, artefact: str = digest(0), **values: Any) -> Instance:
    """Return an instance that is in no ledger yet."""
    new = Instance(instance.new_uid(), deployment, 0, now(), "ann@host", specification(artefact))
    return replace(new, **values)


def operation(deployment: str = DEPLOYMENT, **values: Any) -> Operation:
    """Return an operation that is in no ledger yet."""
    new = Operation(instance.new_uid(), deployment, "upgrade", "begun", {"from": "a"}, now(), "ann@host")
    return replace(new, **values)


def set_lease(ledger: Ledger, deployment: str = DEPLOYMENT, **values: Any) -> None:
    """Change the row of a lease behind its holder's back."""
    with ledger._database.writing() as connection:
        changed = connection.execute(sql.update(schema.leases).where(schema.leases.c.deployment == deployment).values(**values))
        assert changed.rowcount == 1


def lease_row(ledger: Ledger, deployment: str = DEPLOYMENT) -> Any:
    """Return the row of a lease, or None."""
    with ledger._database.reading() as connection:
        return connection.execute(sql.select(schema.leases).where(schema.leases.c.deployment == deployment)).one_or_none()


class Contender:
    """Another process that works with the ledger, and does one thing after another as it is told."""

    def __init__(self) -> None:
        """Start it."""
        self._here, there = _SPAWN.Pipe()
        self.process: BaseProcess = _SPAWN.Process(target=_serve, args=(there,), daemon=True)
        self.process.start()
        there.close()
        assert self.process.pid
        self.pid: int = self.process.pid

    def answer(self) -> Any:
        """Return the next thing it says."""
        if not self._here.poll(_SECONDS_TO_ANSWER):
            raise AssertionError("the other process says nothing")
        return self._here.recv()

    def tell(self, *message: Any) -> None:
        """Say something to it: first a work, which gets a connection to talk to this process, and its arguments."""
        self._here.send(message)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.join()
        self._here.close()
        self.process.close()


def _serve(parent: Connection) -> None:
    while True:
        work, *arguments = parent.recv()
        work(parent, *arguments)


@contextmanager
def contender() -> Iterator[Contender]:
    """Run one process, and end it with the block."""
    started = Contender()
    try:
        yield started
    finally:
        started.close()


class Crowd:
    """Eight processes, which stay, since starting them takes longer than what they do."""

    SIZE = 8

    def __init__(self) -> None:
        """Start them when they are needed."""
        self._contenders: list[Contender] = []

    @contextmanager
    def doing(self, work: Callable[..., None], *arguments: Any) -> Iterator[list[Contender]]:
        """Let all begin the same work at once."""
        try:
            while len(self._contenders) < self.SIZE:
                self._contenders.append(Contender())
            for one in self._contenders:
                one.tell(work, *arguments)
            assert [one.answer() for one in self._contenders] == ["ready"] * self.SIZE
            for one in self._contenders:
                one.tell("go")
            yield self._contenders
            assert [one.answer() for one in self._contenders] == ["over"] * self.SIZE
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End them."""
        while self._contenders:
            self._contenders.pop().close()


def take_once(parent: Connection, address: str) -> None:
    """Try to take the lease when told so; say how that went; give it back when told so."""
    parent.send("ready")
    parent.recv()
    ledger = Ledger.open(address)
    try:
        with ledger.lease(DEPLOYMENT, "upgrade", LONG):
            parent.send("taken")
            parent.recv()
    except Occupied as occupied:
        parent.send(str(occupied))
    ledger.close()
    parent.send("over")


def take_in_turn(parent: Connection, address: str, place: Path, turns: int) -> None:
    """Take the lease several times, and say how often another one had it at the same time."""
    parent.send("ready")
    parent.recv()
    ledger = Ledger.open(address)
    taken = clashes = 0

    def attempt() -> bool | None:
        nonlocal taken, clashes
        try:
            with ledger.lease(DEPLOYMENT, "upgrade", LONG):
                try:
                    place.mkdir()
                except FileExistsError:
                    clashes += 1
                else:
                    place.rmdir()
                taken += 1
        except Occupied:
            return None
        return True

    for _ in range(turns):
        until(attempt, what="it is this one's turn", seconds=_SECONDS_TO_ANSWER, interval=0.01)
    ledger.close()
    parent.send((taken, clashes))
    parent.send("over")


def hold(parent: Connection, address: str, uid: str) -> None:
    """Take the lease, begin an operation, and write when told so; say of each write what came of it."""
    ledger = Ledger.open(address)
    with ledger.lease(DEPLOYMENT, "upgrade", LONG) as lease:
        begun = operation(uid=uid)
        ledger.begin(begun, lease)
        ledger.record(uid, lease, "stopping", savepoint="s3://savepoints/1")
        old = ledger.instances(DEPLOYMENT)[0]
        parent.send("held")
        parent.recv()
        writes: list[Callable[[], Any]] = [
            lease.require,
            lambda: ledger.add(entry(), lease),
            lambda: ledger.change(old.uid, lease, status=instance.FAILED),
            lambda: ledger.record(uid, lease, "starting"),
            lambda: ledger.finish(uid, lease, "completed"),
            lambda: ledger.begin(operation(), lease),
        ]
        parent.send([_outcome(write) for write in writes])
    ledger.close()
    parent.send("over")


def _outcome(write: Callable[[], Any]) -> str:
    try:
        write()
    except JobkitError as error:
        return type(error).__name__
    return "written"
