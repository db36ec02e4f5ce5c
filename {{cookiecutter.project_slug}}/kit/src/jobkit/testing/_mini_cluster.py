"""Executes a job on Flink's mini cluster, in the JVM of this process, and leaves the process as it was."""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
import shlex
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyflink.datastream import StreamExecutionEnvironment

from ..cluster import failure
from ..errors import JobFailed
from . import _boot
from ._kafka_ends import Sink

_SECONDS_TO_HANG_UP = 5.0


def configuration(parallelism: int) -> dict[str, str]:
    """Return what a run needs: a Python that boots quickly, no second attempt, no bundle that a watermark waits for."""
    return {
        "parallelism.default": str(parallelism),
        "python.executable": str(_python()),
        "python.client.executable": sys.executable,
        "python.fn-execution.bundle.size": "1",
        "restart-strategy.type": "disable",
    }


def execute(env: StreamExecutionEnvironment, name: str, sinks: Sequence[Sink], seconds: float) -> dict[str, list[bytes]]:
    """Execute a job to its end; return the values that each sink got, by topic.

    Raises:
        JobFailed: When it fails, or has not ended after so many seconds.
    """
    outputs: dict[str, list[bytes]] = {sink.topic: [] for sink in sinks if sink.topic is not None}
    with _as_before():
        # Each sink is read at the same time: one that is not would hold up the job once it is full.
        with ThreadPoolExecutor(max_workers=len(sinks) + 1) as pool:
            try:
                client = env.execute_async(name)
                result = client.get_job_execution_result()
                end = pool.submit(result.result)
                reads = [pool.submit(sink.records) for sink in sinks]
                _require_end(client, [end, *reads], seconds)
                end.result()
            except Py4JError as error:
                raise _failed(error) from None
        for read in reads:
            for topic, value in read.result():
                outputs.setdefault(topic, []).append(value)
    return outputs


def _require_end(client: Any, tasks: Sequence[Future[Any]], seconds: float) -> None:
    if wait(tasks, timeout=seconds).not_done:
        client.cancel().result()
        raise JobFailed(
            "The job did not end.",
            root_cause=f"it ran for {seconds:g} s; a source that is not Kafka's may be unbounded, or a timer register the next for ever",
        )


def _failed(error: Py4JError) -> JobFailed:
    found = failure.read(str(error))
    failed = found.error("The job failed.")
    if found.python_traceback and sys.version_info >= (3, 11):
        failed.add_note(found.python_traceback)  # pytest shows it
    return failed


@functools.cache
def _python() -> Path:
    """Return the command that Flink is to start as Python."""
    folder = Path(tempfile.mkdtemp(prefix="jobkit-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(_boot.__file__)} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return script


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """Put back what PyFlink's worker changes in the process that it runs in, and wait until its threads have ended.

    The worker takes over the root logger, the environment variables, `sys.path` and the working folder. Its threads end
    with an exception when the mini cluster hangs up, which is how each job ends.
    """
    root, hook, threads = logging.getLogger(), threading.excepthook, set(threading.enumerate())
    level, handlers, environ, path, folder = root.level, list(root.handlers), dict(os.environ), list(sys.path), Path.cwd()
    threading.excepthook = lambda arguments: None if _is_workers(arguments.thread) else hook(arguments)
    try:
        yield
    finally:
        for thread in set(threading.enumerate()) - threads:
            if _is_workers(thread):
                thread.join(_SECONDS_TO_HANG_UP)
        threading.excepthook = hook
        root.setLevel(level)
        root.handlers[:] = handlers
        os.environ.clear()
        os.environ.update(environ)
        sys.path[:] = path
        os.chdir(folder)


def _is_workers(thread: threading.Thread | None) -> bool:
    return thread is not None and thread.name.startswith(("read_", "run_", "fn_api", "beam_"))
