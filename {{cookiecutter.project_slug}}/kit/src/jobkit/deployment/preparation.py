"""What comes before a change: a version made of the project's folder, held to the guardrails, and compared with what runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import tenacity

from .. import configuration
from ..errors import ClusterError, ConfigurationError
from ..project import Project
from . import artefact
from .address import LedgerError
from .change import Change, now
from .holder import person
from .instance import PREPARED, Instance, Specification, new_uid
from .target import folder_of
from .version import APPLICATION, SESSION, Version, here

_REST_PORT = "8081"
_ATTEMPTS_TO_COMPARE = 10
_SECONDS_BETWEEN_ATTEMPTS = 1
_DESCRIBED = ("name", "configuration", "defaults", "settings", "lock", "flink", "python", "kit", "packages")


@dataclass(frozen=True)
class Place:
    """Where a job is to run.

    Attributes:
        url: The JobManager's address; None for that of the environment's configuration.
        application: Whether it gets an application cluster of its own on this machine.
        parallelism: The job's; None for `parallelism.default`, or 1.
        task_managers: How many an application cluster gets.
    """

    url: str | None = None
    application: bool = False
    parallelism: int | None = None
    task_managers: int = 1

    @classmethod
    def of(cls, specification: Specification, parallelism: int | None) -> Place:
        """Return where an instance runs, for another version, whose own configuration gives the parallelism where none is given."""
        task_managers = specification.arguments.get("task_managers")
        return cls(specification.url, specification.mode == APPLICATION, parallelism, int(task_managers or 1))


@contextmanager
def of_folder(change: Change, project: Project, environment: str, place: Place, previous: Instance | None) -> Iterator[Version]:
    """Make an instance of the version in a project's folder, hold it to the guardrails, and give it; the ledger does not have it yet.

    Args:
        change: The change that it is a part of.
        project: Whose folder.
        environment: Names the file in conf/.
        place: Where it is to run.
        previous: What runs now, and whose parallelism it keeps where neither the place nor its own configuration has one.

    Raises:
        Refused: When it breaks a guardrail, or its lock is not that of the job.
        JobkitError: When it cannot be built.
    """
    built = artefact.build(project)
    change.ledger.keep_artefact(built.sha256, built.content)
    values = configuration.load(project.conf, environment).values
    kept = int(previous.specification.arguments["parallelism"]) if previous else 1
    sketch = Specification(
        name="",
        environment=environment,
        mode=APPLICATION if place.application else SESSION,
        url=address(place.url, values),
        configuration={},
        settings={},
        artefact=built.sha256,
        commit=built.commit,
        lock=None,
        flink="",
        python="",
        kit="",
        packages={},
        arguments={
            "parallelism": place.parallelism or configuration.parallelism(values, kept, str(project.conf)),
            "task_managers": place.task_managers if place.application else None,
            "place": here() if place.application else None,
        },
    )
    instance = Instance(new_uid(), change.lease.deployment, 0, now(), person(), sketch, previous.uid if previous else None)
    try:
        with change.version(instance) as new:
            with change.working("building the version"):
                new.examiner.require_fit()
            new.instance = _described(new)
            yield new
    finally:
        if not is_added(change, instance.uid):
            shutil.rmtree(folder_of(instance.uid), ignore_errors=True)


@contextmanager
def added(change: Change, new: Version) -> Iterator[None]:
    """Add a version to the ledger, as an instance that is abandoned when something goes wrong before anything of it has started."""
    new.instance = change.ledger.add(new.instance, change.lease)
    what = new.instance.specification
    commit = f", commit {what.commit[:12]}" if what.commit else ""
    change.tell(f"instance {new.uid[:12]}: code {what.artefact[:12]}{commit}, parallelism {what.arguments['parallelism']}")
    with change.abandoning(new):
        yield


def is_added(change: Change, uid: str) -> bool:
    """Say whether the ledger has an instance, or cannot be asked."""
    try:
        return any(instance.uid == uid for instance in change.ledger.instances(change.lease.deployment))
    except LedgerError:
        return True


def _described(new: Version) -> Instance:
    """Return a version's instance with what its examiner says of it, which is what really runs."""
    known = {key: new.examiner.description[key] for key in _DESCRIBED if key in new.examiner.description}
    return replace(new.instance, specification=replace(new.instance.specification, **known))


def address(given: str | None, values: Mapping[str, str]) -> str:
    """Return the address of a JobManager's REST interface, with scheme and port.

    Args:
        given: By the user; None for that of the configuration.
        values: The configuration.

    Raises:
        ConfigurationError: When it is none, or has a password in it.
    """
    scheme = "https" if values.get("security.ssl.rest.enabled") == "true" else "http"
    text = (given or f"{scheme}://{values.get('rest.address', 'localhost')}:{values.get('rest.port', _REST_PORT)}").rstrip("/")
    try:
        url = urlsplit(text)
        port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    except ValueError:
        url, port = urlsplit(""), None
    if url.scheme not in {"http", "https"} or not url.hostname or url.path or url.query or url.username or port is None:
        raise ConfigurationError(
            "This is no address of a JobManager.",
            found=repr(given) if given and "@" not in given else "an address with a name in it" if given else text,
            remedy="Write http://host:port, or https://host:port; a proxy with a path or a password does not do.",
        )
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{url.scheme}://{host}:{port}"


def require_unknown(new: Version) -> None:
    """Raise when a session cluster runs a job of the same name that the ledger does not know.

    Raises:
        ConfigurationError: With its id.
    """
    if new.instance.specification.mode == SESSION:
        twins = [uid for uid, name in new.target.rest.names().items() if name == new.instance.specification.name]
        if twins:
            raise ConfigurationError(
                f"A job {new.instance.specification.name} runs there already, which this ledger does not know.",
                found=", ".join(twins),
                where=new.instance.specification.url,
                remedy="Stop it with a savepoint and deploy from that; or use the ledger that it is in: JOBKIT_LEDGER.",
            )


@contextmanager
def of_instance(change: Change, earlier: Instance, current: Instance, place: Place | None = None) -> Iterator[Version]:
    """Make an instance of the version of an earlier one, to take the place of the current one; hold it to the guardrails, and give it.

    Args:
        change: The change that it is a part of.
        earlier: Whose version it is.
        current: Where that runs, it will run.
        place: Its address and parallelism go before those of these two.

    Raises:
        Refused: When it breaks a guardrail.
        ConfigurationError: When one of them ran on a session cluster, and the other on an application cluster.
    """
    if earlier.specification.mode != current.specification.mode:
        raise ConfigurationError(
            "The two versions do not run in the same mode.",
            found=f"{earlier.specification.mode} and {current.specification.mode}",
            remedy="Stop the one that runs, and deploy the other from its savepoint: jobkit deploy --version UID --from SAVEPOINT.",
        )
    place = place or Place()
    url = address(place.url, {}) if place.url else current.specification.url
    arguments = {**earlier.specification.arguments, **({"parallelism": place.parallelism} if place.parallelism else {})}
    if earlier.specification.mode == APPLICATION:
        arguments["place"] = here()  # that machine may be gone; one that is not was refused before
    again = replace(
        earlier,
        uid=new_uid(),
        created=now(),
        by=person(),
        previous=current.uid,
        snapshot=None,
        status=PREPARED,
        savepoint=None,
        ended=None,
        ending=None,
        specification=replace(earlier.specification, url=url, arguments=arguments),
    )
    with change.version(again) as new:
        with change.working("building the version"):
            new.examiner.require_fit()
        new.instance = _described(new)
        with added(change, new):
            yield new


def compared(old: Version, new: Version) -> dict[str, Any]:
    """Compare a version with the newest snapshot of the one that runs, as `jobkit compat` does.

    Raises:
        Refused: When state would be lost.
        ClusterError: When there is no snapshot yet.
    """

    def compare() -> dict[str, Any]:
        newest = old.target.rest.newest_snapshot(old.uid)
        if newest is None:
            raise ClusterError(
                "The job has no checkpoint yet to compare the new version with.", remedy="Wait for its first, or see why it has none."
            )
        return new.examiner.require_compatible(newest, old.instance.specification.lock)

    waiting = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(_ATTEMPTS_TO_COMPARE),
        wait=tenacity.wait_fixed(_SECONDS_BETWEEN_ATTEMPTS),
        retry=tenacity.retry_if_exception_type(ConfigurationError),  # it may have made way for a newer one while it was read
        reraise=True,
    )
    return waiting(compare)


def order(old: Version) -> dict[str, str]:
    """Return what a stop with a savepoint takes: the id of the order, and a folder in which nothing else is.

    Raises:
        ConfigurationError: When the configuration names no folder for savepoints.
    """
    uid = new_uid()
    return {"order": uid, "folder": f"{savepoints_folder(old)}/stop-{uid[:8]}"}


def savepoints_folder(version: Version) -> str:
    """Return the address of the folder for a version's savepoints.

    Raises:
        ConfigurationError: When the configuration names none.
    """
    folder = version.snapshots_folder("savepoint-dir")
    if folder is None:
        raise ConfigurationError(
            "There is no place for savepoints.",
            where=f"conf/{version.instance.specification.environment}.yaml",
            remedy="Set execution.checkpointing.savepoint-dir.",
        )
    return folder
