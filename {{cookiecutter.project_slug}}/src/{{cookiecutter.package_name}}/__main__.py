"""Run the job: `python -m {{ cookiecutter.package_name }}`, on whatever cluster Flink's configuration names."""

from __future__ import annotations

from jobkit.launch import launch

from .pipeline import build

if __name__ == "__main__":
    launch(build)
