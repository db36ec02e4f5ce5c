"""The submission of a job: `flink run`, and what its output means when it fails."""

from __future__ import annotations

import re

from ..errors import JobFailed, JobkitError
from . import failure
from .processes import Process

_NOISE = re.compile(
    r"Picked up JAVA_TOOL_OPTIONS|SLF4J|WARNING:|log4j:|ERROR StatusLogger|-{10,}$| The program finished with the following exception:"
)
_CLIENT = re.compile(r"^(?:Caused by: )?(?:org\.apache\.flink\.|java\.)[\w.$]+(?:Exception|Error)")
_EXIT_CODE = re.compile(r"Python process exits with code: (\d+)")
_WRONG_INPUT = 2


class JobRefused(JobkitError):
    """The job's own process ended before it submitted anything, and said why."""

    def __init__(self, text: str, exit_code: int) -> None:
        """Take what the process printed, and the exit code to end with."""
        super().__init__(text)
        self.exit_code = exit_code


def require_success(process: Process) -> None:
    """Check that the client, which has ended, has submitted the job.

    Raises:
        JobRefused: When the job's program ended by itself: a guardrail, or a wrong setting.
        JobFailed: When it raised an exception, or the cluster did not take the job.
    """
    if process.exit_code == 0:
        return
    output = process.output()
    said = _said(output)
    code = _EXIT_CODE.search(output)
    if code and said and "Traceback (most recent call last):" not in said:
        raise JobRefused(said, _WRONG_INPUT if int(code.group(1)) == _WRONG_INPUT else 1)
    found = failure.read(output)
    raise JobFailed(
        "The job could not be submitted.", root_cause=found.root_cause, python_traceback=found.python_traceback, where=str(process.log)
    )


def _said(output: str) -> str:
    """Return what the job's program printed, without what Java adds."""
    lines = []
    for line in output.splitlines():
        if _CLIENT.match(line):
            break
        if not _NOISE.match(line):
            lines.append(line)
    return "\n".join(lines).strip()
