"""What a function of the user's has raised, told with the operator, the key and the record that it was at.

None of it costs anything while all goes well: only when a whole batch has failed is it asked which record it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

from ..errors import FunctionFailed, JobkitError
from ..sources import is_users_code

Failed = TypeVar("Failed", bound=JobkitError)
_MOST = 200
"""How much of a value is shown, in characters."""
_PLACES = 3
_BASE = f"{__package__}.function"
"""The module of the base classes, whose methods say what the user has left out."""


def shortened(value: Any) -> str:
    """Return how a value is written, or the beginning of it and its length."""
    if isinstance(value, bytes):
        return f"{value!r}, {len(value)} bytes" if len(value) <= _MOST else f"{value[:_MOST]!r} and so on, {len(value)} bytes"
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001  (the user's class may raise anything)
        return f"an object of the class {type(value).__qualname__}, whose repr fails: {type(error).__name__}"
    return text if len(text) <= _MOST else f"{text[:_MOST]} and so on, {len(text)} characters"


def described(error: BaseException) -> str:
    """Return an exception in one line."""
    text = " ".join(f"{type(error).__name__}: {error}".removesuffix(": ").split())
    text = text.encode(errors="backslashreplace").decode()  # half of a surrogate pair would be lost on the way to Java
    return (text if len(text) <= 2 * _MOST else f"{text[: 2 * _MOST]} and so on").rstrip(".")


def told(error: Failed) -> Failed:
    """Return an error all of which reaches Flink: in thread mode that is not its text, but what it was made of first."""
    error.args = (str(error),)
    return error


def of_key(error: Exception, name: str, operator: str, key: Any, records: Sequence[Any]) -> NoReturn:
    """Raise what a function of a key has raised, with what it was at.

    Args:
        error: What it raised; one of Flink's, of jobkit's or of its own code.
        name: The function, such as `DelaysByHour`.
        operator: The operator, as a reader knows it.
        key: The key that it was called for.
        records: The records that it was called with; none for a timer.

    Raises:
        FunctionFailed: What it raised; an error of jobkit's stays what it is, and so does one of Flink's.
    """
    if isinstance(error, JobkitError):
        error.where = ", ".join(filter(None, [error.where, operator, f"at the key {shortened(key)}"]))
        raise told(error)
    own = _own(error)
    if not own or _is_ours(error):
        raise error
    failure = FunctionFailed(
        f"{name} failed at the key {shortened(key)}: {described(error)}.",
        found=_held(error, records),
        where=", ".join([*own, operator]),
        remedy="A record that can never be processed is best rejected where it is parsed, or sent to a side output.",
    )
    raise told(failure).with_traceback(error.__traceback__) from error  # thread mode shows the lines of the failure, and of no cause


def of_text(error: Exception, name: str, operator: str, text: bytes, remedy: str) -> NoReturn:
    """Raise what a function of a text, or of the record made from it, has raised, with the text.

    Args:
        error: What it raised.
        name: What the function is called in `read`, such as `parse`.
        operator: The operator, as a reader knows it.
        text: The text.
        remedy: What to write instead.

    Raises:
        FunctionFailed: What it raised; an error of jobkit's stays what it is.
    """
    if isinstance(error, JobkitError):
        error.where = f"{error.where or f'`{name}`'}, {operator}, for the text {shortened(text)}"
        raise told(error)
    failure = FunctionFailed(
        f"`{name}` failed for a text: {described(error)}.",
        found=shortened(text),
        where=", ".join([*_own(error), operator]),
        remedy=remedy,
    )
    raise told(failure).with_traceback(error.__traceback__) from error


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """Yield where an exception has passed, the place where it was raised first."""
    entry, found = error.__traceback__, []
    while entry is not None:
        found.append((entry.tb_frame, entry.tb_lineno))
        entry = entry.tb_next
    return reversed(found)


def _own(error: BaseException) -> list[str]:
    """Return the user's lines that an exception has passed, the last of them first."""
    found = []
    for frame, line in _frames(error):
        module, file = str(frame.f_globals.get("__name__")), frame.f_code.co_filename
        if is_users_code(module, file):
            found.append(f"{'/'.join(Path(file).parts[-2:])}:{line} in {frame.f_code.co_name}")
    return found[:_PLACES]


def _is_ours(error: BaseException) -> bool:
    """Return whether a base class has raised an exception, which says what is missing."""
    return any(frame.f_globals.get("__name__") == _BASE for frame, _ in list(_frames(error))[:1])


def _held(error: BaseException, records: Sequence[Any]) -> str | None:
    """Return how many records there were, and the one that a variable stood for nearest to where the exception was raised."""
    if not records:
        return None
    if len(records) == 1:
        return f"one record, {shortened(records[0])}"
    known = {id(record) for record in records}
    for frame, _ in _frames(error):
        for name, value in frame.f_locals.items():
            if id(value) in known:
                return f"{len(records)} records, and {name} = {shortened(value)}"
    return f"{len(records)} records, the first of them {shortened(records[0])}"
