"""Write kit/SHA256SUMS, by which `jobkit doctor` tells whether a project has edited its kit. Part of each release."""

from __future__ import annotations

from pathlib import Path

from jobkit.manifest import write

if __name__ == "__main__":
    write(Path(__file__).parents[1] / "{{cookiecutter.project_slug}}" / "kit")
