"""Asks a version of a job about itself: a process of its own, with that version's code and kit, that lives as long as it is asked.

See `examination` for the other side.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread, Timer
from types import TracebackType
from typing import Any

from ..errors import ConfigurationError, JobkitError
from ..project import ENVIRONMENT_VARIABLE
from . import examination

_LINES_KEPT = 200
_SECONDS_TO_BUILD = 300
"""Long enough for a job that asks a schema registry for hundreds of schemas; nothing of what runs has been touched by then."""

_SECONDS_TO_ANSWER = 1800
"""Long enough to read a snapshot of many files, or to count the records of a topic."""

_SECONDS_TO_SAY_WHERE = 1
_SECONDS_TO_END = 20
_KIT = str(Path(__file__).parents[2])


class Refused(JobkitError):
    """A version of the job must not start: a guardrail, the lock, or a snapshot that it cannot start from.

    Attributes:
        details: What was found, for tables and JSON.
    """

    exit_code = 1

    def __init__(self, what: str, *, details: Mapping[str, Any] | None = None, found: str | None = None, remedy: str | None = None) -> None:
        super().__init__(what, found=found, remedy=remedy)
        self.details = dict(details or {})


class Late(ConfigurationError):
    """A request to the process that examines a version which was not answered in time."""


def python_path(unpacked: Path) -> str:
    """Return the PYTHONPATH under which a version's own packages come before those that are installed here."""
    folders = [unpacked / "src", unpacked / "kit" / "src"]
    return os.pathsep.join([*(str(folder) for folder in folders if folder.is_dir()), sysconfig.get_path("purelib"), _KIT])


class Examiner:
    """The process; a context manager that ends it.

    Attributes:
        description: What the version says of itself; see `Examination.describe`.
    """

    def __init__(self, unpacked: Path, environment: str, variables: Mapping[str, str], extra: Mapping[str, str]) -> None:
        """Start the process, and build the job in it.

        Args:
            unpacked: The folder of the version.
            environment: Names the file in conf/.
            variables: All environment variables, those of the job's settings among them.
            extra: Flink's keys over those of conf/.

        Raises:
            JobkitError: When the job cannot be built, or not in time.
        """
        self._unpacked = unpacked.resolve()
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", examination.__name__],
            cwd=unpacked,
            env={**variables, "PYTHONPATH": python_path(unpacked), ENVIRONMENT_VARIABLE: environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",  # what libraries print need be no text
            start_new_session=True,  # Ctrl-C is for the one who asks
        )
        self._said: deque[str] = deque(maxlen=_LINES_KEPT)
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()
        try:
            self.description = self._begin(environment, extra)
            self._require_protocol()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Examiner:  # noqa: PYI034  (typing.Self came with Python 3.11)
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it may have ended before
                self._process.stdin.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _begin(self, environment: str, extra: Mapping[str, str]) -> dict[str, Any]:
        try:
            return dict(self._ask("begin", _SECONDS_TO_BUILD, environment=environment, extra=dict(extra)))
        except Late as error:
            raise ConfigurationError(
                f"The job was not built within {_SECONDS_TO_BUILD} seconds.",
                found=error.found,
                remedy="Let what builds it wait for nothing that may not answer. jobkit check builds it in the same way.",
            ) from error

    def _require_protocol(self) -> None:
        protocol = self.description.get("protocol")
        if protocol != examination.PROTOCOL:
            raise ConfigurationError(
                "This version of the job has a kit that cannot be asked.",
                found=f"kit {self.description.get('kit')}, protocol {protocol}, not {examination.PROTOCOL}",
                remedy="Deploy it with the jobkit of that version.",
            )

    def require_fit(self) -> None:
        """Raise Refused when the version breaks a guardrail, or its lock is not that of the job."""
        broken = [result for result in self.description["results"] if result["status"] == "fail"]
        if broken:
            first = broken[0]
            raise Refused(
                f"The job breaks {len(broken)} guardrail{'s' * (len(broken) > 1)}, and would not start.",
                details={"results": broken},
                found="; ".join(f"{result['rule']}: {result['message']}" for result in broken[:3]),
                remedy=f"{first['remedy'] or ''} See jobkit check.".strip(),
            )

    def require_compatible(self, snapshot: str, lock: str | None = None) -> dict[str, Any]:
        """Return what becomes of a snapshot's state, as `jobkit compat --json` does; raise Refused when some would be lost.

        Args:
            snapshot: Its address.
            lock: The text of the lock of the job that took it; None when it shall be looked for.
        """
        found: dict[str, Any] = self._ask("compat", snapshot=snapshot, lock_text=lock)
        if not found["compatible"]:
            lost = [fate for fate in found["operators"] if fate["verdict"] in ("dropped", "incompatible") and not fate["allowed"]]
            named = "; ".join(f"{fate['uid'] or fate['name'] or fate['id']} {fate['verdict']}: {fate['reason']}" for fate in lost[:3])
            changed = "; ".join(change["what"] for change in found["changes"] if change["verdict"] == "loses-state")
            raise Refused(
                "The job cannot start from the state of the one that runs.",
                details=found,
                found=named or changed,
                remedy=f"See jobkit compat {snapshot}",
            )
        return found

    def ends(self) -> dict[str, Any]:
        """Return the next offset of each partition of each topic that the job writes to; see `Outputs.ends`."""
        return dict(self._ask("ends"))

    def count(self, begin: Mapping[str, Any], end: Mapping[str, Any]) -> dict[str, Any]:
        """Return how many committed records lie between two such points, by topic and partition."""
        return dict(self._ask("count", begin=begin, end=end))

    def savepoints(self, folder: str) -> list[str]:
        """Return the completed savepoints in a folder, the newest last."""
        return list(self._ask("savepoints", folder=folder))

    def times(self, snapshots: list[str]) -> dict[str, int]:
        """Return when snapshots were completed, in milliseconds since 1970; of those that are there."""
        return dict(self._ask("times", snapshots=snapshots))

    def store_lock(self, snapshot: str, lock: str) -> None:
        """Write a lock beside a savepoint."""
        self._ask("store_lock", snapshot=snapshot, lock_text=lock)

    def remove_lock(self, snapshot: str) -> None:
        """Remove the lock beside a savepoint."""
        self._ask("remove_lock", snapshot=snapshot)

    def _ask(self, request: str, seconds: float = _SECONDS_TO_ANSWER, **arguments: Any) -> Any:
        """Return the answer to a request; end the process when it does not give it in time."""
        late = Event()

        def give_up() -> None:
            late.set()
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                self._process.send_signal(signal.SIGUSR1)
                self._process.wait(_SECONDS_TO_SAY_WHERE)
            self._process.kill()

        timer = Timer(seconds, give_up)
        timer.start()
        try:
            return self._answer(request, arguments)
        except ConfigurationError as error:
            if not late.is_set():
                raise
            raise Late(
                f"What examines the job has not answered within {seconds:.0f} seconds, and was ended.",
                found=next((line.strip() for line in self._said if f'"{self._unpacked}/' in line), error.found),
                where=request,
                remedy="Look whether the storage of its snapshots, and Kafka, answer from here.",
            ) from error
        finally:
            timer.cancel()

    def _answer(self, request: str, arguments: Mapping[str, Any]) -> Any:
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise ConfigurationError("The process that examines the job has ended.")
        try:
            process.stdin.write(json.dumps({"do": request, **arguments}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            process.wait()
            self._listener.join()
            raise ConfigurationError(
                "The process that examines the job has ended.", found="\n".join(list(self._said)[-5:]) or f"exit code {process.returncode}"
            )
        answer = json.loads(line)
        if "error" in answer:
            error = dict(answer["error"])
            found = ConfigurationError(error["what"], found=error["found"], where=error["where"], remedy=error["remedy"])
            found.exit_code = error.get("exit_code") or found.exit_code
            raise found
        return answer["result"]

    def _listen(self) -> None:
        if self._process.stderr is not None:
            self._said.extend(line.rstrip("\n") for line in self._process.stderr)
