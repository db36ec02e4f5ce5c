"""Flink's own classes for snapshots, in the JVM behind PyFlink.

`org.apache.flink.runtime.checkpoint.Checkpoints`, and what it returns, are internal to Flink: nothing outside this package knows them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyflink.java_gateway import get_gateway

from ..cluster import gateway
from ..cluster.snapshots import address
from ..errors import ConfigurationError
from ..throwables import innermost, root_cause

INCREMENTAL = frozenset({"IncrementalRemoteKeyedStateHandle"})
"""Handles to a set of RocksDB's own files. Each has one small file more, the head, which says what is in them."""

_DESCRIBER = """
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.flink.core.memory.DataInputViewStreamWrapper;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.IncrementalKeyedStateHandle;
import org.apache.flink.runtime.state.IncrementalRemoteKeyedStateHandle;
import org.apache.flink.runtime.state.KeyGroupsStateHandle;
import org.apache.flink.runtime.state.KeyedBackendSerializationProxy;
import org.apache.flink.runtime.state.KeyedStateHandle;
import org.apache.flink.runtime.state.OperatorStateHandle;
import org.apache.flink.runtime.state.StreamStateHandle;
import org.apache.flink.runtime.state.metainfo.StateMetaInfoSnapshot;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

public class JobkitDescriber implements java.util.function.Function {
    public static class Unreadable extends RuntimeException {
        public Unreadable(String file, Throwable cause) {
            super(file, cause);
        }
    }

    static class Head implements Callable {
        private final KeyedStateHandle handle;
        private final ClassLoader loader;
        private final Map known;

        Head(KeyedStateHandle handle, ClassLoader loader, Map known) {
            this.handle = handle;
            this.loader = loader;
            this.known = known;
        }

        public Object call() {
            try {
                if (handle instanceof IncrementalRemoteKeyedStateHandle) {
                    return ofFile(((IncrementalRemoteKeyedStateHandle) handle).getMetaDataStateHandle());
                }
                if (handle instanceof KeyGroupsStateHandle) {
                    InputStream stream = ((KeyGroupsStateHandle) handle).openInputStream();
                    try {
                        return states(stream);
                    } finally {
                        stream.close();
                    }
                }
                return new ArrayList();
            } catch (Throwable problem) {
                throw new Unreadable(handle.toString(), problem);
            }
        }

        private Object ofFile(StreamStateHandle file) throws Exception {
            byte[] bytes = new byte[(int) file.getStateSize()];
            InputStream stream = file.openInputStream();
            try {
                new DataInputStream(stream).readFully(bytes);
            } finally {
                stream.close();
            }
            Object content = ByteBuffer.wrap(bytes);
            Object found = known.get(content);
            if (found == null) {
                found = states(new ByteArrayInputStream(bytes));
                known.put(content, found);
            }
            return found;
        }

        private List states(InputStream stream) throws Exception {
            List states = new ArrayList();
            KeyedBackendSerializationProxy proxy = new KeyedBackendSerializationProxy(loader);
            proxy.read(new DataInputViewStreamWrapper(stream));
            for (Iterator left = proxy.getStateMetaInfoSnapshots().iterator(); left.hasNext();) {
                StateMetaInfoSnapshot info = (StateMetaInfoSnapshot) left.next();
                boolean isQueue = info.getBackendStateType() == StateMetaInfoSnapshot.BackendStateType.PRIORITY_QUEUE;
                Object kind = isQueue ? null : String.valueOf(info.getOptionsImmutable().get("KEYED_STATE_TYPE"));
                states.add(Arrays.asList(new Object[] {info.getName(), kind}));
            }
            return states;
        }
    }

    public Object apply(Object given) {
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        ExecutorService pool = Executors.newFixedThreadPool(16);
        try {
            Map known = new ConcurrentHashMap();
            List heads = new ArrayList();
            List operators = new ArrayList();
            for (Iterator states = ((Collection) given).iterator(); states.hasNext();) {
                operators.add(operator((OperatorState) states.next(), pool, loader, known, heads));
            }
            for (int index = 0; index < operators.size(); index++) {
                List found = new ArrayList();
                for (Iterator left = ((List) heads.get(index)).iterator(); left.hasNext();) {
                    Iterator named = ((List) ((Future) left.next()).get()).iterator();
                    while (named.hasNext()) {
                        Object state = named.next();
                        if (!found.contains(state)) {
                            found.add(state);
                        }
                    }
                }
                ((Map) operators.get(index)).put("keyedStates", found);
            }
            return new ObjectMapper().writeValueAsString(operators);
        } catch (ExecutionException exception) {
            throw (RuntimeException) exception.getCause();
        } catch (Exception exception) {
            throw new RuntimeException(exception);
        } finally {
            pool.shutdownNow();
        }
    }

    private Object told(OperatorState state, String getter) throws Exception {
        try {
            return ((Optional) OperatorState.class.getMethod(getter, new Class[0]).invoke(state, new Object[0])).orElse(null);
        } catch (NoSuchMethodException older) {
            return null;
        }
    }

    private Map operator(OperatorState state, ExecutorService pool, ClassLoader loader, Map known, List heads) throws Exception {
        List futures = new ArrayList();
        List kinds = new ArrayList();
        List names = new ArrayList();
        boolean raw = false;
        int shared = 0;
        int unshared = 0;
        for (Iterator subtasks = state.getStates().iterator(); subtasks.hasNext();) {
            OperatorSubtaskState subtask = (OperatorSubtaskState) subtasks.next();
            raw |= !subtask.getRawKeyedState().isEmpty() || !subtask.getRawOperatorState().isEmpty();
            for (Iterator left = subtask.getManagedOperatorState().iterator(); left.hasNext();) {
                Iterator named = ((OperatorStateHandle) left.next()).getStateNameToPartitionOffsets().keySet().iterator();
                while (named.hasNext()) {
                    Object name = named.next();
                    if (!names.contains(name)) {
                        names.add(name);
                    }
                }
            }
            for (Iterator left = subtask.getManagedKeyedState().iterator(); left.hasNext();) {
                KeyedStateHandle handle = (KeyedStateHandle) left.next();
                futures.add(pool.submit((Callable) new Head(handle, loader, known)));
                if (!kinds.contains(handle.getClass().getSimpleName())) {
                    kinds.add(handle.getClass().getSimpleName());
                }
                if (handle instanceof IncrementalRemoteKeyedStateHandle) {
                    IncrementalRemoteKeyedStateHandle files = (IncrementalRemoteKeyedStateHandle) handle;
                    shared += files.getSharedState().size();
                    for (Iterator own = files.getPrivateState().iterator(); own.hasNext();) {
                        if (((IncrementalKeyedStateHandle.HandleAndLocalPath) own.next()).getLocalPath().endsWith(".sst")) {
                            unshared++;
                        }
                    }
                }
            }
        }
        heads.add(futures);
        Map found = new HashMap();
        found.put("id", state.getOperatorID().toHexString());
        found.put("uid", told(state, "getOperatorUid"));
        found.put("name", told(state, "getOperatorName"));
        found.put("parallelism", Integer.valueOf(state.getParallelism()));
        found.put("maxParallelism", Integer.valueOf(state.getMaxParallelism()));
        found.put("bytes", Long.valueOf(state.getStateSize()));
        found.put("checkpointedBytes", Long.valueOf(state.getCheckpointedSize()));
        found.put("handles", kinds);
        found.put("operatorStates", names);
        found.put("raw", Boolean.valueOf(raw));
        found.put("sharedFiles", Integer.valueOf(shared));
        found.put("unsharedFiles", Integer.valueOf(unshared));
        return found;
    }
}
"""
"""Reads the heads in the JVM, many at a time: a snapshot of a large job has thousands, and a call through the gateway for each part
of each would take minutes. Subtasks of an operator mostly have equal heads: each is understood once. Flink's own compiler of generated
code, which the Table API brings, compiles it. Operators have no uid and no name in Flink 1.20."""


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


def described(j_states: Any) -> list[dict[str, Any]]:
    """Return what the `OperatorState`s of a Java collection say, and what is in them, in their order.

    Returns:
        For each: `id`, `uid` and `name` (None where there is none), `parallelism`, `maxParallelism`, `bytes`, `checkpointedBytes`;
        `keyedStates`, pairs of the name and kind (None for timers) of its keyed states; `operatorStates`, the names of the
        others; `raw`, whether it has raw state; `handles`, the classes of the handles to its keyed state; `sharedFiles` and
        `unsharedFiles`, how many files of RocksDB's it shares with other checkpoints, and not.

    Raises:
        ConfigurationError: When a file is missing or damaged.
    """
    with explained("the snapshot"):
        found: list[dict[str, Any]] = json.loads(compiled("JobkitDescriber", _DESCRIBER).apply(j_states))
    return found


def compiled(name: str, source: str) -> Any:
    """Compile a class, and return an object of it."""
    return _compiled(jvm(), name, source)


@lru_cache
def _compiled(jvm: Any, name: str, source: str) -> Any:
    """Compile a class once: Flink forgets it after a while, and py4j would take a second one of the same name for the first."""
    return jvm.org.apache.flink.table.runtime.generated.CompileUtils.compile(class_loader(), name, source).newInstance()


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


_REMOTE = ("com.amazonaws.", "software.amazon.", "org.apache.hadoop.", "com.azure.", "com.google.", "java.net.", "javax.net.")
"""Where the exceptions of file systems on other machines come from: their libraries, and the network."""

_HADOOP = ("hdfs:", "viewfs:", "webhdfs:")
"""Schemes for which Flink has no plug-in, and needs Hadoop's own classes."""


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn what Flink throws into an error for the user; where it was thrown for one file of many, that one is named."""
    try:
        yield
    except Py4JJavaError as error:
        if simple_name(error.java_exception) == "Unreadable":
            where = str(error.java_exception.getMessage())
        kind, reason = root_cause(error)
        if kind in {"FileNotFoundException", "NoSuchFileException"}:
            what = "There is no such snapshot, or it is not complete."
            remedy = "Name the folder of a checkpoint (…/chk-42) or savepoint: the one that holds a file _metadata."
        elif kind == "UnsupportedFileSystemSchemeException":
            what, remedy = "Flink knows no such file system.", "Put the file system's plugin into Flink's folder plugins/."
            if where.startswith(_HADOOP):
                remedy = "It comes with Hadoop: export HADOOP_CLASSPATH=$(hadoop classpath), and HADOOP_CONF_DIR, as for Flink itself."
        elif "did not describe the authority" in reason:
            what, remedy = "The address names no server.", "Write hdfs://<name node>/<path>, or set HADOOP_CONF_DIR, where fs.defaultFS is."
        elif str(innermost(error).getClass().getName()).startswith(_REMOTE):
            what = "The file system does not give the snapshot."
            remedy = "Its address and credentials are Flink's keys in conf/, such as s3.endpoint, or what its library finds by itself."
        else:
            what, remedy = "The snapshot is damaged, or another Flink version wrote it.", "Take an older snapshot."
        raise ConfigurationError(what, found=f"{kind}: {reason}" if reason else kind, where=where, remedy=remedy) from error
