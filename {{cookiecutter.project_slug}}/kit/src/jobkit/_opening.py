"""The process that opens functions for `states`: reads pickled ones on stdin, writes a line of JSON for each on stdout."""

from __future__ import annotations

import base64
import json
import os
import pickle
import sys
import threading
import time
from functools import partial
from types import MethodType, ModuleType
from typing import Any, TextIO

from pyflink.datastream.functions import RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, StateDescriptor, StateTtlConfig
from pyflink.datastream.window import MergingWindowAssigner, WindowOperationDescriptor

_SHARE = 0.5
"""The part of the time left that one function may take: one that hangs must not hide the next."""


class _Anything:
    """Stands for a state, a metric or a metric group: takes every call, and answers with itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: self


class _Notes(RuntimeContext):  # type: ignore[misc]
    """A runtime context that notes which states a function asks for."""

    _in_batch_execution_mode = False

    def __init__(self, parameters: dict[str, str]) -> None:
        self._parameters = parameters
        self._in_batch_execution_mode = parameters.get("inBatchExecutionMode") == "true"
        self.states: list[dict[str, Any]] = []

    def note(self, kind: str, descriptor: StateDescriptor) -> _Anything:
        """Note a state, once."""
        file, line = _caller()
        entry = {"name": descriptor.get_name(), "kind": kind, "type": repr(descriptor.type_info), "ttl": _ttl(descriptor._ttl_config)}
        entry |= _versioned(descriptor)
        if not any(entry.items() <= state.items() for state in self.states):
            self.states.append({**entry, "file": file, "line": line})
        return _Anything()

    def get_state(self, state_descriptor: Any) -> Any:
        return self.note("value", state_descriptor)

    def get_list_state(self, state_descriptor: Any) -> Any:
        return self.note("list", state_descriptor)

    def get_map_state(self, state_descriptor: Any) -> Any:
        return self.note("map", state_descriptor)

    def get_reducing_state(self, state_descriptor: Any) -> Any:
        return self.note("reducing", state_descriptor)

    def get_aggregating_state(self, state_descriptor: Any) -> Any:
        return self.note("aggregating", state_descriptor)

    def get_task_name(self) -> str:
        return "jobkit"

    def get_number_of_parallel_subtasks(self) -> int:
        return 1

    def get_max_number_of_parallel_subtasks(self) -> int:
        return 128

    def get_index_of_this_subtask(self) -> int:
        return 0

    def get_attempt_number(self) -> int:
        return 0

    def get_task_name_with_subtasks(self) -> str:
        return "jobkit (1/1)"

    def get_job_parameter(self, key: str, default_value: str) -> str:
        return self._parameters.get(key, default_value)

    def get_metrics_group(self) -> Any:
        return _Anything()


def _caller() -> tuple[str | None, int | None]:
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        module = frame.f_globals.get("__name__", "")
        if module.startswith("pyflink.examples") or module.split(".")[0] not in ("pyflink", "jobkit", "__main__", "threading"):
            return frame.f_code.co_filename, frame.f_lineno
        if module == "__main__" and frame.f_code.co_filename != __file__:
            return frame.f_code.co_filename, frame.f_lineno
    return None, None


def _ttl(config: StateTtlConfig | None) -> str | None:
    if config is None or not config.is_enabled():
        return None
    return f"{config.get_ttl().to_milliseconds()} ms, {config.get_update_type().name}, {config.get_state_visibility().name}"


_KINDS = {"Value": "value", "List": "list", "Map": "map", "Reducing": "reducing", "Aggregating": "aggregating"}


def _kind(descriptor: StateDescriptor) -> str:
    name = next(base.__name__ for base in type(descriptor).__mro__ if base.__name__.removesuffix("StateDescriptor") in _KINDS)
    return _KINDS[name.removesuffix("StateDescriptor")]


def _open(function: Any, notes: _Notes) -> None:
    """Open a function as a worker would; see `pyflink.fn_execution.datastream.process.operations`."""
    if not isinstance(function, WindowOperationDescriptor):
        if hasattr(function, "open"):
            function.open(notes)
        return
    function.internal_window_function.open(notes)
    own = [function.window_state_descriptor, *_descriptors(function.trigger), *_descriptors(function.assigner)]
    for descriptor in own:
        if descriptor is not None:
            notes.note(_kind(descriptor), descriptor)
    if isinstance(function.assigner, MergingWindowAssigner):
        window = type(function.window_serializer).__name__.removesuffix("Serializer")
        entry = {"name": "merging-window-set", "kind": "map", "type": f"MapTypeInfo<{window}, {window}>", "ttl": None}
        notes.states.append({**entry, "file": None, "line": None})


def _descriptors(holder: Any, depth: int = 2) -> list[StateDescriptor]:
    """Return the descriptors that an object, or a trigger nested in it, keeps in its attributes."""
    found = []
    for value in vars(holder).values() if hasattr(holder, "__dict__") else ():
        if isinstance(value, StateDescriptor):
            found.append(value)
        elif depth and hasattr(value, "__dict__") and not isinstance(value, type):
            found.extend(_descriptors(value, depth - 1))
    return found


def _versioned(descriptor: StateDescriptor) -> dict[str, Any]:
    """Return version and fields of the class of one of `jobkit.evolution`'s states."""
    codec = getattr(descriptor, "codec", None)
    return codec.described() if codec is not None else {}


def _known_maps(function: Any) -> list[dict[str, Any]]:
    """Return the map descriptors within reach of a function, which give broadcast states their types."""
    found = _descriptors(function)
    for name in dir(type(function)):
        method = getattr(type(function), name, None)
        found += [value for value in getattr(method, "__globals__", {}).values() if isinstance(value, StateDescriptor)]
        if isinstance(method, StateDescriptor):
            found.append(method)
    maps = (entry for entry in found if isinstance(entry, MapStateDescriptor))
    return [{"name": entry.get_name(), "type": repr(entry.type_info), **_versioned(entry)} for entry in maps]


def _kept_for_later(holder: Any, notes: _Notes, depth: int = 2) -> str | None:
    """Return a method that asks for states and that an object keeps: which it will ask for cannot be seen."""
    for name, value in vars(holder).items() if hasattr(holder, "__dict__") else ():
        method = value.func if isinstance(value, partial) else value
        if isinstance(method, MethodType) and method.__self__ is notes and method.__name__.endswith("_state"):
            return f"{method.__name__}, as {name},"
        if depth and value is not notes and not isinstance(value, (type, ModuleType, MethodType, _Anything)):
            found = _kept_for_later(value, notes, depth - 1)
            if found is not None:
                return found
    return None


def _answer(pickled: bytes, parameters: dict[str, str], answer: dict[str, Any]) -> None:
    notes = _Notes(parameters)
    try:
        function = pickle.loads(pickled)  # noqa: S301 - the job that was just built
        _open(function, notes)
        answer["descriptors"] = _known_maps(function)
        described = function.described() if type(function).__module__.startswith("jobkit.") and hasattr(function, "described") else {}
        late = _kept_for_later(function, notes)
        if late is not None:
            answer["unknown"] = f"open() keeps {late} for later"
        answer["states"] = [{**state, **described.get(state["name"], {})} for state in notes.states]
    except BaseException as error:  # noqa: BLE001 - the user's code may raise anything, SystemExit too
        text = str(error).strip().splitlines()
        answer["unknown"] = f"open() raised {type(error).__name__}" + (f": {text[0]}" if text else "")


def _without_worker() -> None:
    """Spare `KeyedStream.reduce`, which only looks at the class of the context, the import of the whole Python worker."""
    module = ModuleType("pyflink.fn_execution.datastream.process.runtime_context")
    module.StreamingRuntimeContext = _Notes  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module


def main(request: dict[str, Any], protocol: TextIO) -> None:
    """Open each function in a thread of its own, one after the other, and write what each came to."""
    end = time.monotonic() + request["deadline"]
    for name, pickled in request["functions"].items():
        answer: dict[str, Any] = {}
        arguments = (base64.b64decode(pickled), request["parameters"], answer)
        thread = threading.Thread(target=_answer, args=arguments, daemon=True)
        share = (end - time.monotonic()) * _SHARE
        thread.start()
        thread.join(share)
        if thread.is_alive():
            answer = {"unknown": f"open() had not returned after {share:.0f} seconds"}
        protocol.write(json.dumps({"function": name, **answer}) + "\n")
        protocol.flush()


if __name__ == "__main__":
    # What the functions print must not get between the lines of the protocol: stdout becomes stderr for them.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as lines:
        os.dup2(2, 1)
        given = json.load(sys.stdin.buffer)
        sys.path[:] = given["path"]
        _without_worker()
        main(given, lines)
    os._exit(0)  # threads that still hang must not keep the process
