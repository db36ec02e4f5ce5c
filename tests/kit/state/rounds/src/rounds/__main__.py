"""Submit the job."""

from __future__ import annotations

from jobkit.launch import launch

from .pipeline import build

launch(build)
