"""Operators in Java, from source that Flink compiles: stateless, and a handful of lines each, in `java/`."""

from __future__ import annotations

from importlib import resources
from typing import Any

from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import to_jarray


def add(stream: DataStream, java: str, *references: Any, name: str, uid: str, output: TypeInformation) -> DataStream:
    """Add an operator whose class is in `java/<java>.java`, and return its output.

    It goes the way of the operators that the SQL planner generates (GeneratedOperator, CodeGenOperatorFactory): the source
    is part of the job graph, and each TaskManager compiles it with the compiler that Flink brings.

    Args:
        stream: Its input.
        java: The name of the class.
        references: What its constructor gets.
        name: The operator's name.
        uid: Its uid.
        output: The type of what it emits.
    """
    jvm = get_gateway().jvm
    source = (resources.files(__package__) / "java" / f"{java}.java").read_text(encoding="utf-8")
    arguments = to_jarray(jvm.java.lang.Object, list(references))
    configuration = jvm.org.apache.flink.configuration.Configuration()
    code = jvm.org.apache.flink.table.runtime.generated.GeneratedOperator(java, source, arguments, configuration)
    parallelism_is_configured = False
    j_stream = stream._j_data_stream
    environment = j_stream.getExecutionEnvironment()
    transformation = jvm.org.apache.flink.streaming.api.transformations.OneInputTransformation(
        j_stream.getTransformation(),
        name,
        jvm.org.apache.flink.table.runtime.operators.CodeGenOperatorFactory(code),
        output.get_java_type_info(),
        environment.getParallelism(),
        parallelism_is_configured,
    )
    transformation.setUid(uid)
    environment.addOperator(transformation)
    return DataStream(jvm.org.apache.flink.streaming.api.datastream.DataStream(environment, transformation))
