"""`flink.lock`: YAML in a stable order, made to be read in a diff."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from ruamel.yaml.error import YAMLError

from ..configuration import plain_yaml, problem_of
from ..errors import ConfigurationError
from ..graph import State
from .model import Dropped, Lock, LockedOperator, Timers

T = TypeVar("T")
FILE = "flink.lock"
FORMAT = 1
"""Counted up when an older jobkit would misread the file."""

_TEXTS = ("key", "function", "code", "window", "connector", "plan")
"""Attributes of an operator that are written where it has them."""
_HEAD = "# What the state of this job depends on. `jobkit lock` writes it; review it as you would a schema.\n"
_RESTORE = (
    "Take the file as it is in version control (`git checkout HEAD -- flink.lock`; in a merge, that of one side), then run `jobkit lock`."
)
"""Not: remove it. A lock that is written without one before it is compared with nothing."""


def write(lock: Lock, file: Path) -> None:
    """Write a lock.

    Raises:
        ConfigurationError: When the file cannot be written.
    """
    try:
        file.write_text(text(lock), encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigurationError("The lock cannot be written.", found=error.strerror, where=str(file)) from error


def text(lock: Lock) -> str:
    """Return the content of the file."""
    document: dict[str, Any] = {"format": FORMAT, "flink": lock.flink, "backend": lock.backend}
    document["operators"] = {operator.uid: _operator(operator) for operator in lock.operators}
    if lock.dropped:
        document["dropped"] = [_dropped(entry) for entry in lock.dropped]
    content = io.StringIO()
    plain_yaml(default_flow_style=False).dump(document, content)
    return _HEAD + content.getvalue().rstrip() + "\n"


def _operator(operator: LockedOperator) -> dict[str, Any]:
    """Return an operator without what it does not have."""
    found: dict[str, Any] = {"id": operator.id, "name": operator.name, "kind": operator.kind}
    found["max-parallelism"] = operator.max_parallelism
    if operator.key_type is not None:
        found["key-type"] = operator.key_type
    for name in _TEXTS:
        if getattr(operator, name) is not None:
            found[name] = getattr(operator, name)
    if operator.pickles:
        found["pickles"] = {name: dict(fields) for name, fields in operator.pickles}
    if operator.execution_mode is not None:
        found["execution-mode"] = operator.execution_mode
    if operator.timers != "none":
        found["timers"] = operator.timers
    if operator.states:
        names = [state.name for state in operator.states]
        found["states"] = dict(_state(state, is_alone=names.count(state.name) == 1) for state in operator.states)
    if operator.unknown:
        found["unknown"] = True
    return found


def _state(state: State, *, is_alone: bool) -> tuple[str, dict[str, Any]]:
    """Return a state and the key that it stands at: its name, unless a keyed and a broadcast state share that."""
    found: dict[str, Any] = {} if is_alone else {"name": state.name}
    found |= {"kind": state.kind, "type": state.type}
    if state.ttl is not None:
        found["ttl"] = state.ttl
    if state.version is not None:
        found["version"] = state.version
        found["fields"] = dict(state.fields)
    if state.migrates:
        found["migrates"] = True
    return state.name if is_alone else f"{state.name} ({state.kind})", found


def _dropped(entry: Dropped) -> dict[str, str]:
    return {"uid": entry.uid, **({} if entry.state is None else {"state": entry.state}), "reason": entry.reason}


def read(file: Path) -> Lock | None:
    """Read a lock; None when there is no such file.

    Raises:
        ConfigurationError: When it cannot be read, or a newer jobkit wrote it.
    """
    try:
        content = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("The lock cannot be read.", found=str(error), where=str(file), remedy=_RESTORE) from error
    return parse(content, str(file))


def parse(content: str, where: str) -> Lock:
    """Read a lock from a text.

    Args:
        content: The text.
        where: What to call it in an error.

    Raises:
        ConfigurationError: When it is no lock, or a newer jobkit wrote it.
    """
    try:
        document = plain_yaml().load(content)
    except YAMLError as error:
        line, found = problem_of(error)
        place = f"{where}:{line}" if line else where
        raise ConfigurationError("The lock is not YAML; was a merge left unfinished?", found=found, where=place, remedy=_RESTORE) from error
    form = document.get("format") if isinstance(document, dict) else None
    if isinstance(form, int) and form > FORMAT:
        raise ConfigurationError(
            "A newer jobkit wrote the lock.",
            found=f"format: {form}, of which this one knows {FORMAT}",
            where=where,
            remedy="Update jobkit.",
        )
    try:
        return _lock(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError("This is no lock.", found=f"{type(error).__name__}: {error}", where=where, remedy=_RESTORE) from error


def _lock(document: Mapping[str, Any]) -> Lock:
    if document["format"] != FORMAT:
        raise ValueError(f"format: {document['format']!r}")
    operators = [_read_operator(uid, entry) for uid, entry in document["operators"].items()]
    operators.sort(key=lambda operator: operator.uid)  # a merge by hand may have another order
    return Lock(str(document["flink"]), str(document["backend"]), tuple(operators), tuple(map(_read_dropped, document.get("dropped", ()))))


def _read_operator(uid: str, entry: Mapping[str, Any]) -> LockedOperator:
    states = [_read_state(name, state) for name, state in entry.get("states", {}).items()]
    return LockedOperator(
        uid=str(uid),
        id=_text(entry["id"]),
        name=_text(entry["name"]),
        kind=_text(entry["kind"]),
        max_parallelism=_number(entry["max-parallelism"]),
        key_type=_text_or_none(entry.get("key-type")),
        execution_mode=_text_or_none(entry.get("execution-mode")),
        timers=_one_of(entry.get("timers", "none"), get_args(Timers)),
        states=tuple(sorted(states, key=lambda state: (state.name, state.kind))),
        unknown=bool(entry.get("unknown", False)),
        pickles=tuple((_text(name), _fields(fields)) for name, fields in entry.get("pickles", {}).items()),
        **{name: _text_or_none(entry.get(name)) for name in _TEXTS},
    )


def _read_state(name: str, entry: Mapping[str, Any]) -> State:
    known = (_text(entry["kind"]), _text(entry["type"]), _text_or_none(entry.get("ttl")), _number(entry.get("version")))
    return State(str(entry.get("name", name)), *known, _fields(entry.get("fields", {})), bool(entry.get("migrates", False)))


def _fields(entry: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((_text(name), _text(kind)) for name, kind in entry.items())


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _one_of(value: Any, words: tuple[T, ...]) -> T:
    if value not in words:
        raise ValueError(f"{value!r} is none of {', '.join(map(str, words))}")
    return value  # type: ignore[no-any-return]


def _number(value: Any) -> int | None:
    if value is not None and not isinstance(value, int):
        raise ValueError(f"{value!r} is no number")
    return value


def _read_dropped(entry: Mapping[str, Any]) -> Dropped:
    return Dropped(_text(entry["uid"]), _text_or_none(entry.get("state")), _text(entry["reason"]))
