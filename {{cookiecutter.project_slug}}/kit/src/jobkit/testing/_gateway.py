"""The JVM that jobs under test are built and run in, which must have the project's connector."""

from __future__ import annotations

from typing import Any

from py4j.java_gateway import JavaPackage

from .. import analysis
from ..errors import ConfigurationError
from ..project import Project


def of(project: Project) -> Any:
    """Return PyFlink's gateway, started with the project's jars unless it runs already.

    Raises:
        ConfigurationError: When it cannot be started, or runs without the Kafka connector.
    """
    gateway = analysis.jvm(project)
    if isinstance(gateway.jvm.org.apache.flink.connector.kafka.source.KafkaSource, JavaPackage):
        raise ConfigurationError(
            "PyFlink's JVM runs without the project's Kafka connector.",
            found=f"jars = {list(project.jars)}, or a JVM that something else started",
            where=f"{project.root / 'pyproject.toml'}, [tool.jobkit] jars",
            remedy="List the connector, and let the first thing in the process that needs the JVM be Pipeline.run.",
        )
    return gateway
