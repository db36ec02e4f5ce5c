"""Run the job on a mini cluster in this process: `python -m rounds.local MODULE FOLDER [SNAPSHOT]`, MODULE being `pipeline` or `evolved`.

The first line that comes out is {"operators": [their ids]}; then comes what the job prints. `savepoint` on standard input takes a
savepoint into FOLDER/savepoints and prints `savepoint taken`; checkpoints are in FOLDER/checkpoints. The end of the input ends this
process. It needs nothing but PyFlink and the kit, so that it runs with each Flink version.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from jobkit import configuration, entry
from pyflink.java_gateway import get_gateway

from .pipeline import Settings

CONF = Path(__file__).parents[2] / "conf"


def main(build: Callable[..., None], folder: Path, snapshot: str | None) -> None:
    """Start the job, and do what is asked."""
    values = configuration.load(CONF, "local").values | {
        "execution.checkpointing.dir": f"file://{folder}/checkpoints",
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
    }
    if snapshot is not None:
        values["execution.state-recovery.path"] = f"file://{snapshot}"
    env, graph = entry.build_graph(build, Settings(), values)
    print(json.dumps({"operators": [operator.id for operator in graph.operators]}), flush=True)  # noqa: T201
    client = env.execute_async(graph.name)
    threading.Thread(target=end_with, args=(client,), daemon=True).start()
    for line in sys.stdin:
        if line.strip() == "savepoint":
            # PyFlink's own trigger_savepoint calls a method that Flink no longer has.
            canonical = get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType.CANONICAL
            client._j_job_client.triggerSavepoint(f"file://{folder}/savepoints", canonical).get()
            print("savepoint taken", flush=True)  # noqa: T201


def end_with(client: Any) -> None:
    """End this process when the job fails."""
    try:
        client.get_job_execution_result().result()
    except Exception as error:  # noqa: BLE001 - Java's, and Python's when the gateway is gone
        print(error, flush=True)  # noqa: T201
        os._exit(1)


if __name__ == "__main__":
    main(import_module(f"rounds.{sys.argv[1]}").build, Path(sys.argv[2]).resolve(), sys.argv[3] if len(sys.argv) > 3 else None)
