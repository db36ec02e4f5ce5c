"""A session cluster that is a fake: a file that says which jobs run, for commands that are killed hundreds of times.

Real are the commands, the ledger with its journal, and the client of the REST interface, up to the request. Fake are what answers, Flink's
client, and the process that examines a version. What a real cluster makes of kills is tested in `test_interrupted`.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from json import dumps, loads
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests
from jobkit import cli
from jobkit.cluster import jars, java, submission
from jobkit.deployment import artefact, change, confirmation, replacement
from jobkit.deployment.address import LedgerAway
from jobkit.deployment.database import Database
from jobkit.deployment.instance import Instance, Operation
from jobkit.deployment.lease import Lease
from jobkit.deployment.ledger import Ledger
from jobkit.deployment.session import SessionCluster
from jobkit.deployment.target import Start
from jobkit.deployment.version import Version

DEPLOYMENT = "simulated/test"
URL = "http://simulated:8081"
PYPROJECT = '[project]\nname = "simulated"\n\n[tool.jobkit]\npipeline = "simulated.pipeline:build"\n'
CONF = {
    "execution.checkpointing.dir": "sim:/checkpoints",
    "execution.checkpointing.savepoint-dir": "sim:/savepoints",
    "rest.address": "simulated",
    "rest.port": "8081",
}
CODE = "src/simulated/pipeline.py"
BROKEN = "broken"
"""Code with this word in it fails whenever it is started."""
_CONTEXT = multiprocessing.get_context("forkserver")
_NO_SAVEPOINT = "none"
_OVER = ("FINISHED", "FAILED", "CANCELED")
_SECONDS = 120


class FakeCluster:
    """What the cluster and its storage know, in a file: the jobs, the snapshots with how far each has come, and what went wrong.

    `answers_500` is how often it will answer so when a job was started and has no checkpoint; `fails` is whether all that is started does.
    A job that is started from anything but the newest snapshot, or beside another one, is put on record as a violation.
    """

    def __init__(self, file: Path) -> None:
        """Take the file."""
        self._file = file

    @property
    def known(self) -> dict[str, Any]:
        """What it says."""
        if not self._file.exists():
            return {
                "jobs": {},
                "snapshots": {},
                "orders": {},
                "violations": [],
                "answers_500": 0,
                "fails": False,
                "takes_no_savepoint": False,
            }
        found: dict[str, Any] = loads(self._file.read_text(encoding="utf-8"))
        return found

    @contextmanager
    def changed(self) -> Iterator[dict[str, Any]]:
        """Give what it says, and write it down at the end, all or nothing."""
        known = self.known
        yield known
        new = self._file.with_suffix(".new")
        new.write_text(dumps(known), encoding="utf-8")
        new.rename(self._file)

    @property
    def running(self) -> dict[str, dict[str, Any]]:
        """The jobs that are not over."""
        return {uid: job for uid, job in self.known["jobs"].items() if job["state"] not in _OVER}

    def submit(self, start: Start) -> None:
        """Do what Flink's client does."""
        with self.changed() as known:
            beside = [uid for uid, job in known["jobs"].items() if job["state"] not in _OVER]
            newest = max(known["snapshots"], key=lambda address: known["snapshots"][address], default=None)
            if beside:
                known["violations"].append(f"{start.uid} is started beside {beside}")
            if start.snapshot != newest:
                known["violations"].append(f"{start.uid} is started from {start.snapshot}, and not from {newest}")
            code = (start.unpacked / CODE).read_text(encoding="utf-8")
            state = "RESTARTING" if BROKEN in code or known["fails"] else "RUNNING"
            known["jobs"][start.uid] = {"state": state, "from": start.snapshot, "code": code, "history": []}

    def answer(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        """Answer a request as a JobManager does: status and document."""
        with self.changed() as known:
            is_watched = any(BROKEN not in job["code"] and not job["history"] and job["from"] for job in known["jobs"].values())
            if known["answers_500"] and is_watched:
                known["answers_500"] -= 1
                return 500, {"errors": ["java.util.concurrent.TimeoutException: within the JobManager"]}
            parts = path.partition("?")[0].strip("/").split("/")
            if parts == ["jobs", "overview"]:
                return 200, {"jobs": [{"jid": uid, "name": "simulated", "state": job["state"]} for uid, job in known["jobs"].items()]}
            if parts == ["jobmanager", "config"]:
                return 200, []
            if parts == ["overview"]:
                return 200, {"taskmanagers": 1, "slots-total": 8, "slots-available": 8}
            job = known["jobs"].get(parts[1])
            return (404, {"errors": ["unknown"]}) if job is None else _of_job(known, parts[1], method, "/".join(parts[2:]), body)


def _of_job(known: dict[str, Any], uid: str, method: str, what: str, body: dict[str, Any] | None) -> tuple[int, Any]:
    job = known["jobs"][uid]
    if method != "GET":
        return _ordered(known, uid, what, body)
    if what == "":
        return 200, {"state": job["state"], "now": 0, "vertices": [{"status": job["state"], "parallelism": 1, "tasks": {job["state"]: 1}}]}
    if what == "exceptions":
        failures = 3 if job["state"] in ("RESTARTING", "FAILED") else 0
        return 200, {"exceptionHistory": {"entries": [{"stacktrace": "java.lang.Exception: not today", "timestamp": 1}] * failures}}
    if what == "checkpoints":
        newest = job["history"][-1] if job["history"] else None
        restored = {"id": 0, "external_path": job["from"]} if job["from"] else None
        return 200, {"history": job["history"], "latest": {"completed": newest, "savepoint": None, "restored": restored}}
    order = known["orders"].get(what.rpartition("/")[2])
    if order == _NO_SAVEPOINT:
        return 200, {"status": {"id": "COMPLETED"}, "operation": {"failure-cause": {"stack-trace": "java.lang.Exception: no space"}}}
    return (200, {"status": {"id": "COMPLETED"}, "operation": {"location": order}}) if order else (404, {"errors": ["unknown"]})


def _ordered(known: dict[str, Any], uid: str, what: str, body: dict[str, Any] | None) -> tuple[int, Any]:
    job = known["jobs"][uid]
    if what == "checkpoints":
        _add_snapshot(known, job, f"sim:/checkpoints/{uid}/chk-{len(job['history']) + 1}")
        return 200, {"request-id": "any"}
    if what == "stop" and body is not None:
        if job["state"] != "RUNNING":
            return 400, {"errors": ["it does not run"]}
        if body["triggerId"] not in known["orders"]:
            known["orders"][body["triggerId"]] = f"{body['targetDirectory']}/savepoint-{uid[:6]}-1"
            if known["takes_no_savepoint"]:
                known["orders"][body["triggerId"]] = _NO_SAVEPOINT
                return 202, {"request-id": body["triggerId"]}
            _add_snapshot(known, job, known["orders"][body["triggerId"]])
            job["state"] = "FINISHED"
        return 202, {"request-id": body["triggerId"]}
    job["state"] = job["state"] if job["state"] in _OVER else "CANCELED"
    return 202, {}


def _add_snapshot(known: dict[str, Any], job: dict[str, Any], address: str) -> None:
    known["snapshots"][address] = max(known["snapshots"].values(), default=0) + 1
    entry = {
        "id": len(job["history"]) + 1,
        "status": "COMPLETED",
        "is_savepoint": False,
        "external_path": address,
        "trigger_timestamp": 1,
        "end_to_end_duration": 1,
    }
    job["history"].append(entry)


class FakeExaminer:
    """Stands for the process that examines a version."""

    def __init__(self, cluster: FakeCluster) -> None:
        """Take the storage that it looks into."""
        self._cluster = cluster
        empty: dict[str, Any] = {"configuration": CONF, "settings": {"TOKEN": "******"}, "packages": {}, "results": [], "unknown_sinks": []}
        self.description = {"name": "simulated", "lock": "", "flink": "", "python": "", "kit": "", **empty}

    def require_fit(self) -> None:
        """It is."""

    def require_compatible(self, snapshot: str, lock: str | None = None) -> dict[str, Any]:
        """It is."""
        del lock
        return {"snapshot": snapshot, "leaves_state_behind": False}

    def savepoints(self, folder: str) -> list[str]:
        """Return the snapshots in a folder."""
        return [address for address in self._cluster.known["snapshots"] if address.startswith(folder)]

    def times(self, snapshots: list[str]) -> dict[str, int]:
        """Return when snapshots were completed: the later, the further they have come."""
        known = self._cluster.known["snapshots"]
        return {address: known[address] for address in snapshots if address in known}

    def ends(self) -> dict[str, Any]:
        """No topics."""
        return {}

    def count(self, begin: Any, end: Any) -> dict[str, Any]:
        """No topics."""
        del begin, end
        return {}

    def store_lock(self, snapshot: str, lock: str) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """There is no process."""


class Hook:
    """Kills this process at the n-th of all moments just before or just after it writes into the ledger, or gives the cluster an order."""

    def __init__(self, moment: int | str | None) -> None:
        """Take the number, from 1, or the step after whose entry in the journal it is; None for a process that comes to its end."""
        self._left = moment if isinstance(moment, int) else None
        self._step = moment

    def pass_by(self) -> None:
        """Come to one of the moments."""
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def reach(self, operation: Operation) -> Operation:
        """Come to a step of an operation, which is written down."""
        if operation.step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)
        return operation


def play(folder: Path, arguments: list[str], moment: int | str | None, variables: Mapping[str, str]) -> None:
    """Run a command on the simulated cluster, in this process."""
    cluster, hook = FakeCluster(folder / "cluster.json"), Hook(moment)
    said = os.open(folder / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.environ.update({"JOBKIT_ENV": "test", "XDG_STATE_HOME": str(folder / "state")})
    os.environ.update({name: value for name, value in variables.items() if value})
    os.chdir(folder / "project")
    _put_in_place(folder, cluster, hook)
    sys.argv = ["jobkit", *arguments]
    cli.main()


class FakeSession:
    """Stands for the connection to the JobManager."""

    def __init__(self, cluster: FakeCluster, hook: Hook) -> None:
        """Take who answers, and what to pass by."""
        self._cluster, self._hook = cluster, hook

    def request(self, method: str, url: str, json: dict[str, Any] | None, timeout: float, *, stream: bool) -> requests.Response:
        """Ask."""
        del timeout, stream
        is_order = method != "GET"
        if is_order:
            self._hook.pass_by()
        answer = requests.Response()
        answer.status_code, document = self._cluster.answer(method, url.removeprefix(URL), json)
        answer._content = dumps(document).encode()
        if is_order:
            self._hook.pass_by()
        return answer


def _put_in_place(folder: Path, cluster: FakeCluster, hook: Hook) -> None:
    """Let this process work with the fakes, and pass by the hook; where there is a file `away`, so is the ledger after a savepoint."""
    writing = Database.writing

    @contextmanager
    def hooked(database: Database) -> Iterator[Any]:
        if Path(folder / "away").exists() and any("/savepoints/" in address for address in cluster.known["snapshots"]):
            raise LedgerAway("The ledger cannot be written.", found="the disk is full")
        hook.pass_by()
        with writing(database) as connection:
            yield connection
        hook.pass_by()

    def submit(target: SessionCluster, start: Start, held: int) -> Any:
        del target, held
        hook.pass_by()
        cluster.submit(start)
        hook.pass_by()
        return SimpleNamespace(exit_code=0, log=None, stop=lambda: None)

    examiner, begin, record = FakeExaminer(cluster), Ledger.begin, Ledger.record

    def begun(ledger: Ledger, operation: Operation, lease: Lease) -> None:
        begin(ledger, operation, lease)
        hook.reach(operation)

    def recorded(ledger: Ledger, uid: str, lease: Lease, step: str, **details: Any) -> Operation:
        return hook.reach(record(ledger, uid, lease, step, **details))

    for owner, name, fake in (
        (Database, "writing", hooked),
        (Ledger, "begin", begun),
        (Ledger, "record", recorded),
        (requests, "Session", lambda: FakeSession(cluster, hook)),
        (SessionCluster, "_submit", submit),
        (submission, "job_id", lambda _: "any"),
        (Version, "examiner", property(lambda _: examiner)),
        (java, "find", lambda: None),
        (jars, "library", lambda _: None),
        (artefact, "_git", lambda *_: None),
        (confirmation, "_SECONDS_OF_WORK", 0.0),
        (change, "_SECONDS_FOR_THE_LEDGER", 1),
        (replacement, "_SECONDS_FOR_THE_OLD", 2.0),
    ):
        setattr(owner, name, fake)


@dataclass
class Simulation:
    """A project, a ledger and a simulated cluster, in a folder; copies of it are taken as often as one likes.

    Attributes:
        folder: Of all of it.
        address: Of the ledger; None for the file in the state folder.
    """

    folder: Path
    address: str | None = None

    @classmethod
    def of(cls, folder: Path, address: str | None = None) -> Simulation:
        """Make one, in which nothing was deployed yet."""
        simulation = cls(folder, address)
        for name, text in {
            "pyproject.toml": PYPROJECT,
            "conf/base.yaml": "".join(f"{key}: {value}\n" for key, value in CONF.items()),
        }.items():
            file = folder / "project" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        (folder / "project" / "conf" / "test.yaml").write_text("{}\n", encoding="utf-8")
        (folder / "project" / CODE).parent.mkdir(parents=True)
        simulation.version("one")
        return simulation

    def copy(self, folder: Path, address: str | None = None) -> Simulation:
        """Return a copy in another folder; a ledger that is not in a file is not copied."""
        return Simulation(Path(shutil.copytree(self.folder, folder)), address)

    def version(self, code: str) -> None:
        """Write another version's code."""
        (self.folder / "project" / CODE).write_text(code, encoding="utf-8")

    @property
    def cluster(self) -> FakeCluster:
        """The cluster."""
        return FakeCluster(self.folder / "cluster.json")

    @property
    def said(self) -> str:
        """All that commands have said."""
        return (self.folder / "said.txt").read_text(encoding="utf-8")

    def run(self, *arguments: str, moment: int | str | None = None, **variables: str) -> int:
        """Run a command in a process of its own; return its exit code, which is -9 when it was killed at the moment."""
        ledger = {"JOBKIT_LEDGER": self.address} if self.address else {}
        process = _CONTEXT.Process(target=play, args=(self.folder, list(arguments), moment, {"TOKEN": "s3cret", **ledger, **variables}))
        process.start()
        process.join(_SECONDS)
        assert process.exitcode is not None, f"it does not end: {self.said}"
        return process.exitcode

    def ok(self, *arguments: str) -> None:
        """Run a command that must succeed."""
        assert self.run(*arguments) == 0, self.said

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """Open the ledger."""
        with closing(Ledger.open(self.address or str(self.folder / "state" / "jobkit" / "ledger.sqlite"))) as ledger:
            yield ledger

    @property
    def instances(self) -> list[Instance]:
        """What the ledger says, the newest first."""
        with self.ledger() as ledger:
            return ledger.instances(DEPLOYMENT)

    @property
    def unfinished(self) -> Operation | None:
        """What the journal has that is not finished."""
        with self.ledger() as ledger:
            return ledger.unfinished(DEPLOYMENT)

    def require_order(self, code: str | None) -> None:
        """Require that one job runs, with this code, as the ledger says; or none; nothing unfinished, and no violation ever."""
        known, running, instances = self.cluster.known, self.cluster.running, self.instances
        opened = [instance for instance in instances if not instance.is_over]
        assert known["violations"] == [], self.said
        assert [(job["code"], job["state"]) for job in running.values()] == ([(code, "RUNNING")] if code else []), self.said
        assert [(instance.uid, instance.status) for instance in opened] == [(uid, "RUNNING") for uid in running], self.said
        assert [instance.snapshot for instance in opened] == [job["from"] for job in running.values()]
        assert all(instance.ended is not None and instance.ending for instance in instances if instance.is_over)
        assert all(instance.ended is None for instance in opened)
        assert self.unfinished is None, self.said


_LOADED_LATE = ("jobkit.deployment.deployed", "jobkit.deployment.failures", "jobkit.cluster.display", "pydantic.fields", "typer._adapters")
_CONTEXT.set_forkserver_preload([__name__, *_LOADED_LATE])  # what each command would load by itself
