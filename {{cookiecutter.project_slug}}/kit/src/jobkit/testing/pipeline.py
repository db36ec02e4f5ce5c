"""The whole job on Flink's mini cluster in this process, without Kafka: records of each topic in, records of each out.

outputs = Pipeline(project).run({"flights": [b"...", b"..."]})
assert outputs["delay-stats"] == [b"..."]
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable, Mapping

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Beam imports what others have deprecated: no warning about the job
    importlib.import_module("pyflink.fn_execution.beam.beam_worker_pool_service")
    from .. import entry
    from ..cluster.sample import Record
    from ..project import Project
    from . import _gateway, _mini_cluster
    from ._substitution import Substitution
    from ._watermarks import Watermarks

Values = Iterable[bytes | str | Record]

SECONDS = 60.0
"""How long a run may take."""


class Pipeline:
    """A project's job, as its `build` makes it.

    The first run starts PyFlink's JVM with the project's jars; all runs of a process share it. Python functions run in
    this process (Flink calls it loopback): what they write to a module's variables stays from run to run, and a test
    that looks at such a variable sees what no test on a cluster would. Thread mode would need a JVM that was started
    with the project on its PYTHONPATH. Sources and sinks that are not Kafka's are left as they are.

    Args:
        project: The project; its `pipeline` names `build`.
    """

    def __init__(self, project: Project) -> None:
        self._project = project

    def run(
        self,
        inputs: Mapping[str, Values],
        *,
        environment: Mapping[str, str] | None = None,
        parallelism: int = 1,
        configuration: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
    ) -> dict[str, list[bytes]]:
        """Run the job over records until it has processed all of them and every event-time timer has fired.

        With parallelism 1 the outcome does not depend on how fast what runs: a record is processed to the end, the
        watermark follows it, then comes the next. At the end the timers that are left see a watermark just below the
        last. Records have no Kafka timestamp.

        Args:
            inputs: The values of the records, or whole records, by topic; a topic that is not given is empty.
            environment: The variables that the job's settings are read from; nothing else is.
            parallelism: The job's parallelism.
            configuration: Flink configuration, on top of what a run needs; conf/ is not read.
            seconds: How long it may take.

        Returns:
            The values of the records by topic, in the order that they were written in; of each topic that the job
            writes to, also when there were none.

        Raises:
            ConfigurationError: When the job cannot be built, or reads no such topic.
            JobFailed: When it fails, or is not done in time.
        """
        given = {topic: [_record(value) for value in values] for topic, values in inputs.items()}
        gateway = _gateway.of(self._project)
        watermarks = Watermarks.of(gateway)
        build = entry.find(self._project)
        settings = entry.settings(build, environment or {})
        values = {**_mini_cluster.configuration(parallelism), **(configuration or {})}
        values["pipeline.jars"] = ";".join(filter(None, [values.get("pipeline.jars"), watermarks.jar.as_uri()]))
        substitution = Substitution(gateway, given, watermarks)
        with substitution.active():
            env, graph = entry.build_graph(build, settings, values)
        substitution.require_read()
        return _mini_cluster.execute(env, graph.name, substitution.sinks, seconds)


def _record(value: bytes | str | Record) -> Record:
    if isinstance(value, Record):
        return value
    return Record(None, value.encode() if isinstance(value, str) else bytes(value))
