"""What Flink hands to a function: the runtime context when it is opened, and a context with each element or timer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pyflink.datastream import RuntimeContext, TimeDomain, TimerService
from pyflink.datastream.functions import (
    BroadcastProcessFunction,
    CoProcessFunction,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    ProcessFunction,
)
from pyflink.datastream.state import MapStateDescriptor, StateDescriptor
from pyflink.metrics import Counter, Distribution, Meter, MetricGroup

from . import _states
from ._state_backend import Backend
from ._timers import Timers


class Opening(RuntimeContext):  # type: ignore[misc]
    """The runtime context of one operator, of parallelism 1."""

    def __init__(self, backend: Backend, parameters: Mapping[str, str], metrics: Metrics) -> None:
        self._backend, self._parameters, self._metrics = backend, parameters, metrics

    def get_task_name(self) -> str:
        """Return the name of the task."""
        return "operator"

    def get_task_name_with_subtasks(self) -> str:
        """Return the name of the subtask."""
        return "operator (1/1)"

    def get_number_of_parallel_subtasks(self) -> int:
        """Return the parallelism."""
        return 1

    def get_max_number_of_parallel_subtasks(self) -> int:
        """Return the max parallelism."""
        return 128

    def get_index_of_this_subtask(self) -> int:
        """Return the subtask's number."""
        return 0

    def get_attempt_number(self) -> int:
        """Return how often it was restarted."""
        return 0

    def get_job_parameter(self, key: str, default_value: str) -> str:
        """Return a global job parameter."""
        return self._parameters.get(key, default_value)

    def get_metrics_group(self) -> Metrics:
        """Return the group of the operator's metrics."""
        return self._metrics

    def get_state(self, state_descriptor: StateDescriptor) -> Any:
        """Return a value state."""
        return _states.keyed(state_descriptor, "value", self._backend)

    def get_list_state(self, state_descriptor: StateDescriptor) -> Any:
        """Return a list state."""
        return _states.keyed(state_descriptor, "list", self._backend)

    def get_map_state(self, state_descriptor: StateDescriptor) -> Any:
        """Return a map state."""
        return _states.keyed(state_descriptor, "map", self._backend)

    def get_reducing_state(self, state_descriptor: StateDescriptor) -> Any:
        """Return a reducing state."""
        return _states.keyed(state_descriptor, "reducing", self._backend)

    def get_aggregating_state(self, state_descriptor: StateDescriptor) -> Any:
        """Return an aggregating state."""
        return _states.keyed(state_descriptor, "aggregating", self._backend)


class _Context:
    """What an element and a timer have in common."""

    def __init__(self, timers: Timers, backend: Backend, timestamp: int, key: Any = None, domain: TimeDomain | None = None) -> None:
        self._timers, self._backend, self._timestamp, self._key, self._domain = timers, backend, timestamp, key, domain

    def timestamp(self) -> int:
        """Return the element's timestamp, or the time of the timer."""
        return self._timestamp


class _TimerServiceContext(_Context):
    def timer_service(self) -> TimerService:
        """Return the timers."""
        return self._timers


class _KeyContext(_TimerServiceContext):
    def get_current_key(self) -> Any:
        """Return the key that is processed."""
        return self._key


class _TimerContext(_KeyContext):
    def time_domain(self) -> TimeDomain | None:
        """Return whose time has come."""
        return self._domain


class Plain(_TimerServiceContext, ProcessFunction.Context, CoProcessFunction.Context):  # type: ignore[misc]
    """With an element of a stream without keys."""


class Keyed(_KeyContext, KeyedProcessFunction.Context, KeyedCoProcessFunction.Context):  # type: ignore[misc]
    """With an element of a keyed stream."""


class OnTimer(_TimerContext, KeyedProcessFunction.OnTimerContext, KeyedCoProcessFunction.OnTimerContext):  # type: ignore[misc]
    """With a timer."""


class _BroadcastContext(_Context):
    _read_only = True

    def current_processing_time(self) -> int:
        """Return the processing time, in milliseconds."""
        return self._timers.processing_time

    def current_watermark(self) -> int:
        """Return the watermark, in milliseconds."""
        return self._timers.watermark

    def get_broadcast_state(self, state_descriptor: MapStateDescriptor) -> Any:
        """Return a broadcast state."""
        return _states.broadcast(state_descriptor, self._backend, read_only=self._read_only)


class BroadcastElement(_BroadcastContext, BroadcastProcessFunction.Context, KeyedBroadcastProcessFunction.Context):  # type: ignore[misc]
    """With an element of the broadcast stream, which may change broadcast state."""

    _read_only = False


class BroadcastReader(_BroadcastContext, BroadcastProcessFunction.ReadOnlyContext):  # type: ignore[misc]
    """With an element of the other stream."""


class KeyedBroadcastReader(_BroadcastContext, _KeyContext, KeyedBroadcastProcessFunction.ReadOnlyContext):  # type: ignore[misc]
    """With an element of the other stream, when that has keys."""


class BroadcastOnTimer(_BroadcastContext, _TimerContext, KeyedBroadcastProcessFunction.OnTimerContext):  # type: ignore[misc]
    """With a timer of a function that has broadcast state."""


class _Number(Counter, Meter, Distribution):  # type: ignore[misc]
    """A counter, a meter or a distribution; what it keeps is the count, or the value that came last."""

    def __init__(self, values: dict[str, int | Callable[[], int]], name: str) -> None:
        self._values, self._name = values, name
        values.setdefault(name, 0)

    def inc(self, n: int = 1) -> None:
        self.update(self.get_count() + n)

    def dec(self, n: int = 1) -> None:
        self.update(self.get_count() - n)

    def mark_event(self, value: int = 1) -> None:
        self.update(self.get_count() + value)

    def get_count(self) -> int:
        count = self._values[self._name]
        return count if isinstance(count, int) else count()

    def update(self, value: int) -> None:
        self._values[self._name] = value


class Metrics(MetricGroup):  # type: ignore[misc]
    """The metrics of the operator, by names with dots between group and metric."""

    def __init__(self, values: dict[str, int | Callable[[], int]] | None = None, prefix: str = "") -> None:
        self._all: dict[str, int | Callable[[], int]] = {} if values is None else values
        self._prefix = prefix

    def add_group(self, name: str, extra: str | None = None) -> Metrics:
        """Return a group within this one."""
        return Metrics(self._all, ".".join(filter(None, [self._prefix, name, extra])))

    def counter(self, name: str) -> _Number:
        """Return a counter."""
        return _Number(self._all, self._full(name))

    def gauge(self, name: str, obj: Callable[[], int]) -> None:
        """Register a function whose result is the metric's value."""
        self._all[self._full(name)] = obj

    def meter(self, name: str, time_span_in_seconds: int = 60) -> _Number:  # noqa: ARG002 - what is kept is the count
        """Return a meter."""
        return _Number(self._all, self._full(name))

    def distribution(self, name: str) -> _Number:
        """Return a distribution."""
        return _Number(self._all, self._full(name))

    def values(self) -> dict[str, int]:
        """Return the value of each metric."""
        return {name: value if isinstance(value, int) else value() for name, value in self._all.items()}

    def _full(self, name: str) -> str:
        return f"{self._prefix}.{name}" if self._prefix else name
