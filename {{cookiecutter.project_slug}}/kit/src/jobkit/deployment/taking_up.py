"""What becomes of an operation that was interrupted when the next command comes: it is finished, or taken back."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from ..errors import ConfigurationError, JobkitError
from . import first_start, savepoints, stopping
from .change import Change
from .holder import person
from .instance import ABANDONED, PREPARED, Instance, Operation
from .replacement import Replacement
from .unfinished import remedy, standing
from .version import Version


@dataclass(frozen=True)
class Asked:
    """What a command is to do, as far as that decides what becomes of an interrupted operation.

    Attributes:
        kind: The command, as `upgrade`.
        artefact: Returns the digest of the code that it would start, or None where any will do.
        snapshot: What it would start from, where that was named.
        again: Whether a version that runs already is to be started again.
        undoes: Whether the interrupted operation is to be taken back, and nothing else be done.
    """

    kind: str
    artefact: Callable[[], str | None] = lambda: None
    snapshot: str | None = None
    again: bool = False
    undoes: bool = False

    def is_that(self, operation: Operation, new: Instance) -> bool:
        """Say whether the interrupted operation does what this asks for."""
        if operation.kind != self.kind or self.snapshot not in (None, operation.details.get("savepoint")):
            return False
        return self.artefact() in (None, new.specification.artefact)


def settle(change: Change, operation: Operation, asked: Asked) -> Instance | None:
    """Finish an interrupted operation, or take it back where nothing of its new version was started and something else is asked for.

    Args:
        change: The change that this is a part of.
        operation: The operation.
        asked: What the command is to do.

    Returns:
        The instance that runs, where nothing is left to do of what was asked for; else None.

    Raises:
        ConfigurationError: When it cannot be gone on with from here; nothing was changed then.
        JobkitError: What the operation comes to, if it fails.
    """
    closing = operation.details.get("closing")
    if closing is not None:
        change.close(operation, closing["outcome"], *(tuple(end) for end in closing["ends"]))
        return None
    if operation.kind == savepoints.KIND:
        change.finish(operation, savepoints.UNDER_WAY)  # the next `jobkit savepoint` waits for it
        return None
    with ExitStack() as stack:
        versions = {key: stack.enter_context(change.of(operation.details[key])) for key in ("old", "new") if key in operation.details}
        if operation.kind == "stop":
            stopping.carry_out(change, operation, versions["old"])
            change.tell("the interrupted stop is done")
            return None
        if operation.kind == "deploy":
            return _deploy(change, operation, versions["new"], asked)
        return _replace(change, operation, (versions["old"], versions["new"]), asked)


def _deploy(change: Change, operation: Operation, new: Version, asked: Asked) -> Instance | None:
    if asked.undoes or new.instance.status == PREPARED:
        new.target.end(new.uid)
        change.close(operation, "taken back", (new.uid, ABANDONED, f"taken back by {person()}"))
        change.tell("the interrupted deploy is taken back: nothing runs")
        return new.instance if asked.undoes else None
    _require(operation, new)
    first_start.carry_out(change, operation, new)
    change.tell("the interrupted deploy is done")
    return None


def _replace(change: Change, operation: Operation, versions: tuple[Version, Version], asked: Asked) -> Instance | None:
    old, new = versions
    replacement = Replacement(change, operation, versions)
    is_that = asked.is_that(operation, new.instance)
    if asked.undoes or (replacement.is_to_start and not is_that):
        if not replacement.is_untouched():
            _require(operation, old)
        instance = replacement.take_back(f"taken back by {person()}")
        change.tell(f"the interrupted {operation.kind} is taken back: instance {instance.uid[:12]} runs")
        return instance if asked.undoes else None
    _require(operation, old, new)
    instance = replacement.carry_out()
    change.tell(f"the interrupted {operation.kind} is done")
    return instance if is_that and (asked.kind == "rollback" or asked.again or asked.snapshot is not None) else None


def _require(operation: Operation, *versions: Version) -> None:
    """Look whether versions could be started from here, before anything is touched: somebody else, elsewhere, may have begun."""
    try:
        for version in versions:
            version.require_startable()
        flink, here = versions[-1].instance.specification.flink, importlib.metadata.version("apache-flink")
        if flink and flink != here:
            raise ConfigurationError("Flink is of another version here.", found=here, remedy=f"Install apache-flink {flink}.")
    except JobkitError as error:
        raise ConfigurationError(
            f"The interrupted {operation.kind} cannot be gone on with from here, and nothing was changed now: {standing(operation)}.",
            found=str(error).rstrip("."),
            remedy=f"When that is mended: {remedy(operation)}",
        ) from error
