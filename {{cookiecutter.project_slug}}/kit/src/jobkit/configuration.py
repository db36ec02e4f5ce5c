"""The Flink configuration of one environment: conf/base.yaml with conf/<environment>.yaml laid over it.

The files are Flink configuration files and are read as Flink reads its `config.yaml`
(`org.apache.flink.configuration.GlobalConfiguration`): YAML 1.2, maps flattened into dotted keys, lists kept as one
YAML text. What this module adds is where each value came from, and that every mistake is reported, with its line.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ._core_schema import CoreResolver, construct, double
from .errors import ConfigurationError
from .findings import Finding

BASE = "base"
"""The file that every environment starts from: the production configuration."""


@dataclass(frozen=True)
class Entry:
    """One value and where it is written.

    Attributes:
        value: The value as Flink's `Configuration` holds it, a text.
        origin: File and line.
        overridden: The entry of base.yaml that this one replaces, or None.
    """

    value: str
    origin: str
    overridden: Entry | None = None


@dataclass(frozen=True)
class Configuration:
    """The effective configuration of an environment.

    Attributes:
        environment: The environment's name.
        entries: Each key's value and origin, in the order of the files.
        findings: What is wrong with the files themselves; empty after `load`.
    """

    environment: str
    entries: Mapping[str, Entry]
    findings: tuple[Finding, ...] = field(default=())

    @property
    def values(self) -> dict[str, str]:
        """Flink's keys and values, flat."""
        return {key: entry.value for key, entry in self.entries.items()}

    def origin(self, key: str) -> str:
        """Return file and line of a key's value, such as `conf/prod.yaml:12`."""
        return self.entries[key].origin

    def write(self, path: Path) -> None:
        """Write the values as a `config.yaml` that Flink reads back as exactly these."""
        write(self.values, path)


def environments(conf_dir: Path) -> list[str]:
    """Return the names of the environments that have a file."""
    return sorted(file.stem for file in conf_dir.glob("*.yaml") if file.stem != BASE)


def load(conf_dir: Path, environment: str) -> Configuration:
    """Read an environment's configuration; refuse files with mistakes.

    Raises:
        ConfigurationError: With all mistakes in both files, each with its line.
    """
    configuration = read(conf_dir, environment)
    findings = configuration.findings
    if len(findings) == 1:
        raise ConfigurationError(findings[0].message, where=findings[0].origin, remedy=findings[0].remedy)
    if findings:
        listed = " ".join(f"({number}) {f.origin}: {f.message} {f.remedy}" for number, f in enumerate(findings, 1))
        raise ConfigurationError(f"The configuration of {environment} has {len(findings)} mistakes. {listed}")
    return configuration


def read(conf_dir: Path, environment: str) -> Configuration:
    """Read an environment's configuration, with the mistakes of its files as findings.

    Raises:
        ConfigurationError: When there is no such folder, base file or environment.
    """
    if not conf_dir.is_dir():
        raise ConfigurationError("The folder of the Flink configuration is missing.", found="no such folder", where=str(conf_dir))
    known = environments(conf_dir)
    if environment not in known:
        raise ConfigurationError(
            f"There is no environment {environment!r}.",
            found=f"files for {', '.join(known) or 'no environment'}",
            where=str(conf_dir),
            remedy=f"Use one of these, or write {conf_dir.name}/{environment}.yaml.",
        )
    if not (conf_dir / f"{BASE}.yaml").is_file():
        raise ConfigurationError("The base configuration is missing.", where=str(conf_dir / f"{BASE}.yaml"))
    base, overlay = (_File(conf_dir / f"{name}.yaml") for name in (BASE, environment))
    entries = dict(base.entries)
    for key, entry in overlay.entries.items():
        entries[key] = Entry(entry.value, entry.origin, overridden=base.entries.get(key))
    return Configuration(environment, entries, (*base.findings, *overlay.findings))


def parallelism(values: Mapping[str, str], default: int, where: str) -> int:
    """Return a configuration's `parallelism.default`.

    Args:
        values: Flink's keys and values.
        default: What holds when it is not set.
        where: Where the values are written.

    Raises:
        ConfigurationError: When it is no number.
    """
    text = values.get("parallelism.default", str(default))
    if not text.isdecimal() or int(text) == 0:
        raise ConfigurationError("parallelism.default must be a number, 1 or more.", found=text, where=where)
    return int(text)


def write(values: Mapping[str, str], path: Path) -> None:
    """Write flat keys and values as a `config.yaml` that Flink reads back as exactly these.

    Every value is quoted: a plain `1.10` would come back as `1.1`.
    """
    yaml = plain_yaml(default_style='"', default_flow_style=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        yaml.dump(dict(values), file)


class _File:
    """One YAML file: its flat entries, and its mistakes."""

    def __init__(self, path: Path) -> None:
        self.name = f"{path.parent.name}/{path.name}"
        self.entries: dict[str, Entry] = {}
        self.findings: list[Finding] = []
        root = self._compose(path)
        if isinstance(root, MappingNode):
            for key, line, value in self._flat(root, "", ()):
                self._add(key, line, value)
        elif root is not None:
            self._report("", "not-a-map", root, "The file holds no map of keys and values.", "Write key: value, one in a line.")

    def _compose(self, path: Path) -> Node | None:
        yaml = plain_yaml(Resolver=CoreResolver)
        try:
            root: Node | None = yaml.compose(path.read_bytes().decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            self._finding("", "not-readable", line, "The file is not UTF-8.", "Save it as UTF-8.")
        except OSError as error:
            self._finding("", "not-readable", 1, f"The file cannot be read: {error.strerror}.", "Make it readable.")
        except YAMLError as error:
            found, problem = problem_of(error)
            problem = problem.replace("'\\t'", "a tab")
            remedy = "Indent with spaces." if "a tab" in problem else "Mend the YAML at this place."
            self._finding("", "not-readable", found or 1, f"The file is not YAML: {problem}.", remedy)
        else:
            return root
        return None

    def _flat(self, node: MappingNode, prefix: str, parents: tuple[int, ...]) -> Iterator[tuple[str, Node, Node]]:
        for key, value in node.value:
            name = prefix + str(key.value)
            if not (isinstance(key, ScalarNode) and str(key.tag).endswith(":str") and key.value):
                self._report(prefix.rstrip("."), "not-a-map", key, "A key must be a text.", "Put the key in quotes.")
            elif isinstance(value, MappingNode):
                if id(value) in parents:
                    self._report(name, "not-readable", key, f"{name} contains itself.", "Write the value out, without the alias.")
                else:
                    yield from self._flat(value, f"{name}.", (*parents, id(value)))
            else:
                yield name, key, value

    def _add(self, key: str, at: Node, node: Node) -> None:
        line = at.start_mark.line + 1
        earlier = self.entries.get(key)
        if earlier is not None:
            remedy = f"Keep one of the two; the other is at {earlier.origin}."
            self._finding(key, "conflict", line, f"{key} is given twice in one file.", remedy)
            return
        try:
            value = _text(node)
        except ValueError as error:
            self._finding(key, "not-readable", line, f"{key} {error}", "Write a plain text, number, boolean or list.")
            return
        if value is None:
            self._finding(key, "no-value", line, f"{key} has no value.", "Write one, '' for an empty text, or remove the line.")
            return
        self.entries[key] = Entry(value, f"{self.name}:{line}")

    def _report(self, key: str, kind: str, node: Node, message: str, remedy: str) -> None:
        self._finding(key, kind, node.start_mark.line + 1, message, remedy)

    def _finding(self, key: str, kind: str, line: int, message: str, remedy: str) -> None:
        self.findings.append(Finding(key, kind, message, remedy, f"{self.name}:{line}"))


def _text(node: Node) -> str | None:
    """Return a value as Flink's `GlobalConfiguration` and `ConfigurationUtils.convertToString` make it."""
    value = construct(node)
    if isinstance(node, SequenceNode):
        return _flow(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return double(value) if math.isfinite(value) else _flow([value])[1:-1]
    return None if value is None else str(value)


def _flow(value: Any) -> str:
    """Return a list as one line of YAML, as Flink's `YamlParserUtils.toYAMLString` does."""
    text = io.StringIO()
    plain_yaml(default_flow_style=True).dump(value, text)
    return text.getvalue().strip()


def problem_of(error: YAMLError) -> tuple[int | None, str]:
    """Return the line and the problem of what is no YAML; the parser's own text quotes the line, which may hold a secret."""
    if not isinstance(error, MarkedYAMLError):
        return None, type(error).__name__
    return error.problem_mark.line + 1 if error.problem_mark else None, str(error.problem)


def plain_yaml(**settings: object) -> YAML:
    """Return a reader and writer of plain values, which keeps the order of keys and breaks no line."""
    yaml = YAML(typ="safe", pure=True)
    for name, value in {"width": 1 << 30, "sort_base_mapping_type_on_output": False, **settings}.items():
        setattr(yaml, name, value)
    return yaml
