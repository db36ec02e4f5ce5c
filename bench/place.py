"""Where the benchmark keeps what it fetches, and what it starts processes with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jobkit import configuration
from jobkit.cluster import jars, java, jvm
from jobkit.cluster.broker import Broker
from jobkit.cluster.java import Java
from jobkit.cluster.machine import Machine
from jobkit.project import LOCAL, Project

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
CACHE = ROOT / "build" / "bench"
"""Not committed, and removed by `make clean`: the flights, jars by name, peers, and the data of the runs."""

PROJECT = CACHE / "template" / "flight-delays"
"""A project that the template makes, once `template.render` has."""

_FLINK = "2.2"
_JAVA_OF_KAFKA = 17
_KAFKA_TOOLS = "org.apache.kafka:kafka-tools"


class BenchMachine(Machine):
    """This machine, with the benchmark's own programs, and the template's job, on the path of every Python."""

    def environment(self, temporary: Path) -> Mapping[str, str]:
        """Return the variables of Flink's processes."""
        variables = super().environment(temporary)
        path = [str(ROOT), str(PROJECT / "src"), variables["PYTHONPATH"]]
        return {**variables, "PYTHONPATH": os.pathsep.join(path)}


@dataclass(frozen=True)
class Place:
    """What Flink and Kafka run with: as in a project that the template makes.

    Attributes:
        cache: The folder of all that is kept.
    """

    cache: Path

    @cached_property
    def project(self) -> Project:
        """A project with the template's pins."""
        pins = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["_flink_versions"][_FLINK]
        return Project(root=self.cache, flink=pins["pyflink"], kafka=pins["kafka"], jars=tuple(pins["jars"]))

    @cached_property
    def java(self) -> Java:
        """A Java for both. Every JVM compiles as well as it can: a benchmark takes back what the kit sets for short runs."""
        inherited = os.environ.get("JAVA_TOOL_OPTIONS", "")
        if jvm.FULL_COMPILER not in inherited:
            os.environ["JAVA_TOOL_OPTIONS"] = f"{inherited} {jvm.FULL_COMPILER}".strip()
        return java.provide(minimum=_JAVA_OF_KAFKA)

    @cached_property
    def configuration(self) -> dict[str, str]:
        """The configuration that the template's projects come with: base.yaml, and what a local run needs over it."""
        return configuration.load(TEMPLATE / "conf", LOCAL).values

    def machine(self) -> BenchMachine:
        """Return where Flink's processes run."""
        return BenchMachine(self.cache, library=jars.library(self.project), java=self.java)

    def broker(self, folder: Path) -> Broker:
        """Start a broker, and do not wait."""
        return Broker(folder, classpath=jars.broker_classpath(self.project), java=self.java)

    def kafka_tool(self, name: str) -> list[str]:
        """Return the command of one of Kafka's own tools, such as `ConsoleProducer`."""
        tools = jars.fetch(self.project, [f"{_KAFKA_TOOLS}:{self.project.kafka}"])
        classpath = os.pathsep.join(map(str, [*jars.broker_classpath(self.project), *tools]))
        return [str(self.java.executable), "-Xmx512m", "-cp", classpath, f"org.apache.kafka.tools.{name}"]
