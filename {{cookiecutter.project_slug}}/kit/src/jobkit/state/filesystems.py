"""The file systems that Flink has as plug-ins: fetched, and given to Flink in this process, when a snapshot is on one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyflink.version import __version__

from ..cluster import jars
from ..errors import ConfigurationError
from ..project import Project
from . import _flink

_PLUGINS = {
    "s3": "flink-s3-fs-hadoop",
    "s3a": "flink-s3-fs-hadoop",
    "s3p": "flink-s3-fs-presto",
    "gs": "flink-gs-fs-hadoop",
    "abfs": "flink-azure-fs-hadoop",
    "abfss": "flink-azure-fs-hadoop",
    "wasb": "flink-azure-fs-hadoop",
    "wasbs": "flink-azure-fs-hadoop",
    "oss": "flink-oss-fs-hadoop",
}
"""Flink's artefact for each scheme, as its documentation of file systems lists them."""


def fetch(project: Project, address: str | None) -> Path | None:
    """Fetch the plug-in for an address; return the folder for FLINK_PLUGINS_DIR, or None when it takes none.

    Args:
        project: Its Flink version, or else PyFlink's, is the plug-in's, or the next older patch of it: not each is published.
        address: The address of a snapshot.

    Raises:
        ConfigurationError: When the plug-in cannot be fetched.
    """
    plugin = _PLUGINS.get((address or "").partition("://")[0])
    if plugin is None:
        return None
    folder = project.work / "flink" / "plugins"
    jar = _newest(project, plugin, project.flink or __version__)
    place = folder / plugin
    place.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # it is there already, or another process has just made it
        (place / jar.name).symlink_to(jar)
    for link in place.iterdir():
        if link.name != jar.name:
            link.unlink(missing_ok=True)
    return folder


def _newest(project: Project, plugin: str, version: str) -> Path:
    """Fetch a plug-in of a version of Flink, or of the newest patch before it that was published."""
    minor, _, patch = version.rpartition(".")
    error: ConfigurationError | None = None
    for number in range(int(patch) if patch.isdecimal() else -1, -1, -1):
        try:
            return jars.fetch(project, [f"org.apache.flink:{plugin}:{minor}.{number}"])[0]
        except ConfigurationError as caught:  # noqa: PERF203  (few)
            error = error or caught
    raise error or ConfigurationError("Flink's version is no release.", found=version)


def initialize(values: Mapping[str, str]) -> None:
    """Tell Flink's file systems their settings, such as `s3.endpoint`, and where their plug-ins are.

    Args:
        values: Flink's configuration.
    """
    runtime: Any = _flink.jvm().org.apache.flink
    configuration = runtime.configuration.Configuration()
    for key, value in values.items():
        configuration.setString(key, value)
    plugins = runtime.core.plugin.PluginUtils.createPluginManagerFromRootFolder(configuration)
    runtime.core.fs.FileSystem.initialize(configuration, plugins)
