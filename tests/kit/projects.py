"""What tests of commands share: a project of a few lines, the command line, the table of versions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from jobkit.cluster import distribution, java
from pyflink.version import __version__

VERSIONS = json.loads((Path(__file__).parents[2] / "cookiecutter.json").read_text(encoding="utf-8"))["_flink_versions"]
"""The table of versions that drives every pin."""

_OF_THE_MACHINE = ("FLINK_", "PYFLINK_", "JOBKIT_", "HADOOP_", "JVM_ARGS", "COLUMNS")

PYPROJECT = """\
[tool.jobkit]
pipeline = "tiny.pipeline:build"
"""
SETTINGS = """\
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jobkit.errors import ConfigurationError


@dataclass(frozen=True)
class Settings:
    job_name: str = "tiny"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        if not environ.get("TINY_NAME"):
            raise ConfigurationError("TINY_NAME is not set.", remedy="Set TINY_NAME to the job's name.")
        return cls(environ["TINY_NAME"])
"""
PIPELINE = """\
from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor

from .settings import Settings

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])


class Count(KeyedProcessFunction):
    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value, ctx):
        self.count.update((self.count.value() or 0) + 1)
        yield value[0], self.count.value()


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    env.set_parallelism(1)
    env.set_max_parallelism(128)
    stream = env.from_collection([("a", 1), ("b", 2), ("a", 3)], PAIR).uid("source")
    counts = stream.key_by(lambda value: value[0], Types.STRING()).process(Count(), PAIR).uid("count")
    counts.print().uid("out")
"""
MAIN = """\
from jobkit.launch import launch

from .pipeline import build

launch(build)
"""
BASE = """\
pipeline.auto-generate-uids: false
state.backend.type: rocksdb
execution.checkpointing.incremental: true
execution.checkpointing.mode: EXACTLY_ONCE
execution.checkpointing.interval: 30 s
execution.checkpointing.min-pause: 10 s
execution.checkpointing.timeout: 5 min
execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION
"""
PROD = """\
execution.checkpointing.dir: s3://bucket/checkpoints
execution.checkpointing.savepoint-dir: s3://bucket/savepoints
"""
LOCK = """\
# What the state of this job depends on. `jobkit lock` writes it; review it as you would a schema.
format: 1
flink: '%s'
backend: rocksdb
operators:
  count:
    id: b71731f1c0df9c3076c4a455334d0ad6
    name: KEYED PROCESS
    kind: keyed-process
    max-parallelism: 128
    key-type: String
    key: <lambda> 2c162642
    function: Count
    execution-mode: process
    states:
      count:
        kind: value
        type: Long
  count/key-by:
    id: a5afcc90066b33229acb92f4f3f05359
    name: _stream_key_by_map_operator
    kind: process
    max-parallelism: 128
    execution-mode: process
  out:
    id: 4d648856f35492026b8f75b0a6ec795e
    name: 'Sink: Print to Std. Out'
    kind: sink
    max-parallelism: 128
    connector: PrintSinkFunction
  source:
    id: e5a72f353fc1e6bbf3bd96a41384998c
    name: 'Source: Collection Source'
    kind: source
    max-parallelism: 1
    connector: InputFormatSourceFunction
"""
FILES = {
    "pyproject.toml": PYPROJECT,
    "src/tiny/__init__.py": "",
    "src/tiny/__main__.py": MAIN,
    "src/tiny/pipeline.py": PIPELINE,
    "src/tiny/settings.py": SETTINGS,
    "conf/base.yaml": BASE,
    "conf/local.yaml": "restart-strategy.type: disable\n",
    "conf/prod.yaml": PROD,
    "flink.lock": LOCK % ".".join(__version__.split(".")[:2]),
}


@dataclass(frozen=True)
class TinyProject:
    """A project in the shape of a generated one, with a job of three operators.

    Attributes:
        root: Its folder.
    """

    root: Path

    def write(self, name: str, text: str) -> Path:
        """Write one of its files."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def replace(self, name: str, old: str, new: str) -> None:
        """Change a text of one of its files, which must be there once."""
        text = (self.root / name).read_text(encoding="utf-8")
        assert text.count(old) == 1
        self.write(name, text.replace(old, new))


def tiny(root: Path) -> TinyProject:
    """Write the project, which breaks no guardrail, into a folder."""
    project = TinyProject(root)
    for name, text in FILES.items():
        project.write(name, text)
    return project


def environment(**more: str) -> dict[str, str]:
    """Return variables for a child process: nothing of this machine's Flink, and this Python and a fit Java first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OF_THE_MACHINE)}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**kept, "PATH": path, "JAVA_HOME": str(java.find().home), "FLINK_HOME": str(distribution.home()), **more}


def run(command: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder to its end."""
    return subprocess.run(command, cwd=folder, env=environment(**more), capture_output=True, text=True, check=False)


JOBKIT = (sys.executable, "-W", "ignore", "-c", "from jobkit.cli import main; main()")
"""The command line, with Python's warnings about PyFlink's own imports off."""


def jobkit(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder."""
    return run([*JOBKIT, *arguments], folder, **more)
