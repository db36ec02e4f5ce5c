"""Run a job with timers on a mini cluster in this process: `python -m tests.kit.guardrails.timers_job MODE FOLDER [SAVEPOINT]`.

Without a savepoint the job keeps a state and registers a timer for each of the keys, under no watermark at all, in one bundle that
only a checkpoint ends; once the function was sent every key, a savepoint is taken and its path printed. With one, the job starts from it
and its input ends at once, which fires every timer that there is; their keys are printed. The job is not cancelled before this
process ends: PyFlink may ask for state that Flink is closing, which crashes the JVM now and then.
"""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jobkit.cluster.waiting import until
from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration, Types
from pyflink.datastream import DataStream, KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.java_gateway import get_gateway

KEYS = tuple("abcdefgh")
_SECONDS = 600
_NOT_STARTED = "Not all required tasks are currently running"
_CONFIGURATION = {
    "parallelism.default": "1",
    "state.backend.type": "rocksdb",
    "restart-strategy.type": "disable",
    "python.executable": sys.executable,
    "python.client.executable": sys.executable,
    # Neither ends a bundle before the savepoint does.
    "python.fn-execution.bundle.size": "100000",
    "python.fn-execution.bundle.time": "3600000",
}


class Reminder(KeyedProcessFunction):
    """Keep each record, and register a timer for it."""

    def __init__(self, folder: Path) -> None:
        """Leave a file there for each timer that fires."""
        self._folder = folder

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state."""
        self._kept = runtime_context.get_state(ValueStateDescriptor("kept", Types.STRING()))

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Keep a record."""
        self._kept.update(value)
        ctx.timer_service().register_event_time_timer(1000)
        yield from ()

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:  # noqa: ARG002
        """Tell what was kept."""
        (self._folder / str(self._kept.value())).touch()
        yield from ()


def start(mode: str, folder: Path, source: socket.socket, echo: socket.socket, savepoint: str | None) -> Any:
    """Start the job; return its client.

    Args:
        mode: The execution mode.
        folder: Where the timers that fire leave their keys.
        source: A server that the job reads its keys from.
        echo: A server that the job's source sends each key to, right before it goes to the function.
        savepoint: What to start from.
    """
    values = {**_CONFIGURATION, "python.execution-mode": mode}
    if savepoint is not None:
        values["execution.state-recovery.path"] = savepoint
    configuration = Configuration()
    for key, value in values.items():
        configuration.set_string(key, value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_max_parallelism(128)
    lines = DataStream(env._j_stream_execution_environment.socketTextStream(*source.getsockname())).uid("lines")
    schema = get_gateway().jvm.org.apache.flink.api.common.serialization.SimpleStringSchema()
    lines._j_data_stream.writeToSocket(*echo.getsockname(), schema).uid("echo")
    keyed = lines.key_by(lambda line: line, Types.STRING())
    keyed.process(Reminder(folder), Types.STRING()).uid("reminder").print().uid("out")
    return env.execute_async("timers")


def take_savepoint(client: Any, folder: Path) -> str | None:
    """Take a savepoint and return its path, or None when the tasks have not all started: Flink then triggers none."""
    canonical = get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType.CANONICAL
    try:
        # PyFlink's own trigger_savepoint calls a method that Flink no longer has.
        return str(client._j_job_client.triggerSavepoint(folder.as_uri(), canonical).get())
    except Py4JJavaError as error:
        if _NOT_STARTED in str(error):
            return None
        raise


def main(mode: str, folder: Path, savepoint: str | None) -> None:
    """Do what the module says."""
    with ExitStack() as stack:
        source, echo = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
        client = start(mode, folder, source, echo, savepoint)
        connections = []
        for server in (source, echo):
            server.settimeout(_SECONDS)
            connections.append(stack.enter_context(server.accept()[0]))
        lines, echoes = connections
        if savepoint is None:
            lines.sendall("".join(f"{key}\n" for key in KEYS).encode())
            with echoes.makefile() as characters:
                characters.read(len(KEYS))
            # The savepoint's barrier now follows the keys.
            taken = until(lambda: take_savepoint(client, folder), what="a savepoint is taken", seconds=_SECONDS)
            print(taken, flush=True)  # noqa: T201
        else:
            lines.close()
            client.get_job_execution_result().result()
            print(",".join(sorted(file.name for file in folder.iterdir())), flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        # Not waiting for threads of the job that still runs: who started this process kills its group.
        os._exit(sys.exc_info()[0] is not None)
