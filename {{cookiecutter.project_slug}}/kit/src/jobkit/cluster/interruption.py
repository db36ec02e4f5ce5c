"""Ctrl-C, SIGTERM and SIGHUP: one interruption, and none while cleaning up."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def listening() -> Iterator[None]:
    """Raise KeyboardInterrupt at the first of the signals, and ignore those that follow. For the main thread."""

    def interrupt(*_: Any) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _handlers(interrupt):
        yield


@contextmanager
def ignored() -> Iterator[None]:
    """Ignore the signals."""
    with _handlers(signal.SIG_IGN):
        yield


@contextmanager
def postponed() -> Iterator[None]:
    """Let a signal that comes meanwhile interrupt afterwards: who starts a process must have it in hand first. For the main thread."""
    came: list[int] = []
    with _handlers(lambda number, _: came.append(number)):
        yield
    for number in came[:1]:
        signal.raise_signal(number)


@contextmanager
def hang_up_ignored() -> Iterator[None]:
    """Go on when the terminal is gone, such as an ssh session that drops. For the main thread."""
    with _handlers(signal.SIG_IGN, (signal.SIGHUP,)):
        yield


@contextmanager
def _handlers(handler: Any, numbers: Iterable[signal.Signals] = _SIGNALS) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


def wait() -> None:
    """Wait for one of the signals, while `listening`."""
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return
