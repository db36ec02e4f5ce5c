"""What a failed test shows of Flink: why its jobs failed, their checkpoints, the ends of the logs, and where the logs are kept."""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType

from ..errors import JobkitError
from .job import Job

_LINES = 8
_CHECKPOINTS = 10
_JAVA_FRAME = re.compile(r"\s+at [^\s(]+\(.*\)|\s+\.\.\. \d+ (more|common frames omitted)")
_INTERESTING = re.compile(r" (WARN|ERROR|FATAL) |Exception|Error:|^Traceback")
_NOISE = re.compile(r"Picked up JAVA_TOOL_OPTIONS|payload: ")  # Beam's payload is the whole environment, with all that is secret
_WIDTH = 400
_OURS = Path(__file__).parents[1]


def sections(jobs: Iterable[Job], logs: Mapping[str, Path], kept: Path, since: float) -> Iterator[tuple[str, str]]:
    """Yield title and text of each section, for the report of a test that has failed.

    Args:
        jobs: The jobs of the test.
        logs: The folders of logs, by what they are the logs of.
        kept: The folder for the whole logs of this test; what it holds of an earlier run is removed.
        since: When the test began, in seconds since the epoch: what has logged nothing since then had no part in it.
    """
    for job in jobs:
        yield from _of_the_job(job)
    files = {name: _files(folder) for name, folder in logs.items()}
    concerned = {name: found for name, found in files.items() if any(file.stat().st_mtime >= since for file in found)}
    unkept = _keep(concerned, kept)
    for name, found in concerned.items():
        for file in found:
            end = _end(file) if file.stat().st_mtime >= since else ""
            if end:
                yield f"Flink: the end of {name}/{file.name}", end
    if concerned:
        yield "Flink: the whole logs", f"could not be kept: {unkept}" if unkept else str(kept)


def clarify(error: BaseException, logs: Mapping[str, Path], kept: Path) -> None:
    """Leave of an error that says by itself what is wrong only the test's own lines, and the place where its logs are kept.

    Args:
        error: What a test has raised; an error of any other kind stays as it is.
        logs: As for `sections`.
        kept: As for `sections`.
    """
    if isinstance(error, (JobkitError, AssertionError)):
        _hide_own_frames(error)
    if isinstance(error, JobkitError):
        error.__cause__, error.__suppress_context__ = None, True
        for name, folder in logs.items():
            if error.where is not None and Path(error.where).is_relative_to(folder):
                error.where = str(kept / name / Path(error.where).relative_to(folder))


def _hide_own_frames(error: BaseException) -> None:
    """Take jobkit's frames out of a traceback.

    A frame that pytest has called itself, that of a fixture, stays: without it pytest would show its own.
    """
    entry = error.__traceback__
    while entry is not None:
        following = entry.tb_next
        if following is not None and _is_ours(following) and not _is_of_pytest(entry):
            entry.tb_next = following.tb_next
        else:
            entry = following


def _is_ours(entry: TracebackType) -> bool:
    return _OURS in Path(entry.tb_frame.f_code.co_filename).parents


def _is_of_pytest(entry: TracebackType) -> bool:
    return str(entry.tb_frame.f_globals.get("__name__")).partition(".")[0] in {"_pytest", "pluggy"}


def _of_the_job(job: Job) -> Iterator[tuple[str, str]]:
    if not job.was_started:
        yield "Flink: the job", "it was not started"
        return
    try:
        yield "Flink: the job", f"{job.id} is {job.state}, restarted {job.restarts} times"
        failures, checkpoints = job.exceptions()[:1], job.checkpoints()[-_CHECKPOINTS:]
    except JobkitError as error:  # the JobManager may be gone: that is a finding, too
        yield "Flink: the job", str(error)
        return
    for failure in failures:
        yield "Flink: root exception", failure.root_cause
        if failure.python_traceback:
            yield "Flink: Python traceback", failure.python_traceback
    lines = [
        f"{each.id:>5} {'savepoint' if each.is_savepoint else 'checkpoint':<10} {each.status:<11} {each.bytes:>10} bytes"
        f"  {each.failure or (each.path.name if each.path else '')}"
        for each in checkpoints
    ]
    yield "Flink: checkpoint history", "\n".join(lines) or "no checkpoint was begun"


def _files(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.iterdir()) if file.is_file() and file.stat().st_size] if folder.is_dir() else []


def _keep(logs: Mapping[str, Iterable[Path]], kept: Path) -> str:
    """Copy logs; one session at a time, since another one may run the same test of the same project. Return why it fails, if it does."""
    if not logs:
        return ""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with (kept.parent / ".lock").open("w") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
            shutil.rmtree(kept, ignore_errors=True)
            for name, files in logs.items():
                (kept / name).mkdir(parents=True)
                for file in files:
                    shutil.copy2(file, kept / name / file.name)
    except OSError as error:  # a disk that is full is why the test failed, most likely: the report has to say so
        return str(error)
    return ""


def _end(file: Path) -> str:
    """Return the last lines of a log: those that warn, and those at the very end; nothing when all is one harmless line."""
    text = file.read_text(encoding="utf-8", errors="replace")
    lines = [line[:_WIDTH] for line in text.splitlines() if not (_JAVA_FRAME.match(line) or _NOISE.match(line))]
    warnings = [line for line in lines[:-_LINES] if _INTERESTING.search(line)][-_LINES:]
    if len(lines) == 1 and not _INTERESTING.search(lines[0]):
        return ""
    return "\n".join([*warnings, *(["…"] if warnings else []), *lines[-_LINES:]])
