"""The submission of a job: `flink run`, and what its output means when it fails."""

from __future__ import annotations

import re

from ..errors import ClusterError, JobkitError
from . import failure
from .place import Member

_NOISE = re.compile(
    r"Picked up JAVA_TOOL_OPTIONS|SLF4J|WARNING:|log4j:|ERROR StatusLogger|-{10,}$| The program finished with the following exception:"
)
_CLIENT = re.compile(r"^(?:Caused by: )?(?:org\.apache\.flink\.|java\.)[\w.$]+(?:Exception|Error)")
_JOB_ID = re.compile(r"Job has been submitted with JobID ([0-9a-f]{32})")
_EXIT_CODE = re.compile(r"Python process exits with code: (\d+)")
_WRONG_INPUT = 2


class JobRefused(JobkitError):
    """The job's own process ended before it submitted anything, and said why."""

    def __init__(self, text: str, exit_code: int) -> None:
        """Take what the process printed, and the exit code to end with."""
        super().__init__(text)
        self.exit_code = exit_code


def require_success(process: Member) -> None:
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
    raise failure.read(output).error("The job could not be submitted.", where=str(process.log))


def job_id(process: Member) -> str | None:
    """Return the id of the job that the client has submitted, or None while it is still at work.

    Raises:
        JobRefused: See `require_success`.
        JobFailed: See there.
        ClusterError: When the program has submitted nothing.
    """
    ended = process.exit_code is not None
    found = _JOB_ID.search(process.output())
    if found is not None:
        return found.group(1)
    if ended:
        require_success(process)
        raise ClusterError("The program has submitted no job.", where=str(process.log), remedy="End it with launch(build).")
    return None


def _said(output: str) -> str:
    """Return what the job's program printed, without what Java adds."""
    lines = []
    for line in output.splitlines():
        if _CLIENT.match(line):
            break
        if not _NOISE.match(line):
            lines.append(line)
    return "\n".join(lines).strip()
