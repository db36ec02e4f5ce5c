"""Finds the states of a job without a cluster: opens its functions, as a worker would, with a context that takes notes.

The functions are opened in two processes of their own, side by side, each with another PYTHONHASHSEED and, when the
job was built twice, each with the functions of another build. A name that differs between them is random. A process of
its own also keeps the deadline when `open` dials a database, and keeps what the function prints away from the caller.
"""

from __future__ import annotations

import ast
import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyflink.datastream.state import MapStateDescriptor

from . import evolution
from .functions import entries, operators_functions
from .graph import UNKNOWN, JobGraph, Operator, State
from .sources import reachable

DEADLINE = 20.0
"""Seconds for the whole search; what has not answered by then is unknown."""

_SEEDS = ("1", "2")
_GETTERS = {"get_state", "get_list_state", "get_map_state", "get_reducing_state", "get_aggregating_state", "window_state", "global_state"}
_Answer = dict[str, Any]


def discover(
    graph: JobGraph, again: JobGraph | None = None, deadline: float = DEADLINE, meanwhile: Callable[[JobGraph], object] | None = None
) -> JobGraph:
    """Find the states of every Python operator of a job, in place.

    Fills `Operator.states`, `Operator.random_states` and, where they could not be found, `Operator.states_unknown`.

    Args:
        graph: The job.
        again: The same job built a second time, or None.
        deadline: Seconds until what has not answered is left as unknown.
        meanwhile: Called with the job while its functions are opened.

    Returns:
        The same graph.
    """
    functions = [operator.python for operator in graph.operators]
    if not any(functions):
        return graph
    second = [operator.python for operator in again.operators] if again else functions
    if [len(pickled) for pickled in second] != [len(pickled) for pickled in functions]:
        second = functions
    parameters = _parameters(graph)
    path = _path(graph)
    workers = [_start(pickled, seed, path, parameters, deadline) for pickled, seed in zip((functions, second), _SEEDS, strict=True)]
    with ThreadPoolExecutor(len(workers)) as beside:
        finished = [beside.submit(_finish, worker, request, deadline) for worker, request in workers]
        if meanwhile is not None:
            meanwhile(graph)
        answers = [each.result() for each in finished]
    for index, operator in enumerate(graph.operators):
        keys = [f"{index}/{number}" for number in range(len(operator.python))]
        if keys:
            graph.operators[index] = _filled(operator, *([answer[key] for key in keys] for answer in answers))
    return graph


def _parameters(graph: JobGraph) -> dict[str, str]:
    """Return the global job parameters, which functions read through their runtime context."""
    parameters = {"inBatchExecutionMode": str(graph.batch).lower(), "NUM_PARTITIONS": "1"}
    j_parameters = graph.j_stream_graph.getExecutionConfig().getGlobalJobParameters().toMap()
    return {**{key: j_parameters[key] for key in j_parameters}, **parameters}


def _path(graph: JobGraph) -> list[str]:
    """Return where the functions' modules are: this process's path, and the folders of the program that made the job."""
    folders = [str(Path(operator.file).parent) for operator in graph.operators if operator.file]
    return list(dict.fromkeys([*(str(Path(entry or ".").resolve()) for entry in sys.path), *folders]))


def _start(
    functions: Sequence[Sequence[bytes]], seed: str, path: list[str], parameters: dict[str, str], deadline: float
) -> tuple[subprocess.Popen[bytes], bytes]:
    request = {
        "path": path,
        "parameters": parameters,
        "deadline": deadline,
        "functions": {
            f"{index}/{number}": base64.b64encode(pickled).decode()
            for index, group in enumerate(functions)
            for number, pickled in enumerate(group)
        },
    }
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYFLINK_GATEWAY_DISABLED": "true", "PYTHONPATH": os.pathsep.join(path)}
    worker = subprocess.Popen(
        [sys.executable, "-m", "jobkit._opening"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    return worker, json.dumps(request).encode()


def _finish(worker: subprocess.Popen[bytes], request: bytes, deadline: float) -> dict[str, _Answer]:
    """Return the answer for each function, or why there is none."""
    reason = "the process that opened it ended"
    try:
        output, errors = worker.communicate(request, timeout=deadline + 2)
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        reason = ": ".join([reason, *last])
    except subprocess.TimeoutExpired:
        worker.kill()
        output, _ = worker.communicate()
        reason = f"it was not open after {deadline:g} seconds"
    answers: dict[str, _Answer] = {function: {"unknown": reason} for function in json.loads(request)["functions"]}
    for line in output.splitlines():
        answer = json.loads(line)
        answers[answer.pop("function")] = answer
    return answers


def _filled(operator: Operator, first: list[_Answer], second: list[_Answer]) -> Operator:
    unopened = next((str(answer["unknown"]) for answer in (*first, *second) if "unknown" in answer), None)
    unknown = unopened or _asked_late(operator)
    states = [_state(state) for answer in first for state in answer.get("states", ())]
    seen = {state["name"] for answer in second for state in answer.get("states", ())}
    random = [] if unopened else [state for state in states if state.name not in seen]
    within_reach = {entry["name"]: entry for answer in first for entry in answer.get("descriptors", ())}
    broadcast = _broadcast(operator, within_reach)
    unknown = unknown or next((f"the descriptor of “{state.name}” was not found" for state in broadcast if state.type == UNKNOWN), None)
    return replace(operator, states=(*broadcast, *states), random_states=tuple(random), states_unknown=unknown)


def _broadcast(operator: Operator, within_reach: dict[str, dict[str, Any]]) -> list[State]:
    """Return an operator's broadcast states with the types that its function reads them by.

    The descriptor that it passes to `get_broadcast_state` goes before one that is somewhere within its reach, and that before the one
    that the stream was broadcast with: of that, Flink uses the name alone.
    """
    found = [_state({**vars(state), **within_reach.get(state.name, {})}) for state in operator.states if state.kind == "broadcast"]
    types = dict(_asked_for(operator)) if found else {}
    return [replace(state, type=types.get(state.name, state.type)) for state in found]


def _asked_for(operator: Operator) -> Iterator[tuple[str, str]]:
    """Yield names and types of the descriptors that an operator's functions pass to `get_broadcast_state`, where these can be told."""
    for _, users in operators_functions(operator):
        for body in reachable([entry for user in users for entry in entries(user)]):
            for call in body.calls():
                if isinstance(call.func, ast.Attribute) and call.func.attr == "get_broadcast_state" and call.args:
                    descriptor = body.made(call.args[0])
                    if isinstance(descriptor, MapStateDescriptor):
                        yield descriptor.get_name(), repr(descriptor.type_info)


def _state(noted: dict[str, Any]) -> State:
    return State(**{**noted, "fields": tuple((name, kind) for name, kind in noted.get("fields", ()))})


def _asked_late(operator: Operator) -> str | None:
    """Return where an operator's functions ask for states while they process, which opening them does not show."""
    for _, users in operators_functions(operator):
        for body in reachable([entry for user in users for entry in entries(user)]):
            for call in body.calls():
                if isinstance(call.func, ast.Attribute) and call.func.attr in _GETTERS:
                    return f"{body.label} calls {call.func.attr}() while it processes ({body.file}:{call.lineno})"
                getter = body.resolve(call.func)
                if getattr(getter, "__module__", None) == evolution.__name__:
                    return f"{body.label} calls {getter.__name__}() while it processes ({body.file}:{call.lineno})"
    return None
