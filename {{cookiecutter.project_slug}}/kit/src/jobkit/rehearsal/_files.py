"""The Java by which a snapshot is copied. Flink's own compiler of generated code, which the Table API brings, compiles it."""

from __future__ import annotations

SOURCE = """
import java.io.DataOutputStream;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;
import org.apache.flink.runtime.state.filesystem.RelativeFileStateHandle;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.util.IOUtils;

public class JobkitFiles implements java.util.function.BiFunction {
    private IdentityHashMap seen;
    private List found;

    public Object apply(Object first, Object second) {
        try {
            if (first instanceof CheckpointMetadata && second == null) {
                return list((CheckpointMetadata) first);
            }
            if (first instanceof CheckpointMetadata) {
                store((CheckpointMetadata) first, (Map) second);
                return null;
            }
            Path to = new Path((String) second);
            to.getFileSystem().mkdirs(to.getParent());
            Path from = new Path((String) first);
            FSDataOutputStream output = to.getFileSystem().create(to, FileSystem.WriteMode.NO_OVERWRITE);
            IOUtils.copyBytes(from.getFileSystem().open(from), output, 1 << 18, true);
            return null;
        } catch (RuntimeException exception) {
            throw exception;
        } catch (Exception exception) {
            throw new RuntimeException(exception);
        }
    }

    private String list(CheckpointMetadata metadata) throws Exception {
        collect(metadata);
        List rows = new ArrayList();
        for (Iterator left = found.iterator(); left.hasNext();) {
            Object handle = left.next();
            Path path = (Path) field(handle).get(handle);
            Object relative = handle instanceof RelativeFileStateHandle ? ((RelativeFileStateHandle) handle).getRelativePath() : null;
            rows.add(Arrays.asList(new Object[] {path.toString(), relative}));
        }
        return new ObjectMapper().writeValueAsString(rows);
    }

    private void store(CheckpointMetadata metadata, Map places) throws Exception {
        collect(metadata);
        for (Iterator left = found.iterator(); left.hasNext();) {
            Object handle = left.next();
            Object place = places.get(field(handle).get(handle).toString());
            if (place != null) {
                field(handle).set(handle, new Path((String) place));
            }
        }
        Path to = new Path((String) places.get("_metadata"));
        to.getFileSystem().mkdirs(to.getParent());
        FSDataOutputStream stream = to.getFileSystem().create(to, FileSystem.WriteMode.NO_OVERWRITE);
        Checkpoints.storeCheckpointMetadata(metadata, new DataOutputStream(stream));
        stream.close();
    }

    private void collect(CheckpointMetadata metadata) throws Exception {
        seen = new IdentityHashMap();
        found = new ArrayList();
        walk(metadata.getOperatorStates());
        walk(metadata.getMasterStates());
    }

    private void walk(Object object) throws Exception {
        if (object == null || seen.put(object, object) != null) {
            return;
        }
        if (object instanceof Map) {
            walk(((Map) object).values());
        } else if (object instanceof Collection) {
            for (Iterator left = ((Collection) object).iterator(); left.hasNext();) {
                walk(left.next());
            }
        } else if (object instanceof Object[]) {
            walk(Arrays.asList((Object[]) object));
        } else if (object.getClass().getName().startsWith("org.apache.flink.") && !(object instanceof Path) && !(object instanceof Enum)) {
            if (field(object) != null) {
                found.add(object);
            }
            for (Class kind = object.getClass(); kind != Object.class; kind = kind.getSuperclass()) {
                Field[] fields = kind.getDeclaredFields();
                for (int index = 0; index < fields.length; index++) {
                    if (!Modifier.isStatic(fields[index].getModifiers()) && !fields[index].getType().isPrimitive()) {
                        fields[index].setAccessible(true);
                        walk(fields[index].get(object));
                    }
                }
            }
        }
    }

    private Field field(Object object) {
        for (Class kind = object.getClass(); kind != Object.class; kind = kind.getSuperclass()) {
            try {
                Field found = kind.getDeclaredField("filePath");
                if (found.getType() == Path.class) {
                    found.setAccessible(true);
                    return found;
                }
            } catch (NoSuchFieldException exception) {
                continue;
            }
        }
        return null;
    }
}
"""
"""Finds every handle to a file in a snapshot's metadata, of whatever class (they all call its path `filePath`), copies a file, and
writes metadata that names other files."""
