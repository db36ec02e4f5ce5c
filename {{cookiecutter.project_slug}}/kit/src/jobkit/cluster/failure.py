"""What went wrong, out of the stack traces of Flink: the root cause, and the Python traceback."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import JobFailed

_JAVA_FRAME = re.compile(r"\s+at [\w$.<>/@]+\(.*\)|\s+\.\.\. \d+ (more|common frames omitted)|\s+Suppressed: .*")
_CAUSE = re.compile(r"(?:Caused by: )?((?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable|Failure)[\w$]*)(?:: (.*))?$")
_TRACEBACK = "Traceback (most recent call last):"
_JAVA_IN_PYTHON = "\npy4j.protocol.Py4JJavaError: "
_CONSEQUENCE = "Python process exits with code"
"""What the client says last, whatever had happened."""
_INTERNAL_FRAME = re.compile(
    r'  File "(?:.*/site-packages/|)(?:pyflink|apache_beam|py4j)/|  File "(?:.*/(?:runpy|concurrent/futures/\w+)\.py|<frozen runpy>)"'
)
_PEMJA = re.compile(r"pemja\.core\.PythonException: <class '([\w.]+)'>: (.*)")
_PEMJA_FRAME = re.compile(r"\s+at (?P<module>.+)\.(?P<function>[\w<>]+)\([^():]+\.py:(?P<line>\d+)\)")


@dataclass(frozen=True)
class Failure:
    """Why a job failed.

    Attributes:
        root_cause: The innermost exception, one line.
        python_traceback: The user's frames of the Python traceback, or None when Python was not at fault.
    """

    root_cause: str
    python_traceback: str | None = None

    def error(self, what: str, where: str | None = None) -> JobFailed:
        """Return the error to raise for it."""
        return JobFailed(what, root_cause=self.root_cause, python_traceback=self.python_traceback, where=where)


def read(stack: str) -> Failure:
    """Find the cause in a stack trace of Flink, of the JobManager or of the client."""
    traceback = _worker_traceback(stack) or _thread_traceback(stack)
    is_java = traceback is not None and _JAVA_IN_PYTHON in traceback  # Python has only called what failed
    if traceback is not None and not is_java:
        return Failure(traceback.rstrip().splitlines()[-1].strip().rstrip("."), traceback)
    lines = [line.strip() for line in stack.splitlines() if line.strip() and not _JAVA_FRAME.match(line)]
    causes = [match for line in lines if _CONSEQUENCE not in line and (match := _CAUSE.match(line))]
    named = [cause for cause in causes if cause.group(2)] or causes
    if not named:
        return Failure(lines[-1] if lines else "Flink gives no reason")
    name, message = named[-1].groups()
    return Failure(f"{name.rpartition('.')[2]}: {message.rstrip('.')}" if message else name, traceback)


def _worker_traceback(stack: str) -> str | None:
    """Return the last traceback of a Python process in a stack of Java exceptions (process mode, and the client)."""
    parts: list[list[str]] = [[]]
    for line in stack.splitlines():
        if _JAVA_FRAME.match(line):
            parts.append([])
        else:
            parts[-1].append(line)
    texts = ["\n".join(part) for part in parts]
    with_traceback = [text[text.index(_TRACEBACK) :] for text in texts if _TRACEBACK in text]
    if not with_traceback:
        return None
    return _only_own(re.split(r"\n(?=Caused by: |org\.apache\.|: )", with_traceback[-1])[0].rstrip())


def _only_own(traceback: str) -> str:
    """Leave out the frames of PyFlink and Beam; keep all when there are no others."""
    lines, kept, internal = traceback.splitlines(), [], False
    for line in lines:
        if line.startswith('  File "'):
            internal = bool(_INTERNAL_FRAME.match(line))
        elif not line.startswith("    "):
            internal = False
        if not internal:
            kept.append(line)
    return "\n".join(kept if any(line.startswith('  File "') for line in kept) else lines)


def _thread_traceback(stack: str) -> str | None:
    """Return the traceback of a Python function that ran inside the JVM (thread mode), written as Python writes it."""
    found = [match for line in stack.splitlines() if (match := _PEMJA.search(line))]
    if not found:
        return None
    frames = [match for line in stack[stack.rindex(found[-1].group(0)) :].splitlines() if (match := _PEMJA_FRAME.match(line))]
    own = [frame for frame in frames if "/site-packages/pyflink/" not in frame["module"]] or frames
    places = [f'  File "{frame["module"]}.py", line {frame["line"]}, in {frame["function"]}' for frame in reversed(own)]
    return "\n".join([_TRACEBACK, *places, f"{found[-1].group(1)}: {found[-1].group(2)}"])
