"""Puts other ends on a job while it is built: records in memory for Kafka's sources, collections for its sinks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyflink.common import WatermarkStrategy
from pyflink.datastream import DataStream, DataStreamSink, StreamExecutionEnvironment
from pyflink.datastream.connectors.base import Source as PyFlinkSource

from ..cluster.sample import Record
from ..errors import ConfigurationError
from ._kafka_ends import Sink, Source, is_kafka_sink, is_kafka_source
from ._watermarks import Watermarks


class Substitution:
    """Replaces Kafka's sources and sinks while a job is built.

    Attributes:
        sinks: The sinks that the job has asked for.
    """

    def __init__(self, gateway: Any, given: Mapping[str, Sequence[Record]], watermarks: Watermarks) -> None:
        self.sinks: list[Sink] = []
        self._gateway, self._given, self._watermarks = gateway, given, watermarks
        self._topics: set[str] = set()
        self._from_source, self._sink_to = StreamExecutionEnvironment.from_source, DataStream.sink_to
        self._assign = DataStream.assign_timestamps_and_watermarks

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Replace PyFlink's methods, and put them back."""

        def from_source(env: Any, *arguments: Any, **named: Any) -> DataStream:
            return self._read(env, *arguments, **named)

        def sink_to(stream: DataStream, sink: Any) -> DataStreamSink:
            return self._write(stream, sink)

        def assign(stream: DataStream, watermark_strategy: WatermarkStrategy) -> DataStream:
            return self._slow(self._assign(stream, self._punctual(watermark_strategy)))

        patches = [
            (StreamExecutionEnvironment, "from_source", from_source),
            (DataStream, "sink_to", sink_to),
            (DataStream, "assign_timestamps_and_watermarks", assign),
        ]
        with contextlib.ExitStack() as stack:
            for owner, name, replacement in patches:
                stack.callback(setattr, owner, name, owner.__dict__[name])
                setattr(owner, name, replacement)
            yield

    def require_read(self) -> None:
        """Raise a ConfigurationError when records were given for a topic that no source reads."""
        unknown = sorted(set(self._given) - self._topics)
        if unknown:
            raise ConfigurationError(
                "The job does not read a topic that records were given for.",
                found=", ".join(unknown),
                remedy=f"Its sources read {', '.join(sorted(self._topics)) or 'no topic'}.",
            )

    def _read(self, env: Any, source: Any, watermark_strategy: WatermarkStrategy, source_name: str, type_info: Any = None) -> Any:
        strategy = self._punctual(watermark_strategy)
        if not is_kafka_source(source.get_java_function()):
            return self._slow(self._from_source(env, source, strategy, source_name, type_info))
        kafka = Source(self._gateway, source.get_java_function(), self._given)
        self._topics.update(kafka.topics)
        j_env, j_type, elements = env._j_stream_execution_environment, kafka.produced, kafka.elements()
        if elements.isEmpty():  # Flink's bounded sources must have something
            return DataStream(j_env.fromCollection(elements, j_type).name(source_name))
        j_source = j_env.fromData(elements, j_type).getTransformation().getSource()
        return self._slow(self._from_source(env, PyFlinkSource(j_source), strategy, source_name, type_info))

    def _write(self, stream: DataStream, sink: Any) -> DataStreamSink:
        if not is_kafka_sink(sink.get_java_function()):
            return self._sink_to(stream, sink)
        transformer = sink.get_transformer()
        written = transformer.apply(stream) if transformer is not None else stream
        collected = written._j_data_stream.collectAsync()
        self.sinks.append(Sink(sink.get_java_function(), collected))
        transformations = written._j_data_stream.getExecutionEnvironment().getTransformations()
        return _Collected(transformations.get(transformations.size() - 1))

    def _slow(self, stream: DataStream) -> DataStream:
        return DataStream(self._watermarks.slow_end(stream._j_data_stream))

    def _punctual(self, strategy: WatermarkStrategy) -> WatermarkStrategy:
        punctual = WatermarkStrategy(self._watermarks.after_each_record(strategy._j_watermark_strategy))
        punctual._timestamp_assigner = strategy._timestamp_assigner
        return punctual


class _Collected(DataStreamSink):  # type: ignore[misc]  # PyFlink brings no types
    """What `sink_to` returns: the sink that collects, which goes by the job's names but runs once."""

    def __init__(self, j_transformation: Any) -> None:
        super().__init__(_Handle(j_transformation))

    def set_parallelism(self, parallelism: int) -> DataStreamSink:  # noqa: ARG002 - what collects is not parallel
        return self


class _Handle:
    """Stands for Java's DataStreamSink, of which `collectAsync` gives none."""

    def __init__(self, j_transformation: Any) -> None:
        self._j_transformation = j_transformation

    def getTransformation(self) -> Any:  # noqa: N802 - Java's name
        return self._j_transformation

    def __getattr__(self, name: str) -> Any:
        setter = {"name": "setName", "uid": "setUid", "setUidHash": "setUidHash", "setDescription": "setDescription"}.get(name)
        return getattr(self._j_transformation, setter) if setter else lambda *_: None
