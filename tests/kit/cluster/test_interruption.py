"""A signal interrupts once, and not while something is being taken in hand."""

from __future__ import annotations

import signal

import pytest
from jobkit.cluster import interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_is_postponed_interrupts_afterwards(number: signal.Signals) -> None:
    """Once, however many come."""
    done = []

    def start() -> None:
        with interruption.postponed():
            signal.raise_signal(number)
            signal.raise_signal(signal.SIGTERM)
            done.append("started")
        done.append("went on")

    with pytest.raises(KeyboardInterrupt), interruption.listening():
        start()
    assert done == ["started"]


def test_nothing_came() -> None:
    """The signals mean what they meant before."""
    before = signal.getsignal(signal.SIGINT)
    with interruption.postponed():
        pass
    assert signal.getsignal(signal.SIGINT) is before
