"""Flink's own options, asked in the JVM that PyFlink starts.

Nothing about a key is written down here, but the families whose keys Flink cannot list: see `_UNLISTED`.
"""

from __future__ import annotations

import difflib
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyflink.java_gateway import get_gateway

from .errors import ConfigurationError
from .throwables import innermost

_OPTION_CLASS = re.compile(r"(org/apache/flink/(?:\w+/)*\w*Options(?:\$\w+)?)\.class")
"""How Flink names the classes that hold options; its documentation generator goes by the same name."""

_NOT_OF_A_CLUSTER = re.compile(r"\.(connectors?|formats|catalog|module|sinks|arrow|utils|\w*(Hint|RuntimeConfig)Options)\b")
"""Options of tables, formats and connectors: given in a WITH clause or to a builder, never read from config.yaml."""

_PLACEHOLDER = re.compile(r"[<#]")

_UNLISTED = {
    "containerized.master.env.": "environment variables of the JobManager (ResourceManagerOptions)",
    "containerized.taskmanager.env.": "environment variables of the TaskManagers (ResourceManagerOptions)",
    "fs.": "settings that a file system plug-in reads (S3, GCS, Azure, OSS), and limits of connections by scheme",
    "s3.": "settings of Flink's S3 plug-ins (S3FileSystemFactory)",
    "s3a.": "settings of Flink's S3 plug-ins (S3FileSystemFactory)",
    "presto.s3.": "settings of Flink's S3 plug-in for Presto (S3FileSystemFactory)",
    "gs.": "settings of Flink's plug-in for Google Cloud Storage (GSFileSystemOptions)",
    "kubernetes.operator.": "settings of the Flink Kubernetes operator",
    "job.autoscaler.": "settings of the Flink Kubernetes operator's autoscaler",
    "security.kerberos.token.provider.": "settings of delegation token providers, under their old name (SecurityOptions)",
    "sql-client.": "settings of the SQL client, which is not on the class path",
    "sql-gateway.": "settings of the SQL gateway, which is not on the class path",
    "table.catalog-store.": "settings of a catalogue store (CommonCatalogOptions)",
    "env.java.home": "read by Flink's start scripts (bin/config.sh)",
    "zookeeper.heap.mb": "read by Flink's start scripts (bin/config.sh)",
    "taskmanager.compute.numa": "read by Flink's start scripts (bin/config.sh)",
}
"""Keys that no option class on the class path lists: a plug-in, a script or the platform reads them."""

_SUFFIX_HOLDERS = ("MetricOptions", "EventOptions", "TraceOptions", "SecurityOptions")
"""Flink's classes of options whose keys are only the end of a key; their annotation names the beginning."""

_EXPECTED = {
    "java.lang.Boolean": "true or false",
    "java.lang.Integer": "a whole number",
    "java.lang.Long": "a whole number",
    "java.lang.Double": "a number",
    "java.lang.Float": "a number",
    "java.time.Duration": "a duration such as 30 s",
    "org.apache.flink.configuration.MemorySize": "a size such as 512mb",
    "java.util.Map": "a map such as a:1,b:2",
    "java.lang.Class": "the name of a class",
    "java.lang.String": "a text",
}


@dataclass(frozen=True)
class Option:
    """One of Flink's options.

    Attributes:
        key: Its key.
        owner: The name of the class that declares it.
        java: The `ConfigOption`.
    """

    key: str
    owner: str
    java: Any

    @cached_property
    def default(self) -> str | None:
        """Flink's default value as text, or None if there is none."""
        value = self.java.defaultValue()
        if isinstance(value, bool):
            return str(value).lower()
        return None if value is None else str(value.toString() if hasattr(value, "toString") else value)


class Options:
    """All options that the classes on Flink's class path declare.

    Attributes:
        known: Each key's option.
        old: Each deprecated or fallback key's option, unless the key is an option of its own.
        elsewhere: Keys that only a connector, format or table reads, with the class that declares each.
        families: Beginnings of keys that cannot be listed, and who reads them.
    """

    def __init__(self, gateway: Any) -> None:
        """Ask a JVM; `gateway` is what `pyflink.java_gateway.get_gateway` returns. Takes a second or two."""
        self._gateway = gateway
        self._jvm = gateway.jvm
        self._flink = gateway.jvm.org.apache.flink.configuration
        self.known: dict[str, Option] = {}
        self.old: dict[str, Option] = {}
        self.elsewhere: dict[str, str] = {}
        self.families: dict[str, str] = dict(_UNLISTED)
        for owner in self._option_classes():
            self._add_class(owner)
        if not self.known:
            raise ConfigurationError("Flink's options cannot be found.", found=f"class path {self._class_path()}")

    @classmethod
    def of_flink(cls) -> Options:
        """Start PyFlink's JVM if it does not run yet, and ask it."""
        return cls(get_gateway())

    def is_sensitive(self, key: str) -> bool:
        """Tell whether Flink itself would hide the key's value (`GlobalConfiguration.isSensitive`)."""
        return bool(self._flink.GlobalConfiguration.isSensitive(key))

    def shown(self, key: str, value: str) -> str:
        """Return a value as it may be shown: one that Flink would hide, as Flink shows it."""
        return str(self._flink.GlobalConfiguration.HIDDEN_CONTENT) if self.is_sensitive(key) else value

    def find(self, key: str) -> Option | None:
        """Return the option that a key sets: by its name, an old name, or as `<option>.<name>` of a map."""
        option = self.known.get(key) or self.old.get(key)
        if option is not None:
            return option
        parents = (key.rsplit(".", count)[0] for count in range(1, key.count(".") + 1))
        found = next((self.known[parent] for parent in parents if parent in self.known), None)
        return found if found is not None and self._flink.ConfigurationUtils.canBePrefixMap(found.java) else None

    def family(self, key: str) -> str | None:
        """Return who reads a key that Flink does not list, or None when nobody is known to."""
        return next((reader for prefix, reader in self.families.items() if key.startswith(prefix)), None)

    def problem(self, option: Option, key: str, value: str) -> str | None:
        """Return why Flink refuses a value, or None when it takes it."""
        try:
            self._get({key: value}, option)
        except Py4JJavaError as error:
            cause = innermost(error)
            return str(cause.getMessage() or cause.getClass().getSimpleName())
        return None

    def winner(self, values: Mapping[str, str], option: Option) -> str | None:
        """Return which of several names for one option Flink listens to, or None if it refuses a value."""
        try:
            taken = self._get(values, option)
            return next(key for key in values if self._get({key: values[key]}, option) == taken)
        except Py4JJavaError:
            return None

    def expected(self, option: Option) -> str:
        """Return the kind of value that an option takes, in words."""
        kind = self._ask(option, "getClazz")
        if kind.isEnum():
            one = "one of " + ", ".join(constant.toString() for constant in kind.getEnumConstants())
        else:
            one = _EXPECTED.get(kind.getName(), f"a {kind.getSimpleName()}")
        return f"a list, each {one}" if self._ask(option, "isList") else one

    def nearest(self, key: str) -> str | None:
        """Return the known key that looks most like a misspelt one."""
        matches = difflib.get_close_matches(key, self.known, n=1, cutoff=0.8)
        return matches[0] if matches else None

    def _get(self, values: Mapping[str, str], option: Option) -> Any:
        configuration = self._flink.Configuration()
        for key, value in values.items():
            configuration.setString(key, value)
        return configuration.get(option.java)

    def _ask(self, option: Option, method: str) -> Any:
        """Call a method that `ConfigOption` keeps to its package."""
        java_method = option.java.getClass().getDeclaredMethod(method, self._gateway.new_array(self._jvm.java.lang.Class, 0))
        java_method.setAccessible(True)
        return java_method.invoke(option.java, self._gateway.new_array(self._jvm.java.lang.Object, 0))

    def _class_path(self) -> list[Path]:
        text = self._jvm.java.lang.System.getProperty("java.class.path")
        return [Path(part) for part in text.split(self._jvm.java.io.File.pathSeparator) if part.endswith(".jar")]

    def _option_classes(self) -> Iterator[str]:
        for jar in self._class_path():
            if jar.is_file():
                with zipfile.ZipFile(jar) as archive:
                    matches = map(_OPTION_CLASS.fullmatch, archive.namelist())
                    yield from (match[1].replace("/", ".") for match in matches if match and "/shaded/" not in match[1])

    def _add_class(self, owner: str) -> None:
        try:
            java_class = self._jvm.java.lang.Class.forName(owner)
            declared = self._flink.ConfigUtils.getAllConfigOptions(java_class)
        except Py4JJavaError:  # holds no static options, or needs a class that is not there
            return
        name = owner.rsplit(".", 1)[-1]
        suffixes = self._add_suffix_families(java_class) if name in _SUFFIX_HOLDERS else set()
        for java in declared.toArray():
            key = java.key()
            if key in suffixes:
                continue
            if _NOT_OF_A_CLUSTER.search(owner):
                self.elsewhere.setdefault(key, name)
            elif _PLACEHOLDER.search(key):
                self.families.setdefault(_PLACEHOLDER.split(key)[0], f"declared as {key} ({name})")
            else:
                self._add(Option(key, name, java))

    def _add(self, option: Option) -> None:
        self.known.setdefault(option.key, option)
        self.old.pop(option.key, None)
        if option.java.hasFallbackKeys():
            iterator = option.java.fallbackKeys().iterator()
            while iterator.hasNext():
                key = iterator.next().getKey()
                if key not in self.known:
                    self.old.setdefault(key, option)

    def _add_suffix_families(self, java_class: Any) -> set[str]:
        annotation_class = self._jvm.java.lang.Class.forName("org.apache.flink.annotation.docs.Documentation$SuffixOption")
        keys = set()
        for java_field in java_class.getFields():
            annotation = java_field.getAnnotation(annotation_class)
            if annotation is not None:
                keys.add(java_field.get(None).key())
                prefix = _PLACEHOLDER.split(annotation.value())[0]
                self.families.setdefault(prefix, f"declared as {annotation.value()}.… ({java_class.getSimpleName()})")
        return keys
