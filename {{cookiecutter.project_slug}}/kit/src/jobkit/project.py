"""The project that a job lives in: what `[tool.jobkit]` in its pyproject.toml says."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .errors import ConfigurationError, NoProject

ENVIRONMENT_VARIABLE = "JOBKIT_ENV"
"""Names the environment (the file in conf/) that a job runs in; unset means `prod`, the strictest."""

LOCAL = "local"
PRODUCTION = "prod"
"""The environment of `jobkit run`: the only one that may keep its checkpoints on the machine."""


@dataclass(frozen=True)
class Waiver:
    """A rule that the project switches off on purpose.

    Attributes:
        rule: The rule's id.
        reason: Why, for the reviewer; printed on each run.
        operator: The uid that the waiver is limited to, or None for the whole job.
    """

    rule: str
    reason: str
    operator: str | None = None


@dataclass(frozen=True)
class NamesForTests:
    """How tests give a job names of its own: `[tool.jobkit.testing]`. All texts are names of environment variables.

    Attributes:
        topics: The variable that names each topic, by what tests call the topic.
        group: The variable that names the consumer group, whose offsets show how far the job is.
        names: Other variables that must have a value of their own in each test, such as the job's name.
        servers: The variable that says where the broker is.
    """

    topics: Mapping[str, str]
    group: str
    names: tuple[str, ...] = ()
    servers: str = "KAFKA_BOOTSTRAP_SERVERS"


@dataclass(frozen=True)
class Project:
    """A project's root and its `[tool.jobkit]` table.

    Attributes:
        root: The folder that holds pyproject.toml.
        pipeline: Where the job is built, as `package.module:function`.
        flink: The exact PyFlink version, such as `2.2.1`.
        kafka: The exact version of the broker that local runs start.
        jars: Maven coordinates (`group:artifact:version`) of the job's connectors.
        sample: What local runs feed the job, as `module:attribute`, or None.
        waivers: The rules that are switched off, each with its reason.
        testing: How tests give the job names of its own, or None.
        title: The name in `[project]`, or None.
    """

    root: Path
    pipeline: str | None = None
    flink: str | None = None
    kafka: str | None = None
    jars: tuple[str, ...] = ()
    sample: str | None = None
    waivers: tuple[Waiver, ...] = ()
    testing: NamesForTests | None = None
    title: str | None = None

    @property
    def name(self) -> str:
        """What its deployments are named after: `[project] name`, or else the folder's name."""
        return self.title or self.root.name

    @property
    def package(self) -> str:
        """The Python package that the job is built in, whose `__main__` launches it; empty when the project does not say."""
        return (self.pipeline or "").partition(":")[0].rpartition(".")[0]

    @property
    def work(self) -> Path:
        """The folder for everything that jobkit writes locally; safe to delete, ignored by git."""
        return self.root / ".jobkit"

    @property
    def conf(self) -> Path:
        """The folder of the Flink configuration files."""
        return self.root / "conf"


def environment_name(environ: Mapping[str, str] = os.environ) -> str:
    """Return the name of the environment that the job runs in."""
    return environ.get(ENVIRONMENT_VARIABLE, "").strip() or PRODUCTION


def find_project(start: Path) -> Project:
    """Find the project that a folder or file belongs to.

    Args:
        start: A path in the project; the parents are searched for a pyproject.toml with `[tool.jobkit]`.

    Raises:
        ConfigurationError: When there is none, or its table is wrong.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            document = _parse(file)
            tool = document.get("tool", {})
            if not isinstance(tool, dict):
                raise ConfigurationError("tool must be a table.", found=repr(tool), where=str(file))
            if "jobkit" in tool:
                title = document["project"].get("name") if isinstance(document.get("project"), dict) else None
                return replace(_project(file, tool["jobkit"]), title=title if isinstance(title, str) else None)
    raise NoProject(
        "There is no jobkit project here.",
        found=f"no pyproject.toml with [tool.jobkit] in {start} or above",
        remedy="Change into the folder of a generated project, or use --program FILE for any PyFlink program.",
    )


def _parse(file: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError("pyproject.toml is not valid TOML.", found=str(error), where=str(file)) from error
    return table


_TEXTS = ("pipeline", "flink", "kafka", "sample")
_TABLES = ("jars", "waivers", "testing")


def _project(file: Path, table: object) -> Project:
    where = f"{file}, [tool.jobkit]"
    if not isinstance(table, dict):
        raise ConfigurationError("[tool.jobkit] must be a table.", found=repr(table), where=str(file))
    unknown = sorted(set(table) - {*_TEXTS, *_TABLES})
    if unknown:
        known = ", ".join((*_TEXTS, *_TABLES))
        what, remedy = "[tool.jobkit] has an unknown key.", f"The keys are {known}."
        raise ConfigurationError(what, found=", ".join(unknown), where=where, remedy=remedy)
    for key in _TEXTS:
        if key in table and not (isinstance(table[key], str) and table[key]):
            raise ConfigurationError(f"{key} must be a text.", found=repr(table[key]), where=where)
    jars = table.get("jars", [])
    if not isinstance(jars, list) or not all(isinstance(jar, str) and re.fullmatch(r"[^:]+:[^:]+:[^:]+", jar) for jar in jars):
        what = "jars must be a list of Maven coordinates, group:artifact:version."
        raise ConfigurationError(what, found=repr(jars), where=where)
    texts = {key: table.get(key) for key in _TEXTS}
    testing = _testing(file, table["testing"]) if "testing" in table else None
    return Project(root=file.parent, jars=tuple(jars), waivers=_waivers(where, table.get("waivers", [])), testing=testing, **texts)


def _testing(file: Path, table: object) -> NamesForTests:
    fields = dict(table) if isinstance(table, dict) else {}
    texts = [*_values(fields.get("topics")), fields.get("group"), *_values(fields.get("names", [])), fields.get("servers", "A")]
    is_shaped = set(fields) <= {"topics", "group", "names", "servers"} and isinstance(fields.get("topics"), dict)
    if not is_shaped or not all(isinstance(text, str) and text for text in texts):
        raise ConfigurationError(
            "[tool.jobkit.testing] must name environment variables.",
            found=repr(table),
            where=str(file),
            remedy='Write topics = { orders = "ORDERS_TOPIC" }, group = "KAFKA_GROUP_ID" and, if the job has more names that must be '
            'its own, names = ["JOB_NAME"].',
        )
    return NamesForTests(**{**fields, "names": tuple(fields.get("names", ()))})


def _values(entries: object) -> list[object]:
    if isinstance(entries, dict):
        return list(entries.values())
    return entries if isinstance(entries, list) else [None]


def _waivers(where: str, entries: object) -> tuple[Waiver, ...]:
    if not isinstance(entries, list):
        what = "waivers must be a list of tables, [[tool.jobkit.waivers]]."
        raise ConfigurationError(what, found=repr(entries), where=where)
    waivers = []
    for entry in entries:
        fields = entry if isinstance(entry, dict) else {}
        texts = all(isinstance(value, str) and value.strip() for value in fields.values())
        if not ({"rule", "reason"} <= set(fields) <= {"rule", "reason", "operator"} and texts):
            raise ConfigurationError(
                "A waiver needs a rule and a reason.",
                found=repr(entry),
                where=where,
                remedy='Write [[tool.jobkit.waivers]] with rule = "…", reason = "…" and, for one operator only, operator = "uid".',
            )
        waivers.append(Waiver(**fields))
    return tuple(waivers)
