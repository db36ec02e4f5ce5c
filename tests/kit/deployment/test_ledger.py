"""What the ledger remembers, forgets and refuses."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sql
from jobkit.cluster.machine import free_port
from jobkit.deployment import database, instance, schema
from jobkit.deployment.instance import Difference, Specification, difference
from jobkit.deployment.ledger import Ledger, LedgerError

from . import ledgers
from .ledgers import DEPLOYMENT, digest, entry, operation, specification

Opening = Callable[..., Ledger]
SECRET = "hush-hush"
TEST = "flight-delays/test"


def add(ledger: Ledger, *, artefact: int = 0, deployment: str = DEPLOYMENT, **values: object) -> instance.Instance:
    """Add an instance as a deployment of its own would."""
    ledger.keep_artefact(digest(artefact), ledgers.content(artefact))
    with ledger.lease(deployment, "deploy") as lease:
        return ledger.add(entry(deployment, digest(artefact), **values), lease)


def test_an_instance_comes_back_as_it_went_in(ledger: Ledger) -> None:
    """With its number, and with each time in UTC whatever zone it was given in."""
    elsewhere = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    given = entry(
        created=elsewhere,
        previous="a" * 32,
        snapshot="s3://savepoints/1",
        status=instance.STOPPED,
        savepoint="s3://savepoints/2",
        ended=elsewhere,
        ending="It was stopped; naïveté, \U0001f6ec.",
    )
    with ledger.lease(DEPLOYMENT, "deploy") as lease:
        added = ledger.add(given, lease)
    assert added == replace(given, number=1)
    found = ledger.instance(given.uid)
    assert found == added
    assert found.created.tzinfo is timezone.utc
    assert found.created.isoformat() == "2026-05-03T21:17:01.123456+00:00"
    assert found.ended == elsewhere


def test_any_text_can_be_a_setting(ledger: Ledger) -> None:
    """An environment variable may have bytes that are no UTF-8, which Python shows as surrogates."""
    strange = replace(specification(), settings={"ODD": "\udcff\x00\n"}, lock=None, commit=None)
    assert add(ledger, specification=strange).specification == strange


def test_instances_are_counted_in_their_deployment(ledger: Ledger) -> None:
    """And listed with the newest first, those of all deployments by time."""
    start = ledgers.now()
    deployments = [DEPLOYMENT, TEST, DEPLOYMENT, DEPLOYMENT, TEST]
    added = [add(ledger, deployment=name, created=start + timedelta(seconds=index)) for index, name in enumerate(deployments)]
    assert [each.number for each in added] == [1, 1, 2, 3, 2]
    assert ledger.instances(DEPLOYMENT) == [added[3], added[2], added[0]]
    assert ledger.instances() == added[::-1]
    assert ledger.instances("nothing/here") == []


def test_a_uid_is_added_once(ledger: Ledger) -> None:
    """The second one changes nothing."""
    first = add(ledger)
    with pytest.raises(LedgerError, match=f"in the ledger already.*{first.uid}"):
        add(ledger, uid=first.uid, by="bob@host")
    assert ledger.instances() == [first]


def test_an_instance_needs_its_artefact(ledger: Ledger) -> None:
    """Else nobody could go back to it."""
    with ledger.lease(DEPLOYMENT, "deploy") as lease, pytest.raises(LedgerError, match=f"no such artefact.*{digest(1)}"):
        ledger.add(entry(artefact=digest(1)), lease)
    assert ledger.instances() == []


def test_an_instance_changes(ledger: Ledger) -> None:
    """In what is given, with and without a lease, and in nothing else."""
    added = add(ledger)
    ended = ledgers.now()
    with ledger.lease(DEPLOYMENT, "deploy") as lease:
        assert ledger.change(added.uid, lease, status=instance.RUNNING, snapshot="s3://1") == replace(
            added, status="RUNNING", snapshot="s3://1"
        )
    values: dict[str, Any] = {"status": instance.FAILED, "savepoint": "s3://2", "ended": ended, "ending": "It failed."}
    assert ledger.change(added.uid, **values) == ledger.instance(added.uid) == replace(added, snapshot="s3://1", **values)
    with pytest.raises(LedgerError, match="no such instance"):
        ledger.change(instance.new_uid(), status=instance.RUNNING)
    with pytest.raises(TypeError, match="by"):
        ledger.change(added.uid, by="bob@host")
    with pytest.raises(ValueError, match="'FINE'"):
        ledger.change(added.uid, status="FINE")


def test_a_lease_changes_its_own_deployment(ledger: Ledger) -> None:
    """Not the instances of another, nor its operations."""
    added = add(ledger)
    begun = operation()
    with ledger.lease(DEPLOYMENT, "deploy") as lease, ledger.lease(TEST, "deploy") as other:
        ledger.begin(begun, lease)
        writes: list[Callable[[], object]] = [
            lambda: ledger.change(added.uid, other, status=instance.FAILED),
            lambda: ledger.record(begun.uid, other, "x"),
            lambda: ledger.finish(begun.uid, other, "x"),
        ]
        for write in writes:
            with pytest.raises(LedgerError, match="does not allow"):
                write()
    assert ledger.instances() == [added]
    assert ledger.operations() == [begun]


@pytest.mark.parametrize("status", instance.STATUSES)
def test_the_current_instance_runs_or_is_about_to(ledger: Ledger, status: str) -> None:
    """The newest one that does, whatever came after."""
    runs = add(ledger, status=instance.RUNNING)
    newer = add(ledger, status=status)
    add(ledger, deployment=TEST, status=instance.RUNNING)
    assert ledger.current(DEPLOYMENT) == (newer if status in ("STARTING", "RUNNING") else runs)
    assert newer.is_over == (status in ("STOPPED", "FAILED", "ABANDONED"))


def test_there_may_be_no_current_instance(ledger: Ledger) -> None:
    """Neither at first nor when all is over."""
    assert ledger.current(DEPLOYMENT) is None
    add(ledger, status=instance.STOPPED)
    assert ledger.current(DEPLOYMENT) is None


def test_the_first_digits_of_a_uid_do(ledger: Ledger) -> None:
    """When they are those of one instance only, in the deployment or in all."""
    one = add(ledger, uid="abcd0" + 27 * "0")
    two = add(ledger, uid="abcd1" + 27 * "0")
    other = add(ledger, uid="abcd2" + 27 * "0", deployment=TEST)
    assert ledger.instance("abcd0") == one
    assert ledger.instance(two.uid) == two
    assert ledger.instance("ABCD", TEST) == other
    with pytest.raises(LedgerError) as caught:
        ledger.instance("abcd", DEPLOYMENT)
    assert caught.value.found == f"{two.uid} ({DEPLOYMENT}, number 2), {one.uid} ({DEPLOYMENT}, number 1)"
    with pytest.raises(LedgerError, match="no such instance of flight-delays/test"):
        ledger.instance("abcd0", TEST)
    with pytest.raises(LedgerError, match="no such instance"):
        ledger.instance("ffff")
    for wrong in ("abc", "", "%%%%", "abcd_", "abcx", one.uid + "0"):
        with pytest.raises(LedgerError, match="no uid"):
            ledger.instance(wrong)


def test_artefacts(ledger: Ledger) -> None:
    """They come back byte by byte, may be kept twice, and are what their digest says."""
    content = bytes(range(256)) * 10_000
    sha256 = hashlib.sha256(content).hexdigest()
    ledger.keep_artefact(sha256, content)
    ledger.keep_artefact(sha256, content)
    assert ledger.artefact(sha256) == content
    with pytest.raises(LedgerError, match="no such artefact"):
        ledger.artefact(digest(1))
    with pytest.raises(LedgerError, match="damaged"):
        ledger.keep_artefact(digest(1), content)
    with pytest.raises(LedgerError, match="no such artefact"):
        ledger.artefact(digest(1))


def test_a_damaged_artefact_is_not_handed_out(ledger: Ledger) -> None:
    """Keeping it anew mends it."""
    add(ledger)
    with ledger._database.writing() as connection:
        connection.execute(sql.update(schema.artefacts).values(content=b"other"))
    with pytest.raises(LedgerError, match="damaged"):
        ledger.artefact(digest(0))
    ledger.keep_artefact(digest(0), ledgers.content(0))
    assert ledger.artefact(digest(0)) == ledgers.content(0)


def test_the_journal(ledger: Ledger) -> None:
    """An operation is begun, reaches steps, and is finished once; its details add up."""
    first = operation(begun=ledgers.now() - timedelta(minutes=1))
    with ledger.lease(DEPLOYMENT, "upgrade") as lease:
        ledger.begin(first, lease)
        assert ledger.unfinished(DEPLOYMENT) == first
        assert ledger.unfinished(TEST) is None
        reached = ledger.record(first.uid, lease, "stopping", trigger="1", savepoint=None)
        assert reached == replace(first, step="stopping", details={"from": "a", "trigger": "1", "savepoint": None})
        reached = ledger.record(first.uid, lease, "stopped", savepoint="s3://1")
        assert reached == replace(first, step="stopped", details={"from": "a", "trigger": "1", "savepoint": "s3://1"})
        with pytest.raises(LedgerError, match=f"unfinished.*{first.uid} by ann@host, at the step stopped"):
            ledger.begin(operation(), lease)
        finished = ledger.finish(first.uid, lease, "completed")
        assert finished.ended is not None
        assert finished.ended.tzinfo is timezone.utc
        assert finished == replace(reached, ended=finished.ended, outcome="completed")
        with pytest.raises(LedgerError, match=f"finished.*{first.uid}: completed"):
            ledger.record(first.uid, lease, "x")
        with pytest.raises(LedgerError, match=f"finished.*{first.uid}: completed"):
            ledger.finish(first.uid, lease, "x")
        with pytest.raises(LedgerError, match="in the ledger already"):
            ledger.begin(first, lease)
        with pytest.raises(LedgerError, match="no such operation"):
            ledger.record(instance.new_uid(), lease, "x")
        second = operation(kind="stop")
        ledger.begin(second, lease)
    with ledger.lease(TEST, "deploy") as lease:
        third = operation(TEST, begun=ledgers.now() + timedelta(minutes=1))
        ledger.begin(third, lease)
    assert ledger.operations() == [third, second, finished]
    assert ledger.operations(DEPLOYMENT) == [second, finished]


def test_what_cannot_be_written_as_json_changes_nothing(ledger: Ledger) -> None:
    """On PostgreSQL, NaN is no JSON; so it is on neither."""
    begun = operation()
    with ledger.lease(DEPLOYMENT, "upgrade") as lease:
        ledger.begin(begun, lease)
        with pytest.raises(LedgerError, match="not JSON compliant"):
            ledger.record(begun.uid, lease, "x", share=float("nan"))
        with pytest.raises(LedgerError, match="not JSON serializable"):
            ledger.record(begun.uid, lease, "x", path=Path())
    assert ledger.unfinished(DEPLOYMENT) == begun


def test_a_damaged_entry(ledger: Ledger) -> None:
    """It is said that it is damaged."""
    add(ledger)
    with ledger._database.writing() as connection:
        connection.exec_driver_sql("UPDATE jobkit_instances SET specification = '{'")
    with pytest.raises(LedgerError, match="damaged"):
        ledger.instances()


def test_what_is_too_old_is_forgotten(address: str, opened: Opening) -> None:
    """Beyond those kept, what is over goes, the oldest first, with its artefact unless another has the same."""
    ledger = opened(address, kept=2)
    other = add(ledger, deployment=TEST, artefact=4, status=instance.STOPPED)
    forgotten = add(ledger, artefact=1, status=instance.STOPPED)
    runs = add(ledger, artefact=2, status=instance.RUNNING)
    shares = add(ledger, artefact=2, status=instance.FAILED)
    prepared = add(ledger, artefact=3)
    assert ledger.instances(DEPLOYMENT) == [prepared, shares, runs, forgotten]
    assert ledger.artefact(digest(1)) == ledgers.content(1)
    kept = add(ledger, artefact=3, status=instance.ABANDONED)
    assert ledger.instances(DEPLOYMENT) == [kept, prepared, shares, runs]
    last = add(ledger, artefact=3, status=instance.STOPPED)
    assert ledger.instances(DEPLOYMENT) == [last, kept, prepared, runs]
    assert last.number == 6
    with pytest.raises(LedgerError, match="no such artefact"):
        ledger.artefact(digest(1))
    for there in (2, 3, 4):
        assert ledger.artefact(digest(there)) == ledgers.content(there)
    assert ledger.instances(TEST) == [other]


def test_what_can_be_gone_back_to_is_not_forgotten(address: str, opened: Opening) -> None:
    """An instance stays while the one that took over from it is not over, also in another deployment."""
    ledger = opened(address, kept=1)
    old = add(ledger, artefact=1, status=instance.STOPPED)
    add(ledger, deployment=TEST, status=instance.STARTING, previous=old.uid)
    moved = add(ledger, artefact=2, status=instance.STOPPED, previous=old.uid)
    runs = add(ledger, status=instance.RUNNING, previous=moved.uid)
    newer = [add(ledger, status=instance.FAILED) for _ in range(3)]
    assert ledger.instances(DEPLOYMENT) == [newer[-1], runs, moved, old]
    assert ledger.artefact(digest(1)) == ledgers.content(1)
    ledger.change(runs.uid, status=instance.STOPPED)
    last = add(ledger)
    assert ledger.instances(DEPLOYMENT) == [last, newer[-1], old]


def test_numbers_are_not_given_twice(address: str, opened: Opening) -> None:
    """Even when all but the last one are forgotten; a ledger that forgets all is refused."""
    ledger = opened(address, kept=1)
    assert [add(ledger, status=instance.FAILED).number for _ in range(4)] == [1, 2, 3, 4]
    assert len(ledger.instances()) == 1
    ledger.close()
    with pytest.raises(LedgerError, match="keeps one"):
        Ledger.open(address, kept=0)


def test_operations_are_forgotten_with_their_instances(address: str, opened: Opening) -> None:
    """The one that led to the oldest instance left stays, and so does one that is unfinished, however old."""
    ledger = opened(address, kept=1)
    early = ledgers.now() - timedelta(days=3)
    uids = []
    for day in range(3):
        begun = operation(begun=early + timedelta(days=day))
        uids.append(begun.uid)
        with ledger.lease(DEPLOYMENT, "upgrade") as lease:
            ledger.begin(begun, lease)
            ledger.finish(begun.uid, lease, "completed")
        created = begun.begun + timedelta(hours=1)
        with ledger._database.writing() as connection:
            this = schema.operations.c.uid == begun.uid
            connection.execute(sql.update(schema.operations).where(this).values(ended=created + timedelta(hours=1)))
        if day < 2:
            add(ledger, status=instance.STOPPED, created=created)
    old = operation(TEST, begun=early - timedelta(days=9))
    with ledger.lease(TEST, "upgrade") as lease:
        ledger.begin(old, lease)
    add(ledger, deployment=TEST)
    assert [each.uid for each in ledger.operations(DEPLOYMENT)] == [uids[2], uids[1]]
    assert ledger.operations(TEST) == [old]


def test_an_artefact_waits_for_its_instance(ledger: Ledger) -> None:
    """Another deployment's pruning leaves it there for an hour, and then takes it."""
    ledger.keep_artefact(digest(1), ledgers.content(1))
    add(ledger, deployment=TEST)
    assert ledger.artefact(digest(1)) == ledgers.content(1)
    with ledger._database.writing() as connection:
        an_hour_ago = schema.clock(connection) - 3_600_001
        connection.execute(sql.update(schema.artefacts).where(schema.artefacts.c.sha256 == digest(1)).values(waiting_since=an_hour_ago))
    add(ledger, deployment=TEST)
    with pytest.raises(LedgerError, match="no such artefact"):
        ledger.artefact(digest(1))


def test_it_can_be_closed_and_opened_again(address: str, opened: Opening) -> None:
    """What was written is there."""
    ledger = opened(address)
    added = add(ledger)
    ledger.close()
    again = opened(address)
    assert again.instances() == [added]


def test_the_ledger_of_a_newer_kit_is_left_alone(address: str, opened: Opening) -> None:
    """Its tables may mean something else."""
    ledger = opened(address)
    with ledger._database.writing() as connection:
        connection.execute(sql.update(schema.schema).values(version=schema.VERSION + 1))
    ledger.close()
    with pytest.raises(LedgerError, match=r"newer jobkit.*version 2, of which this one knows 1.*Update flink-jobkit"):
        Ledger.open(address)


def test_the_variable_says_where_it_is(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, opened: Opening) -> None:
    """An address that is given counts more."""
    monkeypatch.setenv("JOBKIT_LEDGER", address)
    ledger = opened()
    added = add(ledger)
    ledger.close()
    ledger = opened(address)
    assert ledger.instances() == [added]
    ledger.close()
    ledger = opened(str(tmp_path / "other.sqlite"))
    assert ledger.instances() == []
    ledger.close()


def test_by_default_it_is_a_file_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a folder that nobody else can look into."""
    monkeypatch.delenv("JOBKIT_LEDGER", raising=False)
    monkeypatch.setattr("platformdirs.user_state_path", lambda name: tmp_path / "state" / name)
    Ledger.open().close()
    assert (tmp_path / "state" / "jobkit" / "ledger.sqlite").is_file()
    assert (tmp_path / "state" / "jobkit").stat().st_mode & 0o777 == 0o700


def test_a_path_may_be_relative_and_strange(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No character of it is taken for a part of a URL."""
    monkeypatch.chdir(tmp_path)
    Ledger.open("a b?c#d%20/ledger.sqlite").close()
    assert (tmp_path / "a b?c#d%20" / "ledger.sqlite").is_file()


def test_files_are_written_so_that_many_can(tmp_path: Path, opened: Opening) -> None:
    """With a write-ahead log, with references checked, and with patience."""
    ledger = opened(str(tmp_path / "ledger.sqlite"))
    with ledger._database.reading() as connection:
        pragmas = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys", "busy_timeout")}
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000}


def test_two_may_begin_a_file_at_once(tmp_path: Path) -> None:
    """SQLite does not wait for the one that turns the write-ahead log on; the ledger does."""

    class Busy(sqlite3.Connection):
        refusals = 2

        def execute(self, *statement: Any) -> sqlite3.Cursor:
            if self.refusals:
                self.refusals -= 1
                raise sqlite3.OperationalError("database is locked")
            return super().execute(*statement)

    connection = sqlite3.connect(tmp_path / "ledger.sqlite", factory=Busy)
    database._set_up_file(connection, None)
    assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    connection.close()


def test_a_writer_waits_for_its_turn(tmp_path: Path, opened: Opening) -> None:
    """A transaction that writes has the file from its beginning, so that what it read is still so when it writes."""
    file = tmp_path / "ledger.sqlite"
    ledger = opened(str(file))
    impatient = sqlite3.connect(file, timeout=0)
    with ledger._database.writing(), pytest.raises(sqlite3.OperationalError, match="locked"):
        impatient.execute("BEGIN IMMEDIATE")
    with ledger._database.reading():
        impatient.execute("BEGIN IMMEDIATE")
    impatient.close()


def test_a_server_does_not_wait_for_a_process_that_was_stopped(postgresql: ledgers.Server, opened: Opening) -> None:
    """One that sits in the middle of a transaction loses it before those who wait for it give up."""
    ledger = opened(postgresql.new_database())
    with ledger._database.reading() as connection:
        limits = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in ("idle_in_transaction_session_timeout", "lock_timeout")]
    assert limits == ["20s", "30s"]


def test_a_server_may_hang_up(postgresql: ledgers.Server, opened: Opening) -> None:
    """As when it is restarted, or a firewall has forgotten the connection, during a long operation."""
    address = postgresql.new_database()
    ledger = opened(address)
    with psycopg.connect(address, autocommit=True) as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert connection.execute(query).fetchall() == [(True,)]
    assert ledger.instances() == []


def test_tables_of_others_may_be_beside(postgresql: ledgers.Server, opened: Opening) -> None:
    """A database is often shared."""
    address = postgresql.new_database()
    with psycopg.connect(address, autocommit=True) as connection:
        for name in ("schema", "instances", "operations", "artefacts", "leases"):
            connection.execute(f"CREATE TABLE {name} (anything text)".encode())
    ledger = opened(address)
    added = add(ledger)
    assert ledger.instances() == [added]


def everything(error: BaseException) -> str:
    """Return all that can be seen of an error, with its attributes and causes."""
    return "".join(traceback.format_exception(error)) + str(vars(error))


def test_a_password_does_not_show(postgresql: ledgers.Server, opened: Opening) -> None:
    """Not in the address, and not when the server refuses it."""
    ledger = opened(postgresql.new_database())
    assert ledger.url == f"postgresql+psycopg://jobkit:***@127.0.0.1:{postgresql.port}/{ledger.url.rpartition('/')[2]}"
    ledger.close()
    with pytest.raises(LedgerError, match=r"(?s)cannot be opened.*password authentication failed.*jobkit:\*\*\*@") as caught:
        Ledger.open(postgresql.url("postgres", SECRET))
    assert SECRET not in everything(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://ann:{SECRET}@127.0.0.1:{{port}}/ledger",
        f"postgres://ann:{SECRET}@127.0.0.1:{{port}}/ledger",
        f"postgresql://ann@127.0.0.1:{{port}}/ledger?password={SECRET}&sslpassword={SECRET}",
        f"postgresql://ann:a@{SECRET}@127.0.0.1:{{port}}/ledger",
        f"postgresql://ann:{SECRET}@127.0.0.1:nowhere/ledger",
        f"postgresql://ann:{SECRET}@[::1/ledger",
        f"postgresql://ann:{SECRET}@127.0.0.1:{{port}}/ledger?no_such_option=1",
        f"mysql://ann:{SECRET}@127.0.0.1/ledger",
        f"sqlite://ann:{SECRET}@",
        f"nothing://ann:{SECRET}@",
        f"://ann:{SECRET}@",
    ],
)
def test_an_address_that_leads_nowhere(address: str) -> None:
    """Says so without its password."""
    with pytest.raises(LedgerError) as caught:
        Ledger.open(address.format(port=free_port()))
    assert caught.value.where
    assert caught.value.remedy
    assert SECRET not in everything(caught.value)


def test_a_ledger_in_memory_is_refused() -> None:
    """It would be gone with the process."""
    for address in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(LedgerError, match="in memory"):
            Ledger.open(address)


def test_without_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerError, match=r"flink-jobkit\[postgresql\]"):
        Ledger.open(f"postgresql://ann:{SECRET}@127.0.0.1/ledger")


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    """Garbage, half a ledger, a folder, and a path through a file."""
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"garbage " * 1000)
    whole = tmp_path / "whole"
    Ledger.open(str(whole)).close()
    half = tmp_path / "half"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for path in (garbage, half, tmp_path, garbage / "ledger.sqlite"):
        with pytest.raises(LedgerError) as caught:
            Ledger.open(str(path))
        assert caught.value.found
        assert caught.value.remedy
    assert garbage.read_bytes() == b"garbage " * 1000


_READ_AND_WRITE = """
import sys
from jobkit.deployment.ledger import Ledger, LedgerError
try:
    ledger = Ledger.open(sys.argv[1])
    print(len(ledger.instances()))
    ledger.keep_artefact(sys.argv[2], b"content")
except LedgerError as error:
    print(error)
"""


def test_a_file_that_may_not_be_written(tmp_path: Path, opened: Opening) -> None:
    """It can be read; a write says why not."""
    file = tmp_path / "ledger.sqlite"
    ledger = opened(str(file))
    add(ledger)
    ledger.close()
    file.chmod(0o444)
    prefix = []
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may write any file, and setpriv is not installed to take that from it")
        prefix = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
    command = [*prefix, sys.executable, "-W", "error", "-c", _READ_AND_WRITE, str(file), hashlib.sha256(b"content").hexdigest()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    instances, error = done.stdout.splitlines()
    assert instances == "1"
    assert error.startswith("The ledger cannot be written. Found: attempt to write a readonly database.")
    assert done.stderr == ""


def test_a_specification_is_json() -> None:
    """And comes back from it, in the words of other versions too."""
    given = specification()
    document = json.loads(json.dumps(given.to_json()))
    assert Specification.from_json(document) == given
    assert Specification.from_json({**document, "colour": "red"}) == given
    old = Specification.from_json({"name": "flight-delays", "artefact": "a"})
    assert (old.name, old.artefact, old.environment, old.lock, old.packages) == ("flight-delays", "a", "", None, {})


def test_differences() -> None:
    """Each with its path; what is not set and what is not there are the same, an empty text is another."""
    one = specification()
    other = replace(
        one,
        mode="application",
        configuration={"execution.checkpointing.interval": "20 s"},
        settings={"REGION": "", "OTHER": None},
        lock=None,
        arguments={"parallelism": 4, "jars": ["a.jar", "b.jar"], "memory": {"managed": "1g", "heap": "2g"}},
    )
    assert difference(one, one) == []
    assert difference(one, other) == [
        Difference("mode", "session", "application"),
        Difference("configuration.execution.checkpointing.interval", "10 s", "20 s"),
        Difference("settings.REGION", None, ""),
        Difference("settings.TOPIC", "flights", None),
        Difference("lock", "format: 1\n", None),
        Difference("arguments.jars", '["a.jar"]', '["a.jar", "b.jar"]'),
        Difference("arguments.memory.heap", None, "2g"),
        Difference("arguments.parallelism", "2", "4"),
    ]


def test_uids() -> None:
    """In the form of Flink's job ids, and never the same."""
    uids = {instance.new_uid() for _ in range(100)}
    assert len(uids) == 100
    assert all(len(uid) == 32 and set(uid) <= set("0123456789abcdef") for uid in uids)
