"""Files on any file system that Flink knows, through Flink's own `org.apache.flink.core.fs.FileSystem`: local, S3, HDFS and others.

Which ones it knows depends on the process: in a cluster, and in Flink's client, those whose plug-ins are in Flink's folder plugins/.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JJavaError
from pyflink.java_gateway import get_gateway

from .throwables import root_cause


class FileSystemError(Exception):
    """What Flink's file system has thrown, in a line; `kind` is the class of the Java exception, without package."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}" if reason else kind)
        self.kind = kind


def read(address: str) -> str:
    """Return the text of a file.

    Raises:
        FileSystemError: When there is none, or it cannot be read.
    """
    with _explained():
        file = _path(address)
        size = file.getFileSystem().getFileStatus(file).getLen()
        stream = file.getFileSystem().open(file)
        try:
            return bytes(get_gateway().jvm.java.io.DataInputStream(stream).readNBytes(size)).decode("utf-8", errors="replace")
        finally:
            stream.close()


def write(address: str, text: str) -> None:
    """Write a file, and the folders that it is in; one that is there already is replaced.

    Raises:
        FileSystemError: When it cannot be written.
    """
    with _explained():
        file = _path(address)
        replace = get_gateway().jvm.org.apache.flink.core.fs.FileSystem.WriteMode.OVERWRITE
        file.getFileSystem().mkdirs(file.getParent())
        stream = file.getFileSystem().create(file, replace)
        try:
            stream.write(text.encode("utf-8"))
        finally:
            stream.close()


def names(folder: str) -> list[str]:
    """Return the names of what is in a folder, sorted; nothing when there is no such folder.

    Raises:
        FileSystemError: When it cannot be read.
    """
    with _explained():
        path = _path(folder)
        entries = path.getFileSystem().listStatus(path) if path.getFileSystem().exists(path) else None
        return sorted(str(entry.getPath().getName()) for entry in entries or ())


def exists(address: str) -> bool:
    """Say whether there is a file or a folder.

    Raises:
        FileSystemError: When the file system does not answer.
    """
    with _explained():
        path = _path(address)
        return bool(path.getFileSystem().exists(path))


def delete(address: str) -> None:
    """Remove a file; nothing happens when there is none.

    Raises:
        FileSystemError: When it cannot be removed.
    """
    with _explained():
        path = _path(address)
        path.getFileSystem().delete(path, False)  # noqa: FBT003


def modified(address: str) -> int:
    """Return when a file was written, in milliseconds since 1970.

    Raises:
        FileSystemError: When there is none, or the file system does not answer.
    """
    with _explained():
        path = _path(address)
        return int(path.getFileSystem().getFileStatus(path).getModificationTime())


def _path(address: str) -> Any:
    return get_gateway().jvm.org.apache.flink.core.fs.Path(address)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Py4JJavaError as error:
        raise FileSystemError(*root_cause(error)) from error
