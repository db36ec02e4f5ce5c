"""The log lines of one instance, from all processes of its cluster: those that carry its uid, and what belongs to them.

Flink puts the job's id into the logging context of its threads (`flink-job-id`, `org.apache.flink.util.MdcUtils`), and
`conf/log4j-*.properties` print it. What Python functions log has it in thread mode; in process mode it has the file that it is from,
which lies in the folder that the job was shipped as, and that is named after the uid. What they print has neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..errors import ClusterError, ConfigurationError
from .artefact import shipped_as
from .instance import Instance
from .rest import Deployed
from .target import folder_of
from .version import APPLICATION, target_of

_BEGIN = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.,]\d{3}(?:Z|[+-]\d\d:\d\d)")
_OF_A_JOB = re.compile(r"\b[0-9a-f]{32}\b")
_OUTPUT = ".out"
"""How the file ends that has what a process prints: no time, and no job."""
_MESSAGE = " - "
"""What log4j's usual patterns have before the message."""
PATTERN = "%notEmpty{[%X{flink-job-id}] }"
"""What prints the id of the job that a line is about."""


@dataclass(frozen=True)
class Line:
    """A line of a log, and the process and file that it is from."""

    file: str
    text: str


class Reading:
    """Reads the lines of one instance.

    Attributes:
        notes: After that, what the reader must know: what could not be read, and why lines may be missing.
    """

    def __init__(self, instance: Instance, *, unnamed: bool = False) -> None:
        """Take an instance.

        Args:
            instance: The instance.
            unnamed: Whether lines of TaskManagers without any job's id count, too, from while it ran.
        """
        self._instance, self._unnamed = instance, unnamed
        self._is_named = False
        self.notes: list[str] = []

    def lines(self) -> Iterator[Line]:
        """Yield the lines.

        An application cluster's logs are all of its one job; of a session cluster's, a line is the instance's when it has its uid, or
        follows such a line without a time of its own, as a stack trace does. What cannot be read is noted, and the rest goes on.

        Raises:
            ClusterError: When the JobManager of a session cluster does not answer.
            ConfigurationError: When the logs are gone.
        """
        instance = self._instance
        logs = folder_of(instance.uid) / "logs"
        if instance.specification.mode == APPLICATION:
            yield from _of_machine(logs, instance.uid)
            return
        rest = target_of(instance.specification).rest
        processes = rest.log_folders()
        if logs.is_dir():
            yield from _of_machine(logs, instance.uid)
        for process, folder in processes.items():
            yield from self._of_process(rest, process, folder)
        if not self._is_named:
            self.notes.append(
                f"No line of the cluster's logs has the uid before its message: the pattern of its log4j configuration lacks {PATTERN}, "
                "with which this project's conf/log4j-console.properties prints it; or the logs of then are gone."
            )

    def _of_process(self, rest: Deployed, process: str, folder: str) -> Iterator[Line]:
        where = process
        try:
            for name in rest.log_files(folder):
                where = f"{process}/{name}"
                lines, is_task_manager = rest.log_lines(f"{folder}/{name}"), process != "jobmanager"
                is_output = self._unnamed and is_task_manager and name.endswith(_OUTPUT)
                yield from (Line(where, text) for text in (lines if is_output else self._chosen(lines, is_task_manager=is_task_manager)))
        except ClusterError as error:
            self.notes.append(f"{where} could not be read: {error}")

    def _chosen(self, lines: Iterable[str], *, is_task_manager: bool) -> Iterator[str]:
        uid, is_its = self._instance.uid, False
        for line in lines:
            begins = _BEGIN.match(line) is not None
            if uid in line or shipped_as(uid) in line:
                is_its = True
                self._is_named = self._is_named or uid in line.partition(_MESSAGE)[0]
            elif begins or not is_its:
                is_its = self._unnamed and is_task_manager and begins and self._may_be_its(line)
            if is_its:
                yield line

    def _may_be_its(self, line: str) -> bool:
        """Say whether a line is about no job, and from while the instance ran, as far as its time tells."""
        if _OF_A_JOB.search(line.partition(_MESSAGE)[0]):
            return False
        stamp = _MOMENT.match(line)
        if stamp is None:
            return True
        moment = datetime.fromisoformat(stamp[0].replace(",", ".").replace("Z", "+00:00"))
        return self._instance.created <= moment and (self._instance.ended is None or moment <= self._instance.ended)


def _of_machine(folder: Path, uid: str) -> Iterator[Line]:
    if not folder.is_dir():
        raise ConfigurationError(
            f"The logs of {uid[:12]} are not on this machine.", where=str(folder), remedy="Ask on the one that it runs on."
        )
    for file in sorted(folder.iterdir()):
        with file.open(encoding="utf-8", errors="replace", newline="\n") as text:
            yield from (Line(file.name, line.rstrip("\r\n")) for line in text)
