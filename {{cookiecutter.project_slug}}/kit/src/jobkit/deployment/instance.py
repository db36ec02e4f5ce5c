"""What the ledger remembers: instances of a job, what each of them is, and the operations that changed them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

PREPARED = "PREPARED"
STARTING = "STARTING"
RUNNING = "RUNNING"
STOPPED = "STOPPED"
FAILED = "FAILED"
ABANDONED = "ABANDONED"
STATUSES = (PREPARED, STARTING, RUNNING, STOPPED, FAILED, ABANDONED)
"""Every status of an instance, in the order of its life."""
OVER = (STOPPED, FAILED, ABANDONED)
"""The statuses that an instance does not leave."""


@dataclass(frozen=True)
class Specification:
    """All that decides what an instance is; every value can be written as JSON.

    Attributes:
        name: The job's name.
        environment: The name of its configuration, as in `conf/<environment>.yaml`.
        mode: `session` or `application`.
        url: The address of the cluster's REST interface.
        configuration: Flink's options as conf/ and the job's code set them, secrets replaced.
        settings: The environment variables that the job's settings read, secrets replaced; None for one that was not set.
        artefact: The SHA-256 of the archive that it runs, as hexadecimal digits.
        commit: The commit of Git, with `+changes` behind it when the tree was not clean.
        lock: The text of `flink.lock`.
        flink: The version of Flink.
        python: The version of Python.
        kit: The version of this kit.
        packages: The installed distributions and their versions.
        arguments: The options of the command, such as the parallelism.
        defaults: What Flink takes for the options that decide how a job runs, and that nobody has set.
    """

    name: str
    environment: str
    mode: str
    url: str
    configuration: Mapping[str, str]
    settings: Mapping[str, str | None]
    artefact: str
    commit: str | None
    lock: str | None
    flink: str
    python: str
    kit: str
    packages: Mapping[str, str]
    arguments: Mapping[str, Any]
    defaults: Mapping[str, str] = field(default_factory=dict)

    def is_version_of(self, other: Specification) -> bool:
        """Say whether the two are the same version: code, environment, settings, arguments; what is installed is not a part of it."""
        names = ("artefact", "environment", "mode", "settings", "arguments")
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def to_json(self) -> dict[str, Any]:
        """Return it as a document for `json.dumps`."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Specification:
        """Read a document that this or another version of the kit wrote.

        Args:
            document: What `to_json` returned. Unknown entries are ignored. Of those that are missing, texts are empty,
                mappings have no entries, and the commit and the lock are None.
        """
        known = {entry.name for entry in fields(cls)}
        return cls(**{**_defaults(), **{name: value for name, value in document.items() if name in known}})


def _defaults() -> dict[str, Any]:
    texts = dict.fromkeys(("name", "environment", "mode", "url", "artefact", "flink", "python", "kit"), "")
    mappings: dict[str, Any] = {name: {} for name in ("configuration", "settings", "packages", "arguments", "defaults")}
    return {**texts, **mappings, "commit": None, "lock": None}


@dataclass(frozen=True)
class Difference:
    """An entry in which two specifications differ.

    Attributes:
        path: The entry's name, behind that of the mapping it is in: `configuration.execution.checkpointing.interval`.
        one: Its text in the first one, or None where that has none.
        other: Its text in the second one, or None.
    """

    path: str
    one: str | None
    other: str | None


def difference(one: Specification, other: Specification) -> list[Difference]:
    """Return the entries in which two specifications differ, in the order of the attributes and sorted within a mapping."""
    texts, others = dict(_texts(one.to_json())), dict(_texts(other.to_json()))
    order = [entry.name for entry in fields(Specification)]
    paths = sorted(texts.keys() | others.keys(), key=lambda path: (order.index(path.split(".")[0]), path))
    return [Difference(path, texts.get(path), others.get(path)) for path in paths if texts.get(path) != others.get(path)]


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _texts(entry, f"{path}.{name}" if path else str(name))
    elif value is not None:
        yield path, value if isinstance(value, str) else json.dumps(value, sort_keys=True)


@dataclass(frozen=True)
class Instance:
    """One version of a job that was made to run, or is about to be.

    Attributes:
        uid: 32 hexadecimal digits; Flink's id of the job, too.
        deployment: What it is an instance of, as `flight-delays/prod`.
        number: Counts the instances of a deployment from 1; the ledger gives it.
        created: When it was made; aware, in UTC.
        by: Who made it, as `ann@host`.
        specification: What it is.
        previous: The uid of the instance that it took over from.
        snapshot: The savepoint or checkpoint that it started from.
        status: One of `STATUSES`.
        savepoint: What it was stopped with.
        ended: When it ended.
        ending: How it ended, in one sentence.
    """

    uid: str
    deployment: str
    number: int
    created: datetime
    by: str
    specification: Specification
    previous: str | None = None
    snapshot: str | None = None
    status: str = PREPARED
    savepoint: str | None = None
    ended: datetime | None = None
    ending: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether it will never run again."""
        return self.status in OVER


@dataclass(frozen=True)
class Operation:
    """An entry of the journal: something that is or was done to a deployment.

    Attributes:
        uid: 32 hexadecimal digits.
        deployment: What it is done to.
        kind: Such as `deploy` or `rollback`.
        step: What was reached.
        details: What the steps left for those after them; every value can be written as JSON.
        begun: When it was begun; aware, in UTC.
        by: Who began it, as `ann@host`.
        ended: When it was finished, or None.
        outcome: How it was finished, or None.
    """

    uid: str
    deployment: str
    kind: str
    step: str
    details: Mapping[str, Any]
    begun: datetime
    by: str
    ended: datetime | None = None
    outcome: str | None = None


def new_uid() -> str:
    """Return a uid for an instance or an operation, in the form of Flink's job ids."""
    return secrets.token_hex(16)
