"""Runs edited jobs on a cluster: the old one leaves a snapshot, the edited one starts from it."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from jobkit import functions, graph, states
from jobkit.cluster import failure, snapshots
from jobkit.cluster.flink import FlinkCluster
from jobkit.cluster.rest import TERMINAL
from jobkit.cluster.waiting import until
from jobkit.lock import Change, Lock, Verdict, compare, lock_of
from jobkit.origins import Origins
from jobkit.state import compatibility
from jobkit.state import snapshots as contents
from jobkit.state.compatibility import Start
from jobkit.state.fates import Fate
from jobkit.state.snapshots import Snapshot
from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from .outcomes import BRANCHES, GIVEN, LEFT, QUIET, Line, Outcome, judge, read
from .table import EDITS, Edit

_JOB = (Path(__file__).parent / "job.py").read_text(encoding="utf-8")
_SECONDS = 600

_CONFIGURATION = {
    "execution.target": "remote",
    "pipeline.auto-generate-uids": "false",
    "state.backend.type": "rocksdb",
    "execution.checkpointing.interval": "1 h",
    "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    "restart-strategy.type": "disable",
    "python.fn-execution.bundle.size": "10",
    "python.fn-execution.bundle.time": "100",
}


@dataclass(frozen=True)
class Part:
    """A branch of a job, as a text of the job's file makes it.

    Attributes:
        at: What its lines and uids begin with.
        branch: The name of the function.
        module: The name of the file.
        changes: Texts of the file and what they become.
    """

    at: str
    branch: str
    module: str
    changes: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The file."""
        text = _JOB
        for old, new in self.changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return text


@dataclass
class Built:
    """A job that was built and not submitted."""

    env: StreamExecutionEnvironment
    graph: graph.JobGraph
    lock: Lock


@dataclass(frozen=True)
class Observation:
    """What became of an edit, and all that a judge needs who is to say it beforehand.

    Attributes:
        outcome: What Flink did.
        cause: Why it refused or failed; or what was read of a state that is not right.
        snapshot: What the edited job was started from.
        old: The lock of the job before.
        graph: The graph of the edited job, whose states were looked for.
        new: Its lock.
        concerns: Where the uids of the edit's branch begin; empty when all of the job is concerned.
    """

    outcome: Outcome
    cause: str
    snapshot: Path
    old: Lock
    graph: graph.JobGraph
    new: Lock
    concerns: str

    @property
    def verdict(self) -> Verdict:
        """The lock's worst verdict."""
        return self.changes[0].verdict if self.changes else "harmless"

    @property
    def fates(self) -> list[Fate]:
        """What `jobkit compat` says of the operators that the edit concerns, the worst first."""
        start = Start(self.new, self.graph.tasks)
        found = compatibility.compare(snapshot_of(self.snapshot), start, self.old, "flink.lock").fates
        return [fate for fate in found if (fate.uid or "").startswith(self.concerns)]

    @property
    def fate(self) -> str:
        """The worst of them; a state that is restored with a remark is not simply restored."""
        worst = self.fates[0]
        is_noted = worst.verdict in ("restored", "rescaled", "new") and any(fate.reason for fate in self.fates)
        return f"{worst.verdict}, with a note" if is_noted and worst.verdict == "restored" else worst.verdict

    @property
    def changes(self) -> list[Change]:
        """What the lock says of the edit, the worst first."""
        return [change for change in compare(self.old, self.new) if change.uid is None or change.uid.startswith(self.concerns)]


@lru_cache
def snapshot_of(folder: Path) -> Snapshot:
    """Read a snapshot, once."""
    return contents.read(folder)


class Runs:
    """The runs of one session."""

    def __init__(self, cluster: FlinkCluster, folder: Path) -> None:
        """Take a cluster that runs, and a folder."""
        self._cluster = cluster
        self._folder = folder
        self._count = 0
        self._left: dict[Any, tuple[Path, Lock]] = {}
        self._observed: dict[str, Observation] = {}

    def of(self, edit: Edit) -> Observation:
        """Return what became of an edit; run it, and all that share its job, if it was not run yet."""
        if edit.name not in self._observed:
            self._observed |= self.restore([edit] if edit.alone else [each for each in EDITS if each.job == edit.job])
        return self._observed[edit.name]

    def build(self, parts: Sequence[Part], numbers: Sequence[int], configuration: Mapping[str, str]) -> tuple[str, Built]:
        """Build a job of some parts, which prints its lines after a tag."""
        self._count += 1
        tag = f"run-{self._count}"
        folder = self._folder / "jobs" / tag
        folder.mkdir(parents=True)
        values = {
            **_CONFIGURATION,
            "rest.address": "127.0.0.1",
            "rest.port": self._cluster.rest.url.rpartition(":")[2],
            "python.executable": sys.executable,
            "python.client.executable": sys.executable,
            "python.pythonpath": str(folder),
            **configuration,
        }
        settings = Configuration()
        for key, value in values.items():
            settings.set_string(key, value)
        with modules(folder, parts) as found:
            # get_execution_environment() makes one that runs jobs in this process, whatever the target.
            env = StreamExecutionEnvironment(
                get_gateway().jvm.org.apache.flink.streaming.api.environment.StreamExecutionEnvironment(settings._j_configuration)
            )
            with Origins() as origins:
                streams = found[parts[0].module].begin(env, numbers)
                said = [getattr(found[part.module], part.branch)(streams, part.at) for part in parts]
                everything = said[0].union(*said[1:]) if len(said) > 1 else said[0]
                everything.print(tag).uid("out")
            job = states.discover(graph.read(env, origins, tag))
            return tag, Built(env, job, lock_of(job))  # it unpickles functions, and reads their files

    def lines(self, tag: str) -> list[Line]:
        """Return what a job has printed."""
        found = []
        for member in self._cluster.task_managers:
            text = member.log.read_text(encoding="utf-8", errors="replace")
            for line in text[: text.rfind("\n") + 1].splitlines():
                prefix, _, content = line.partition("> ")
                if prefix.split(":")[0] == tag:
                    found.append(json.loads(content))
        return found

    def leave(self, parts: Sequence[Part], configuration: Mapping[str, str], kind: str) -> tuple[Path, Lock]:
        """Run the old job until it is quiet, and return a snapshot of it, and its lock."""
        name = (tuple(parts), tuple(configuration.items()), kind)
        if name not in self._left:
            tag, built = self.build(parts, LEFT, configuration)
            self._complete()
            job = self.submit(built)
            until(lambda: self._has_seen(tag, job, LEFT[-1]), what="the old job has counted all numbers", seconds=_SECONDS)
            rest = self._cluster.rest
            if kind == "checkpoint":
                rest.trigger_checkpoint(job)
                snapshot = until(lambda: self._checkpoint(job), what="a checkpoint is complete", seconds=_SECONDS)
            else:
                snapshot = rest.savepoint(job, self._folder / "savepoints")
            rest.cancel(job)
            self._left[name] = snapshot, built.lock
        return self._left[name]

    def _pass_on(self, parts: Sequence[Part], configuration: Mapping[str, str], snapshot: Path) -> tuple[Path, Lock]:
        """Start a job from a snapshot, give it nothing to read, and return a savepoint of it, and its lock."""
        values = {**configuration, "execution.state-recovery.path": snapshots.address(snapshot)}
        _, built = self.build(parts, [], values)
        job = self.submit(built)
        rest = self._cluster.rest
        until(lambda: self._runs(job), what="the job between runs", seconds=_SECONDS)
        savepoint = rest.savepoint(job, self._folder / "savepoints")
        rest.cancel(job)
        return savepoint, built.lock

    def _runs(self, job: str) -> bool | None:
        self._require_running(job)
        return self._cluster.rest.is_running(job) or None

    def _checkpoint(self, job: str) -> Path | None:
        return next((each.path for each in self._cluster.rest.history(job) if each.status == "COMPLETED"), None)

    def _has_seen(self, tag: str, job: str, number: int) -> bool | None:
        self._require_running(job)
        is_seen = any(line["value"] == number for line in self.lines(tag))
        return (is_seen and self._cluster.rest.is_running(job)) or None

    def _require_running(self, job: str) -> None:
        if self._cluster.rest.state(job) in TERMINAL:
            raise AssertionError([entry.root_cause for entry in self._cluster.rest.failures(job)])

    def _complete(self) -> None:
        """Replace a TaskManager that has crashed, as it may when the Python of a job fails in process mode with RocksDB."""
        self._cluster.replace_task_managers(1)

    def submit(self, built: Built) -> str:
        """Submit a job."""
        return str(built.env.execute_async(built.graph.name).get_job_id())

    def restore(self, edits: Sequence[Edit]) -> dict[str, Observation]:
        """Start one job with these edits, each in a branch of its own, from what the old one has left."""
        first = edits[0]
        alone = first.alone
        old_configuration = {"python.execution-mode": first.mode, "state.backend.type": first.backend}
        # A TaskManager imports a module once: in thread mode each version needs a name of its own, which process mode must not have,
        # as a pickled object names the module of its class.
        before = "_old" if first.mode == "thread" else ""
        after = f"_{self._count}" if first.configuration.get("python.execution-mode", first.mode) == "thread" else ""
        names = [each.branch if alone else each.slug for each in edits]
        olds = [Part(name, each.branch, f"job_{name}{before}") for each, name in zip(edits, names, strict=True)]
        news = [Part(name, each.branch, f"job_{name}{after}", each.before + each.changes) for each, name in zip(edits, names, strict=True)]
        if not alone or first.branch in QUIET:
            olds.insert(0, Part("plain", "count", f"job_plain{before}"))
            news.insert(0, Part("plain", "count", f"job_plain{after}"))
        self._complete()
        snapshot, lock = self.leave(olds, old_configuration, first.snapshot)
        if first.before:
            between = [replace(old, module=f"{old.module}_{self._count}", changes=first.before) for old in olds]
            snapshot, lock = self._pass_on(between, old_configuration, snapshot)
        values = {**old_configuration, "execution.state-recovery.path": snapshots.address(snapshot), **first.configuration}
        tag, built = self.build(news, GIVEN, values)
        found, failed = self._observe(tag, built, edits, alone=alone)
        return {
            e.name: Observation(*(failed or found[e.name]), snapshot, lock, built.graph, built.lock, "" if alone else f"{e.slug}.")
            for e in edits
        }

    def _observe(
        self, tag: str, built: Built, edits: Sequence[Edit], *, alone: bool
    ) -> tuple[dict[str, tuple[Outcome, str]], tuple[Outcome, str] | None]:
        self._complete()
        try:
            job = self.submit(built)
        except Py4JJavaError as error:
            return {}, ("refused", failure.read(stack(error)).root_cause)
        rest = self._cluster.rest

        def probe() -> tuple[dict[str, tuple[Outcome, str]], tuple[Outcome, str] | None] | None:
            if rest.state(job) in TERMINAL:
                return {}, self._failure(job)
            self._complete()
            lines = self.lines(tag)
            found: dict[str, tuple[Outcome, str]] = {}
            for e in edits:
                reads = read([line for line in lines if line["at"] == (e.branch if alone else e.slug)], BRANCHES[e.branch], e.missing)
                if reads is not None:
                    found[e.name] = judge(BRANCHES[e.branch], reads, e.right)
            return (found, None) if len(found) == len(edits) else None

        try:
            return until(probe, what=f"all branches of {tag} have read their states", seconds=_SECONDS, log=self._cluster.logs)
        finally:
            if rest.state(job) not in TERMINAL:
                rest.cancel(job)

    def _failure(self, job: str) -> tuple[Outcome, str]:
        found = self._cluster.rest.failures(job)
        has_started = any(task.attempt or task.task_manager for task in self._cluster.rest.tasks(job))
        return ("failed" if has_started else "refused"), found[0].root_cause


def stack(error: Py4JJavaError) -> str:
    """Return the stack trace of a Java exception, with its causes."""
    return str(get_gateway().jvm.org.apache.flink.util.ExceptionUtils.stringifyException(error.java_exception))


@contextmanager
def modules(folder: Path, parts: Sequence[Part]) -> Iterator[dict[str, ModuleType]]:
    """Write the files of a job and import them; forget them at the end, as another version may have the same names."""
    for part in parts:
        (folder / f"{part.module}.py").write_text(part.text, encoding="utf-8")
    importlib.invalidate_caches()
    functions.load.cache_clear()  # two versions of a function are the same bytes: the names of module and class
    names = list(dict.fromkeys(part.module for part in parts))
    sys.path.insert(0, str(folder))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)
