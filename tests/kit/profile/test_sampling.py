"""Whatever happens, no py-spy is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import pytest
from jobkit.cluster import interruption
from jobkit.profile import samples
from jobkit.profile.sampling import sample
from jobkit.profile.targets import Target


@pytest.mark.parametrize("started", [1, 2])
def test_an_interruption_while_py_spy_starts(started: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one, or the second of the same process."""
    real, spies = subprocess.Popen, []

    def start(_: Any, **options: Any) -> subprocess.Popen[bytes]:
        spies.append(real(["sleep", "60"], **options))
        if len(spies) == started:
            signal.raise_signal(signal.SIGTERM)
        return spies[-1]

    monkeypatch.setattr(samples, "executable", lambda: "py-spy")
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(KeyboardInterrupt), interruption.listening():
        sample([Target(os.getpid(), "tm", "thread")], 60, lambda _: None)
    assert [spy.poll() for spy in spies] == [-signal.SIGKILL] * started
