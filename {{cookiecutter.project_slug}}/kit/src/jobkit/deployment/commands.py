"""The commands for the life of a deployed job."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigurationError, JobkitError
from ..project import environment_name, find_project
from ..terminal import Json, OptionalEnv, debugging, document, notes, out, wide

if TYPE_CHECKING:
    from .deployed import DeployedJob
    from .instance import Instance, Operation
    from .ledger import Ledger

Within = Annotated[float, typer.Option("--within", min=1, help="Seconds in which all tasks must run and a first checkpoint be complete.")]
Parallelism = Annotated[int | None, typer.Option("--parallelism", "-p", min=1, help="The job's parallelism.")]
_WITHIN = 300.0
_INTERRUPTED = 130

instances_app = typer.Typer(help="What has run, as the ledger remembers it; without a command: a list.", invoke_without_command=True)


def deploy(
    snapshot: Annotated[
        str | None, typer.Option("--from", metavar="SNAPSHOT", help="The address of the savepoint or checkpoint to start from.")
    ] = None,
    without_state: Annotated[bool, typer.Option("--without-state", help="Start with empty state, knowing that.")] = False,
    version: Annotated[
        str | None, typer.Option("--version", metavar="UID", help="An earlier instance, whose version is started instead of this folder's.")
    ] = None,
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
    with _working(env, as_json) as job:
        _show(job.deploy(place, snapshot, within, version=version, lost=lost), as_json)


def upgrade(
    env: OptionalEnv = None,
    parallelism: Parallelism = None,
    again: Annotated[bool, typer.Option("--again", help="Also when the version that runs is the same.")] = False,
    snapshot: Annotated[
        str | None,
        typer.Option("--from", metavar="SNAPSHOT", help="What it starts from; what runs is cancelled, as when it fails over and over."),
    ] = None,
    within: Within = _WITHIN,
    as_json: Json = False,
) -> None:
    """Put this version into the place of the one that runs; back to the old one, from the same savepoint, when it does not prove itself."""
    with _working(env, as_json) as job:
        _show(job.upgrade(within, parallelism, again=again, snapshot=snapshot), as_json)


def rollback(
    to: Annotated[str | None, typer.Option("--to", metavar="UID", help="An instance of the version; by default of the one before.")] = None,
    snapshot: Annotated[
        str | None, typer.Option("--from", metavar="SNAPSHOT", help="What it starts from; by default a savepoint of now.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Only take back what was interrupted: what ran before it runs again.")] = False,
    env: OptionalEnv = None,
    within: Within = _WITHIN,
    as_json: Json = False,
) -> None:
    """Put an earlier version into the place of the one that runs; of an upgrade that was interrupted, the one that ran."""
    if undo and (to is not None or snapshot is not None):
        raise ConfigurationError(
            "What was interrupted is taken back to what ran before it.", found="--undo with --to or --from", remedy="Leave the latter out."
        )
    with _working(env, as_json) as job:
        _show(job.undo() if undo else job.rollback(within, to, snapshot), as_json)


def savepoint(
    dispose: Annotated[
        str | None, typer.Option("--dispose", metavar="ADDRESS", help="Remove this savepoint, instead of taking one.")
    ] = None,
    env: OptionalEnv = None,
    as_json: Json = False,
) -> None:
    """Take a savepoint while the job runs on; or remove one."""
    with _working(env, as_json) as job:
        if dispose is not None:
            job.dispose(dispose)
        address = job.savepoint() if dispose is None else dispose
        if as_json:
            document({"savepoint": address, "disposed": dispose is not None})
        elif dispose is None:
            out.print(address, soft_wrap=True, markup=False)


def stop(
    cancel: Annotated[
        bool,
        typer.Option("--cancel", help="Without a savepoint, as of a job that fails over and over; prints the checkpoint that is left."),
    ] = False,
    env: OptionalEnv = None,
    as_json: Json = False,
) -> None:
    """Stop the job with a savepoint."""
    with _working(env, as_json) as job:
        address = job.stop(cancel=cancel)
        if as_json:
            document({"checkpoint" if cancel else "savepoint": address})
        elif address is None:
            notes.print("It has left no checkpoint.")
        else:
            out.print(address, soft_wrap=True, markup=False)


def status(env: OptionalEnv = None, as_json: Json = False) -> None:
    """Tell which instance runs, and its job's state; exit 1 when it does not run."""
    from . import unfinished

    with _working(env, as_json) as job:
        (instance, state), left = job.state(), job.unfinished()
        if as_json:
            known = {"deployment": job.name, "uid": instance.uid, "state": state, "url": instance.specification.url}
            document({**known, "unfinished": unfinished.to_json(left) if left else None})
        else:
            out.print(f"{job.name}  {instance.uid}  {state or 'not known to the cluster'}  {instance.specification.url}", soft_wrap=True)
            _show_unfinished(left)
    raise typer.Exit(0 if state == "RUNNING" else 1)


@instances_app.callback()
def instances(
    context: typer.Context,
    env: OptionalEnv = None,
    everything: Annotated[bool, typer.Option("--all", help="Of all projects and environments.")] = False,
    as_json: Json = False,
) -> None:
    """List the instances of the job, the newest first."""
    if context.invoked_subcommand is not None:
        return
    from . import unfinished, views

    with _ledger() as ledger:
        name = None if everything else _name(env)
        found, left = ledger.instances(name), [operation for operation in ledger.operations(name) if operation.ended is None]
    if as_json:
        document({"instances": [views.to_json(instance) for instance in found], "unfinished": [unfinished.to_json(each) for each in left]})
    elif found:
        wide().print(views.table(found))
    else:
        notes.print("There is none yet. The first: jobkit deploy")
    if not as_json:
        _show_unfinished(*left)


@instances_app.command()
def move(url: str, env: OptionalEnv = None, as_json: Json = False) -> None:
    """Remember that the cluster's JobManager is at another URL now, if it knows the job."""
    with _working(env, as_json) as job:
        _show(job.move(url), as_json)


@instances_app.command()
def show(uid: str, as_json: Json = False) -> None:
    """Show all that is known of an instance; UID may be its beginning."""
    from . import views

    with _ledger() as ledger:
        found = ledger.instance(uid)
    if as_json:
        document(views.to_json(found))
    else:
        wide().print(views.details(found))


@instances_app.command()
def diff(first: str, second: str, as_json: Json = False) -> None:
    """Show in what two instances differ."""
    from . import views
    from .instance import difference

    with _ledger() as ledger:
        found = difference(ledger.instance(first).specification, ledger.instance(second).specification)
    if as_json:
        document({"differences": [{"path": each.path, "first": each.one, "second": each.other} for each in found]})
    elif found:
        wide().print(views.differences(found))
    else:
        notes.print("They do not differ.")


@instances_app.command()
def logs(uid: str, as_json: Json = False) -> None:
    """Print the log lines of an instance, from all processes of its cluster."""
    from . import logs as reading_logs

    with _ledger() as ledger:
        instance = ledger.instance(uid)
    for line in reading_logs.read(instance):
        print(json.dumps({"file": line.file, "text": line.text}) if as_json else f"{line.file}: {line.text}")


def register(app: typer.Typer) -> None:
    """Make these commands part of an application."""
    for command in (deploy, upgrade, rollback, savepoint, stop, status):
        app.command()(command)
    app.add_typer(instances_app, name="instances")


@contextlib.contextmanager
def _ledger() -> Iterator[Ledger]:
    try:
        from .ledger import Ledger
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"There is no {error.name} here, which the ledger needs.", remedy="Install the kit with it: pip install 'flink-jobkit[ledger]'."
        ) from error
    ledger = Ledger.open()
    try:
        yield ledger
    finally:
        ledger.close()


def _name(env: str | None) -> str:
    return f"{find_project(Path.cwd()).name}/{env or environment_name()}"


@contextlib.contextmanager
def _working(env: str | None, as_json: bool) -> Iterator[DeployedJob]:
    """Give the job of the working folder's project; show how it goes on, and how it failed."""
    from ..cluster import display, interruption

    project = find_project(Path.cwd())
    with _ledger() as ledger:
        from .deployed import DeployedJob

        try:
            with interruption.listening(), display.Display(notes) as shown:
                yield DeployedJob(project, env or environment_name(), ledger, shown)
        except KeyboardInterrupt:
            notes.print("Interrupted.")
            with contextlib.suppress(JobkitError):
                _show_unfinished(ledger.unfinished(_name(env)))
            raise typer.Exit(_INTERRUPTED) from None
        except (JobkitError, OSError) as caught:
            if any(debugging):
                raise
            from . import failures

            error = caught if isinstance(caught, JobkitError) else _of_file(caught)
            failures.show(error, as_json=as_json)
            raise typer.Exit(error.exit_code) from error


def _of_file(error: OSError) -> ConfigurationError:
    return ConfigurationError("A file cannot be written or read.", found=str(error.strerror), where=str(error.filename))


def _show_unfinished(*left: Operation | None) -> None:
    from . import unfinished

    for operation in filter(None, left):
        text = f"Unfinished: {operation.deployment}, {unfinished.described(operation)}. {unfinished.remedy(operation)}"
        notes.print(text, soft_wrap=True, markup=False)


def _show(instance: Instance, as_json: bool) -> None:
    from . import views

    if as_json:
        document(views.to_json(instance))
    else:
        out.print(instance.uid)
