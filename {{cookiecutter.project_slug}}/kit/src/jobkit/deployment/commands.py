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
from ..terminal import INTERRUPTED, Json, OptionalEnv, debugging, document, failed, notes, out, wide

if TYPE_CHECKING:
    from .deployed import DeployedJob
    from .instance import Instance, Operation
    from .ledger import Ledger

Within = Annotated[float, typer.Option("--within", min=1, help="Seconds in which all tasks must run and a first checkpoint be complete.")]
Parallelism = Annotated[
    int | None, typer.Option("--parallelism", "-p", min=1, help="The job's parallelism; by default parallelism.default of conf/.")
]
Native = Annotated[bool, typer.Option("--native", help="A savepoint in the state backend's own format: faster, for that backend only.")]
_WITHIN = 300.0

instances_app = typer.Typer(help="What has run, as the ledger remembers it; without a command: a list.", invoke_without_command=True)


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
    with _working(env, as_json) as job:
        _show(job.deploy(place, snapshot, within, version=version, lost=lost, discard_state=discard_state), as_json)


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
    with _working(env, as_json) as job:
        _show(job.upgrade(within, parallelism, again=again, snapshot=snapshot, native=native), as_json)


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
    with _working(env, as_json) as job:
        _show(job.undo() if undo else job.rollback(within, to, snapshot, parallelism), as_json)


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
    with _working(env, as_json) as job:
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
    with _working(env, as_json) as job:
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
def show(
    uid: str,
    archive: Annotated[Path | None, typer.Option("--artefact", metavar="FILE", help="Write its code to this file, a zip.")] = None,
    as_json: Json = False,
) -> None:
    """Show all that is known of an instance; UID may be its beginning."""
    from . import views

    with _ledger() as ledger:
        found = ledger.instance(uid)
        before = next((each for each in ledger.instances(found.deployment) if each.uid == found.previous), None)
        concerning = [each for each in ledger.operations(found.deployment) if found.uid in each.details.values()]
        content = ledger.artefact(found.specification.artefact) if archive is not None else b""
    if archive is not None:
        try:
            archive.write_bytes(content)
        except OSError as error:
            raise _of_file(error) from error
        notes.print(f"The code of {found.uid[:12]} is in {archive}.", markup=False)
    if as_json:
        document({**views.to_json(found), "operations": [views.operation_json(each) for each in concerning]})
    elif archive is None:
        wide().print(views.details(found, before, concerning))


@instances_app.command()
def diff(
    first: str,
    second: str,
    code: Annotated[bool, typer.Option("--code", help="Show the lines of code that differ, too.")] = False,
    as_json: Json = False,
) -> None:
    """Show in what two instances differ: what they are, what their locks say of state, and which files of their code."""
    from . import views
    from .comparison import Comparison

    with _ledger() as ledger:
        one, other = ledger.instance(first), ledger.instance(second)
        found = Comparison(one.specification, other.specification, ledger.artefact)
    if as_json:
        document(found.to_json(code=code))
    elif found.differences:
        wide().print(views.differences(found))
        if code:
            out.print(found.code, soft_wrap=True, markup=False)
    else:
        notes.print("They do not differ.")


@instances_app.command()
def logs(
    uid: str,
    unnamed: Annotated[
        bool, typer.Option("--unnamed", help="Lines of TaskManagers without any job's id, too, from while it ran: what Python prints.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the log lines of an instance, from all processes of its cluster."""
    from .logs import Reading

    with _ledger() as ledger:
        reading = Reading(ledger.instance(uid), unnamed=unnamed)
    before = '{"lines": ['  # one document, written as the lines arrive: logs may be long
    for line in reading.lines():
        if as_json:
            print(before, json.dumps({"file": line.file, "text": line.text}, ensure_ascii=False), sep="\n", end="")
        else:
            print(f"{line.file}: {line.text}")
        before = ","
    if as_json:
        print("" if before == "," else before, f'], "notes": {json.dumps(reading.notes, ensure_ascii=False)}}}', sep="\n")
    for note in reading.notes:
        notes.print(note, style="yellow", soft_wrap=True, markup=False)


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
            if as_json:
                failed(JobkitError("Interrupted.", remedy="The next command finishes what was begun, or takes it back."))
            raise typer.Exit(INTERRUPTED) from None
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
