"""The Flink distribution that the PyFlink package brings."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from ruamel.yaml import YAML

from ..errors import ConfigurationError


def home() -> Path:
    """Return the folder that is FLINK_HOME: the PyFlink package's own.

    Raises:
        ConfigurationError: When PyFlink is not installed beside jobkit.
    """
    spec = importlib.util.find_spec("pyflink")
    if spec is None or spec.origin is None:
        raise ConfigurationError("PyFlink is not installed.", remedy="Run make setup, and use the project's own environment.")
    return Path(spec.origin).parent


def require(version: str | None) -> None:
    """Raise a ConfigurationError when another PyFlink is installed than the one that a project pins."""
    home()
    installed = importlib.metadata.version("apache-flink")
    if version is not None and installed != version:
        raise ConfigurationError(
            f"The project is made for PyFlink {version}.",
            found=f"apache-flink {installed}",
            where="pyproject.toml, [tool.jobkit] flink",
            remedy="Run make setup.",
        )


def java_options() -> str:
    """Return the JVM options that Flink's own configuration file brings: without them it does not start on Java 17."""
    shipped = YAML(typ="safe").load(home() / "conf" / "config.yaml")
    return str(shipped["env"]["java"]["opts"]["all"])
