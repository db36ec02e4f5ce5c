"""Runs the project's own program with its Kafka ends redirected: `flink run -pym jobkit.rehearsal`.

The connectors' Java objects are changed in the very graph that is submitted: operators, uids and ids are those of the real job, and
nothing can be added past it, by whatever API.
"""

from __future__ import annotations

import functools
import json
import os
import runpy
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.data_stream import DataStream
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import get_field, get_field_value

from jobkit import statements
from jobkit.errors import ConfigurationError
from jobkit.project import find_project

from . import ends
from .ends import End

VARIABLE = "JOBKIT_REHEARSAL"
"""Tells the job's process what to do, as the JSON of a `Plan`."""

_PREFIX = "rehearsal-"
_PRODUCTIONS = ("security.", "sasl.", "ssl.", "interceptor.classes", "metric.reporters")
"""The beginnings of Kafka's keys that belong to production's cluster, or tell others what is done."""
_LONGEST_TRANSACTION = 900_000
_TIMEOUT = "transaction.timeout.ms"


@dataclass(frozen=True)
class Plan:
    """What is redirected where.

    Attributes:
        servers: The rehearsal's broker.
        production_input: Whether the sources read production's.
        allowed: The uids of sources and sinks that run as they are.
        report: The file for what the job's process has to tell: a list of lines.
    """

    servers: str
    production_input: bool
    allowed: tuple[str, ...]
    report: str

    def to_json(self) -> str:
        """Return the text for the variable."""
        return json.dumps(asdict(self))


def main() -> None:
    """Run the program of the project in this folder."""
    plan = Plan(**json.loads(os.environ[VARIABLE]))
    generate = StreamExecutionEnvironment._generate_stream_graph

    @functools.wraps(generate)
    def redirected(*given: Any, **options: Any) -> Any:
        j_stream_graph = generate(*given, **options)
        found = ends.read(j_stream_graph)
        ends.require_known(found, plan.allowed)
        notes = [note for end in found if end.is_kafka for note in redirect(end, plan)]
        known = json.loads(Path(plan.report).read_text(encoding="utf-8")) if Path(plan.report).exists() else []
        Path(plan.report).write_text(json.dumps(list(dict.fromkeys([*known, *notes]))), encoding="utf-8")
        return j_stream_graph

    StreamExecutionEnvironment._generate_stream_graph = redirected
    DataStream.execute_and_collect = _refuse
    with statements.refused(_refuse):
        runpy.run_module(find_project(Path.cwd()).package, run_name="__main__", alter_sys=True)


def redirect(end: End, plan: Plan) -> Iterator[str]:
    """Change a Kafka source or sink; yield what the user should know. To do it twice changes nothing."""
    if end.role == "sink":
        yield from _sink(end, plan)
    else:
        yield from _source(end, plan)


def _sink(end: End, plan: Plan) -> Iterator[str]:
    properties = get_field_value(end.connector, "kafkaProducerConfig")
    _relocate(properties, plan.servers)
    timeout = str(properties.get(_TIMEOUT))
    if timeout.isdecimal() and int(timeout) > _LONGEST_TRANSACTION:
        properties.put(_TIMEOUT, str(_LONGEST_TRANSACTION))
        yield f"{end.label}: {_TIMEOUT} is {timeout}, lowered to {_LONGEST_TRANSACTION} here: production's broker must allow it."
    prefix = str(get_field_value(end.connector, "transactionalIdPrefix") or "")
    if not prefix.startswith(_PREFIX):
        _set(end.connector, "transactionalIdPrefix", _PREFIX + prefix)


def _source(end: End, plan: Plan) -> Iterator[str]:
    properties = get_field_value(end.connector, "props")
    properties.put("commit.offsets.on.checkpoint", "false")
    properties.put("enable.auto.commit", "false")
    properties.put("allow.auto.create.topics", "false")
    if plan.production_input:
        properties.remove("interceptor.classes")
        yield f"{end.label}: reads {properties.get('bootstrap.servers')}, and commits no offsets."
        return
    _relocate(properties, plan.servers)
    # Production's positions lie beyond the end of the local topic: this is where the source begins then.
    properties.put("auto.offset.reset", "earliest")
    initializers = get_gateway().jvm.org.apache.flink.connector.kafka.source.enumerator.initializer
    _set(end.connector, "startingOffsetsInitializer", initializers.OffsetsInitializer.earliest())


def _relocate(properties: Any, servers: str) -> None:
    for key in [str(key) for key in properties.keySet().toArray()]:
        if key.startswith(_PRODUCTIONS):
            properties.remove(key)
    properties.put("bootstrap.servers", servers)


def _set(j_object: Any, name: str, value: Any) -> None:
    get_field(j_object.getClass(), name).set(j_object, value)


def _refuse(*_: object, **__: object) -> None:
    raise ConfigurationError(
        "The program submits a job past its environment's execute, where sinks cannot be redirected.",
        remedy="End it with launch(build).",
    )
