"""Flink's own classes for snapshots, in the JVM behind PyFlink.

`org.apache.flink.runtime.checkpoint.Checkpoints`, and what it returns, are internal to Flink: nothing outside this package knows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyflink.java_gateway import get_gateway

from ..cluster import gateway
from ..cluster.snapshots import address
from ..errors import ConfigurationError

INCREMENTAL = frozenset({"IncrementalRemoteKeyedStateHandle"})
"""Handles to a set of RocksDB's own files. Each has one small file more, the head, which says what is in them."""


def jvm() -> Any:
    """Return the JVM behind PyFlink; start it when it is not up."""
    if gateway.is_up():
        return get_gateway().jvm
    from .. import analysis  # of the libraries that this needs, a JVM that is up needs none

    return analysis.jvm().jvm


def metadata(snapshot: Path | str) -> tuple[Any, str]:
    """Return a snapshot's `CheckpointMetadata`, and its address as Flink writes it.

    Raises:
        ConfigurationError: As `read`.
    """
    text = address(snapshot.absolute()) if isinstance(snapshot, Path) else snapshot
    with explained(text):
        runtime = jvm().org.apache.flink.runtime
        location = runtime.state.filesystem.AbstractFsCheckpointStorageAccess.resolveCheckpointPointer(text)
        pointer = location.getExternalPointer()
        stream = jvm().java.io.DataInputStream(location.getMetadataHandle().openInputStream())
        try:
            return runtime.checkpoint.Checkpoints.loadCheckpointMetadata(stream, class_loader(), pointer), pointer
        finally:
            stream.close()


def class_loader() -> Any:
    """Return the class loader that knows Flink's classes and the job's jars."""
    return jvm().java.lang.Thread.currentThread().getContextClassLoader()


def keyed_handles(j_state: Any) -> list[Any]:
    """Return Flink's handles to the managed keyed state of an operator, of all its subtasks."""
    return [handle for subtask in j_state.getStates().toArray() for handle in subtask.getManagedKeyedState().toArray()]


def keyed_backend(j_handle: Any) -> Any:
    """Read the head of a keyed state's file: its `KeyedBackendSerializationProxy`, which knows the states and the key's serializer.

    Raises:
        ConfigurationError: When the file is missing or damaged.
    """
    with explained(j_handle.toString()):
        handle = j_handle.getMetaDataStateHandle() if simple_name(j_handle) in INCREMENTAL else j_handle
        stream = handle.openInputStream()
        try:
            proxy = jvm().org.apache.flink.runtime.state.KeyedBackendSerializationProxy(class_loader())
            proxy.read(jvm().org.apache.flink.core.memory.DataInputViewStreamWrapper(stream))
        finally:
            stream.close()
        return proxy


def simple_name(j_object: Any) -> str:
    """Return the name of a Java object's class, without the package."""
    return str(j_object.getClass().getSimpleName())


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn what Flink throws into an error for the user."""
    try:
        yield
    except Py4JJavaError as error:
        cause = error.java_exception
        while cause.getCause() is not None:
            cause = cause.getCause()
        kind, reason = simple_name(cause), (cause.getMessage() or "").partition("\n")[0].rstrip(".")
        if kind in {"FileNotFoundException", "NoSuchFileException"}:
            what = "There is no such snapshot, or it is not complete."
            remedy = "Name the folder of a checkpoint (…/chk-42) or savepoint: the one that holds a file _metadata."
        elif kind == "UnsupportedFileSystemSchemeException":
            what, remedy = "Flink knows no such file system.", "Put the file system's plugin into Flink's folder plugins/."
        else:
            what, remedy = "The snapshot is damaged, or another Flink version wrote it.", "Take an older snapshot."
        raise ConfigurationError(what, found=f"{kind}: {reason}" if reason else kind, where=where, remedy=remedy) from error
