"""The commands for the life of a deployed job."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import ConfigurationError
from ..terminal import Json, OptionalEnv, document, notes, out
from . import instances_commands
from .working import show, show_unfinished, working

Within = Annotated[float, typer.Option("--within", min=1, help="Seconds in which all tasks must run and a first checkpoint be complete.")]
Parallelism = Annotated[
    int | None, typer.Option("--parallelism", "-p", min=1, help="The job's parallelism; by default parallelism.default of conf/.")
]
Native = Annotated[bool, typer.Option("--native", help="A savepoint in the state backend's own format: faster, for that backend only.")]
_WITHIN = 300.0


def deploy(
    snapshot: Annotated[
        str | None, typer.Option("--from", metavar="SNAPSHOT", help="The address of the savepoint or checkpoint to start from.")
    ] = None,
    without_state: Annotated[bool, typer.Option("--without-state", help="Start with empty state, knowing that.")] = False,
    version: Annotated[
        str | None, typer.Option("--version", metavar="UID", help="An earlier instance, whose version is started instead of this folder's.")
    ] = None,
    discard_state: Annotated[
        bool, typer.Option("--discard-state", help="Start although the ledger knows newer state of this job, which is left behind.")
    ] = False,
    lost: Annotated[
        bool, typer.Option("--lost", help="Write off what the ledger takes for running: its cluster is gone, or does not know it.")
    ] = False,
    env: OptionalEnv = None,
    url: Annotated[
        str | None, typer.Option("--url", help="The JobManager's address; by default rest.address and rest.port of the environment.")
    ] = None,
    application: Annotated[bool, typer.Option("--application", help="An application cluster of its own, on this machine.")] = False,
    task_managers: Annotated[int, typer.Option("--task-managers", min=1, help="How many an application cluster gets.")] = 1,
    parallelism: Parallelism = None,
    within: Within = _WITHIN,
    as_json: Json = False,
) -> None:
    """Start the job where none runs, and wait for its first checkpoint."""
    from .preparation import Place

    if (snapshot is None) != without_state:
        raise ConfigurationError(
            "A start is either from a snapshot or without state.",
            found="both" if snapshot else "neither",
            remedy="Name the snapshot: --from SNAPSHOT. For the very first start: --without-state.",
        )
    if version is not None and (application or task_managers != 1):
        raise ConfigurationError(
            "An earlier version runs as it did.", found="--version with --application or --task-managers", remedy="Leave the latter out."
        )
    place = Place(url, application, parallelism, task_managers)
    with working(env, as_json=as_json) as job:
        show(job.deploy(place, snapshot, within, version=version, lost=lost, discard_state=discard_state), as_json=as_json)


def upgrade(
    env: OptionalEnv = None,
    parallelism: Parallelism = None,
    again: Annotated[bool, typer.Option("--again", help="Also when the version that runs is the same.")] = False,
    snapshot: Annotated[
        str | None,
        typer.Option("--from", metavar="SNAPSHOT", help="What it starts from; what runs is cancelled, as when it fails over and over."),
    ] = None,
    native: Native = False,
    within: Within = _WITHIN,
    as_json: Json = False,
) -> None:
    """Put this version into the place of the one that runs; back to the old one, from the same savepoint, when it does not prove itself."""
    with working(env, as_json=as_json) as job:
        show(job.upgrade(within, parallelism, again=again, snapshot=snapshot, native=native), as_json=as_json)


def rollback(
    to: Annotated[str | None, typer.Option("--to", metavar="UID", help="An instance of the version; by default of the one before.")] = None,
    snapshot: Annotated[
        str | None, typer.Option("--from", metavar="SNAPSHOT", help="What it starts from; by default a savepoint of now.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Only take back what was interrupted: what ran before it runs again.")] = False,
    env: OptionalEnv = None,
    parallelism: Annotated[int | None, typer.Option("--parallelism", "-p", min=1, help="By default the one that it had.")] = None,
    within: Within = _WITHIN,
    as_json: Json = False,
) -> None:
    """Put an earlier version into the place of the one that runs; of an upgrade that was interrupted, the one that ran."""
    if undo and (to is not None or snapshot is not None):
        raise ConfigurationError(
            "What was interrupted is taken back to what ran before it.", found="--undo with --to or --from", remedy="Leave the latter out."
        )
    with working(env, as_json=as_json) as job:
        show(job.undo() if undo else job.rollback(within, to, snapshot, parallelism), as_json=as_json)


def savepoint(
    dispose: Annotated[
        str | None, typer.Option("--dispose", metavar="ADDRESS", help="Remove this savepoint, instead of taking one.")
    ] = None,
    native: Native = False,
    within: Annotated[float, typer.Option("--within", min=1, help="Seconds in which it must be complete.")] = 900.0,
    env: OptionalEnv = None,
    as_json: Json = False,
) -> None:
    """Take a savepoint while the job runs on; or remove one."""
    with working(env, as_json=as_json) as job:
        if dispose is not None:
            job.dispose(dispose)
        address = job.savepoint(within, native=native) if dispose is None else dispose
        if as_json:
            document({"savepoint": address, "disposed": dispose is not None})
        elif dispose is None:
            out.print(address, soft_wrap=True, markup=False)


def stop(
    cancel: Annotated[
        bool,
        typer.Option("--cancel", help="Without a savepoint, as of a job that fails over and over; prints the checkpoint that is left."),
    ] = False,
    native: Native = False,
    env: OptionalEnv = None,
    as_json: Json = False,
) -> None:
    """Stop the job with a savepoint."""
    if cancel and native:
        raise ConfigurationError("--native is the format of a savepoint, and --cancel takes none.", remedy="Leave one of them out.")
    with working(env, as_json=as_json) as job:
        address = job.stop(cancel=cancel, native=native)
        if as_json:
            document({"checkpoint" if cancel else "savepoint": address})
        elif address is None:
            notes.print("It has left no checkpoint.")
        else:
            out.print(address, soft_wrap=True, markup=False)


def status(env: OptionalEnv = None, as_json: Json = False) -> None:
    """Tell which instance runs, and its job's state; exit 1 when it does not run."""
    from . import unfinished

    with working(env, as_json=as_json) as job:
        (instance, state), left = job.state(), job.unfinished()
        if as_json:
            known = {"deployment": job.name, "uid": instance.uid, "state": state, "url": instance.specification.url}
            document({**known, "unfinished": unfinished.to_json(left) if left else None})
        else:
            out.print(f"{job.name}  {instance.uid}  {state or 'not known to the cluster'}  {instance.specification.url}", soft_wrap=True)
            show_unfinished(left)
    raise typer.Exit(0 if state == "RUNNING" else 1)


def register(app: typer.Typer) -> None:
    """Make these commands part of an application."""
    for command in (deploy, upgrade, rollback, savepoint, stop, status):
        app.command()(command)
    app.add_typer(instances_commands.app, name="instances")
