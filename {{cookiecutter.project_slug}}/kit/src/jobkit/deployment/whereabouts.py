"""Instances whose job is not where the ledger says, or does not run: what to do about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from ..cluster.http import NoAnswer
from ..errors import ConfigurationError
from .application import ApplicationCluster
from .change import Change
from .instance import FAILED, Instance, Specification
from .rest import Deployed
from .target import is_over
from .version import APPLICATION, here, target_of


def way_on(change: Change, current: Instance, state: str | None) -> str:
    """Say what to do about an instance whose job does not run, and from which snapshot."""
    with change.version(current) as version:
        newest = version.newest_left()
    why = f"See jobkit instances logs {current.uid[:12]}"
    if is_over(state):
        return f"Start it from what it has left: jobkit deploy --from {newest}" if newest else f"{why}."
    mended = f"start a mended version from its newest checkpoint: jobkit upgrade --from {newest}" if newest else "it has no checkpoint yet"
    return f"{why}. Wait until it runs; or cancel it without a savepoint: jobkit stop --cancel; or {mended}"


def moved(instance: Instance, url: str) -> Specification:
    """Return what an instance is at another address; a cluster whose processes are here is of this machine, which was renamed."""
    specification = replace(instance.specification, url=url)
    if specification.mode == APPLICATION and ApplicationCluster(url).runs_from_folder(instance.uid):
        return replace(specification, arguments={**specification.arguments, "place": here()})
    return specification


def write_off(change: Change, opened: Iterable[Instance], new: str) -> None:
    """Let the ledger forget what it takes for running, unless a cluster says that it does: its own, or the one at the place to come.

    Args:
        change: The change that it is a part of.
        opened: The instances that are not over.
        new: The address of the place to come.

    Raises:
        ConfigurationError: When one runs.
    """
    for instance in opened:
        url = instance.specification.url
        asks: dict[str, Callable[[str], str | None]] = {url: _judge(change, instance)}
        asks.setdefault(new, Deployed(new).known_state)
        for where, ask in asks.items():
            with suppress(NoAnswer):
                state = ask(instance.uid)
                if not is_over(state):
                    found = f"instance {instance.uid[:12]}, {state}"
                    remedy = "Leave --lost out." if where == url else f"Its address has changed: jobkit instances move {where}"
                    raise ConfigurationError("It is not lost.", found=found, where=where, remedy=remedy)
        change.end(instance.uid, FAILED, "written off: no cluster knows of it")
    operation = change.ledger.unfinished(change.lease.deployment)
    if operation is not None:
        change.finish(operation, "written off")


def _judge(change: Change, instance: Instance) -> Callable[[str], str | None]:
    """Return what tells the state of an instance's job; of an application cluster of another machine, its JobManager alone."""
    specification = instance.specification
    try:
        return target_of(specification).state
    except ConfigurationError:
        change.tell(f"instance {instance.uid[:12]} ran on {specification.arguments.get('place')}, which cannot be looked at from here")
        return Deployed(specification.url).known_state
