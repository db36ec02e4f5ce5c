"""What of Flink's options counts for a job: what conf/ says, what its code sets over that, and what Flink takes for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from ..graph import JobGraph
from ..known_options import Options

_OF_THE_MACHINE = "python.job-options"
"""What PyFlink notes for its workers: the time zone of who builds the job."""

_MATTER = ("execution.", "heartbeat.", "parallelism.", "pipeline.", "python.", "restart-strategy.", "state.")
"""The beginnings of the keys that decide how a job runs, and what becomes of its state; memory and network are the cluster's."""


def given(env: StreamExecutionEnvironment, graph: JobGraph, values: Mapping[str, str]) -> dict[str, str]:
    """Return what was set: by conf/ and, before that, by the job's code.

    Args:
        env: The environment in which the job was built.
        graph: What came out.
        values: What conf/ says.
    """
    configuration = Configuration()
    for key, value in values.items():
        configuration.set_string(key, value)
    bare = StreamExecutionEnvironment.get_execution_environment(configuration)
    before, after = _texts(bare), _texts(env)
    by_code = {key: text for key, text in after.items() if _matters(key) and before.get(key) != text}
    as_objects = {key: str(each.value) for key, each in graph.settings.items() if each.value is not None and key not in after}
    return {**as_objects, **values, **by_code}


def defaults(set_already: Mapping[str, str]) -> dict[str, str]:
    """Return what Flink takes for the options that matter and that nobody has set."""
    known = Options.of_flink()
    options = {known.find(key) for key in set_already}
    found = ((key, option.default) for key, option in sorted(known.known.items()) if _matters(key) and option not in options)
    return {key: default for key, default in found if default is not None}


def hidden(values: Mapping[str, str]) -> dict[str, str]:
    """Return values with those replaced that Flink would hide."""
    jvm: Any = get_gateway().jvm
    entries = jvm.java.util.HashMap()
    for key, value in values.items():
        entries.put(key, value)
    return dict(jvm.org.apache.flink.configuration.ConfigurationUtils.hideSensitiveValues(entries))


def _matters(key: str) -> bool:
    return key.startswith(_MATTER) and key != _OF_THE_MACHINE


def _texts(env: StreamExecutionEnvironment) -> dict[str, str]:
    found = env._j_stream_execution_environment.getConfiguration().toMap()
    return {str(key): str(value) for key, value in found.items()}
