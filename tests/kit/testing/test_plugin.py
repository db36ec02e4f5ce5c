"""What the plugin does to each session."""

from __future__ import annotations

import gc
import socket
import sys

import pytest


def test_only_sockets_that_were_never_connected_are_forgotten_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """kafka-python leaves such a one behind when a broker is down; one that listens is somebody's mistake."""
    complaints: list[str] = []

    def complain(unraisable: sys.UnraisableHookArgs) -> None:
        # What another test left behind is collected here as well.
        if "socket" in str(unraisable.exc_value):
            complaints.append(str(unraisable.exc_value))

    monkeypatch.setattr(sys, "unraisablehook", complain)
    forgotten = socket.socket()
    del forgotten
    gc.collect()
    assert complaints == []
    listening = socket.create_server(("127.0.0.1", 0))
    del listening
    gc.collect()
    assert "unclosed" in complaints.pop()
