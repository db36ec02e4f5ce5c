"""The process that examines one version of a job, in the folder that it was unpacked to: `python -m jobkit.deployment.examination`.

It builds the job with the version's own code and its own kit, as the version's start will, and answers requests, one JSON
document a line, until its input ends. See `examiner` for the other side.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyflink.java_gateway import get_gateway

from .. import analysis, configuration, entry, filesystem, lock
from ..errors import ConfigurationError, JobkitError
from ..launch import examine
from ..lock import beside
from ..project import Project, find_project
from ..state import checking, filesystems
from . import effective, installed
from .outputs import Outputs

PROTOCOL = 1
"""What both sides must speak: the two may be of different versions of the kit."""

HIDDEN = "******"
"""Stands for a secret, as in Flink's own web UI."""


class Reads(Mapping[str, str]):
    """Environment variables that remember which of them were asked for.

    Attributes:
        found: Those, with their values; None when one is not set.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the variables."""
        self._environ = environ
        self.found: dict[str, str | None] = {}

    def __getitem__(self, name: str) -> str:
        """Return a variable, or raise KeyError."""
        self.found[name] = self._environ.get(name)
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        """Yield all names; nothing is remembered."""
        return iter(self._environ)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._environ)


class Examination:
    """One version of a job, built."""

    def __init__(self, project: Project, environment: str, extra: Mapping[str, str]) -> None:
        """Build the job as its start will.

        Args:
            project: The version's folder.
            environment: Names the file in conf/.
            extra: Flink's keys over those of conf/.

        Raises:
            JobkitError: When it cannot be built.
        """
        self._project = project
        values = {**configuration.load(project.conf, environment).values, **extra}
        plugins = [filesystems.fetch(project, values.get(f"execution.checkpointing.{key}")) for key in ("savepoint-dir", "dir")]
        analysis.prepare(project, plugins=next(filter(None, plugins), None))
        build, self._reads = entry.find(project), Reads(os.environ)
        settings = entry.settings(build, self._reads)
        with analysis.without_workers():
            env, self._graph = entry.build_graph(build, settings, values)
            again = entry.build_graph(build, settings, values)[1]
        if any(plugins):
            filesystems.initialize(values)
        self._results = examine(self._graph, again, environment, project)
        self._given, self._outputs = effective.given(env, self._graph, values), Outputs(env)

    def describe(self) -> dict[str, Any]:
        """Return what an instance's specification says of it, what the guardrails say, and which sinks do not say where they write to."""
        runtime: Any = get_gateway().jvm.org.apache.flink.configuration
        return {
            "protocol": PROTOCOL,
            "name": self._graph.name,
            "configuration": effective.hidden(self._given),
            "defaults": effective.defaults(self._given),
            "settings": {
                name: HIDDEN if value is not None and runtime.GlobalConfiguration.isSensitive(name) else value
                for name, value in self._reads.found.items()
            },
            "lock": lock.text(lock.lock_of(self._graph)),
            **installed.versions(),
            "results": [result.to_json() for result in self._results],
            "unknown_sinks": self._outputs.unknown,
        }

    def compat(self, snapshot: str, lock_text: str | None) -> dict[str, Any]:
        """Compare the job with a snapshot; see `jobkit compat`."""
        given = self._project.work / "given.lock"
        if lock_text is not None:
            given.parent.mkdir(parents=True, exist_ok=True)
            given.write_text(lock_text, encoding="utf-8")
        found = checking.check(self._project, self._graph, checking.read(snapshot), given if lock_text is not None else None)
        left_behind = any(fate.verdict == "dropped" and fate.allowed for fate in found.fates)
        return {**found.to_json(), "leaves_state_behind": left_behind}

    def ends(self) -> dict[str, Any]:
        """Return how far the topics are that the job writes to; see `Outputs.ends`."""
        return dict(self._outputs.ends())

    def count(self, begin: dict[str, Any], end: dict[str, Any]) -> dict[str, Any]:
        """Return how many committed records lie between; see `Outputs.count`."""
        return dict(self._outputs.count(begin, end))

    def savepoints(self, folder: str) -> list[str]:
        """Return the completed savepoints in a folder, in the order in which they were written."""
        found = [f"{folder}/{name}" for name in filesystem.names(folder) if filesystem.exists(f"{folder}/{name}/_metadata")]
        return sorted(found, key=lambda savepoint: filesystem.modified(f"{savepoint}/_metadata"))

    def times(self, snapshots: list[str]) -> dict[str, int]:
        """Return when snapshots were completed, in milliseconds since 1970; of those that are there."""
        there = [snapshot for snapshot in snapshots if filesystem.exists(f"{snapshot}/_metadata")]
        return {snapshot: filesystem.modified(f"{snapshot}/_metadata") for snapshot in there}

    def store_lock(self, snapshot: str, lock_text: str) -> bool:
        """Write a lock beside a savepoint, where `jobkit compat` looks for it."""
        filesystem.write(beside.of_savepoint(snapshot), lock_text)
        return True

    def remove_lock(self, snapshot: str) -> bool:
        """Remove it, if it is there."""
        filesystem.delete(beside.of_savepoint(snapshot))
        return True


def serve(requests: Iterator[str], answer: Callable[[dict[str, Any]], None]) -> None:
    """Answer requests: `{"do": name, …arguments}` with `{"result": …}` or `{"error": {…}}`; the first is `begin`."""
    examination: Examination | None = None
    for line in requests:
        request = json.loads(line)
        name = request.pop("do")
        try:
            if name == "begin":
                examination = Examination(find_project(Path.cwd()), **request)
                answer({"result": examination.describe()})
            elif examination is None:
                raise ConfigurationError("Nothing is being examined.")  # noqa: TRY301
            else:
                answer({"result": getattr(examination, name)(**request)})
        except (JobkitError, filesystem.FileSystemError) as error:
            fields = {key: getattr(error, key, None) for key in ("found", "where", "remedy", "exit_code")}
            answer({"error": {"what": getattr(error, "what", str(error)), **fields}})
        except Exception as error:  # noqa: BLE001  (whatever it is, the one who asks must hear of it)
            traceback.print_exc()
            answer({"error": {"what": "The examination of the job has failed.", "found": repr(error)[:500], "where": None, "remedy": None}})


def main() -> None:
    """Serve standard input; answers go to what standard output was, and all that is printed to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        faulthandler.register(signal.SIGUSR1)  # tells the one who asks where the job waits
        sys.stdout = sys.stderr

        def answer(document: dict[str, Any]) -> None:
            out.write(json.dumps(document) + "\n")
            out.flush()

        serve(iter(sys.stdin.readline, ""), answer)


if __name__ == "__main__":
    main()
