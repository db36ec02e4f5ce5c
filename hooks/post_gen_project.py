"""Tidy the new project, and say what to do next."""

from __future__ import annotations

import shutil
from pathlib import Path

LEFTOVERS = ("__pycache__", "*.egg-info", ".mypy_cache", ".ruff_cache", ".pytest_cache", "kit/build")

if __name__ == "__main__":
    # A template that was used from a working folder, rather than from git, may hold what its tools left there.
    for pattern in LEFTOVERS:
        for folder in list(Path().rglob(pattern)):
            shutil.rmtree(folder)
    print(
        """
{{ cookiecutter.project_slug }} is ready:

  cd {{ cookiecutter.project_slug }}
  make setup    a virtual environment with Flink {{ cookiecutter.flink_version }} and everything else
  make run      the job on a local Flink and Kafka, over 20,000 real flights
  make check    the production checklist

Then make it yours: src/{{ cookiecutter.package_name }} is where your job lives.""",
    )
