"""The log lines of one instance, from all processes of its cluster: those that carry its uid, and what belongs to them.

Flink puts the job's id into the logging context of its threads (`flink-job-id`, `org.apache.flink.util.MdcUtils`), and
`conf/log4j-*.properties` print it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigurationError
from .instance import Instance
from .target import folder_of
from .version import APPLICATION, target_of

_BEGIN = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


@dataclass(frozen=True)
class Line:
    """A line of a log, and the process and file that it is from."""

    file: str
    text: str


def read(instance: Instance) -> Iterator[Line]:
    """Yield the lines of an instance.

    An application cluster's logs are all of its one job; of a session cluster's, a line is the instance's when it has its uid, or
    follows such a line without a time of its own, as a stack trace does.

    Raises:
        ClusterError: When the JobManager of a session cluster does not answer.
        ConfigurationError: When the logs are gone.
    """
    if instance.specification.mode == APPLICATION:
        yield from _of_machine(folder_of(instance.uid) / "logs", instance.uid)
        return
    rest = target_of(instance.specification).rest
    client = folder_of(instance.uid) / "logs"
    if client.is_dir():
        yield from _of_machine(client, instance.uid)
    for name, path in sorted(rest.logs().items()):
        yield from (Line(name, text) for text in of_uid(rest.text(path).splitlines(), instance.uid))


def of_uid(lines: Iterable[str], uid: str) -> Iterator[str]:
    """Yield the lines that have a uid, and those without a time of their own that follow one."""
    is_its = False
    for line in lines:
        is_its = uid in line or (is_its and not _BEGIN.match(line))
        if is_its:
            yield line


def _of_machine(folder: Path, uid: str) -> Iterator[Line]:
    if not folder.is_dir():
        raise ConfigurationError(
            f"The logs of {uid[:12]} are not on this machine.", where=str(folder), remedy="Ask on the one that it runs on."
        )
    for file in sorted(folder.iterdir()):
        with file.open(encoding="utf-8", errors="replace") as text:
            yield from (Line(file.name, line.rstrip("\n")) for line in text)
