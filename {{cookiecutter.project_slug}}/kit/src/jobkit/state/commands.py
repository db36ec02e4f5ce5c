"""The commands `jobkit lock` and `jobkit compat`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigurationError
from ..project import Project, environment_name, find_project
from ..terminal import Json, OptionalEnv, document, notes, out, reading, wide

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..lock import Lock, Revision
    from .fates import Compatibility


def lock(
    check_only: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 when the lock is not that of the job.")] = False,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="UID[/STATE]", help="State that may be lost; * is all. May be repeated.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why it may be lost; kept in the lock.")] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="REVISION", help="Write nothing; exit 1 when state of that commit, tag or branch would be lost."),
    ] = None,
    env: OptionalEnv = None,
    as_json: Json = False,
) -> None:
    """Write flink.lock, what the job's state depends on; or show what has changed since it was written."""
    from .. import lock as locks
    from ..lock import committed

    if (check_only or against is not None) and (drop or reason):
        option = "--check" if check_only else "--against"
        raise ConfigurationError(f"{option} writes nothing, and so drops nothing.", remedy=f"Leave {option} out, or --drop and --reason.")
    project = find_project(Path.cwd())
    file = project.root / locks.FILE
    kept = locks.read(file)
    old = committed.of(project.root, against) if against is not None else kept or committed.last(project.root)
    revision = locks.Revision(old, _lock_of(project, env, as_json=as_json))
    _show_changes(revision, as_json=as_json)
    if against is not None:
        raise typer.Exit(_exit_code_against(revision, kept, against, as_json=as_json))
    is_there = kept is not None and revision.is_current
    if not check_only:
        locks.write(revision.next(drop or (), reason), file)
    if not as_json:
        notes.print(_outcome(is_there=is_there, was_there=kept is not None, is_written=not check_only), markup=False)
    raise typer.Exit(1 if check_only and not is_there else 0)


def _lock_of(project: Project, env: str | None, *, as_json: bool) -> Lock:
    """Return the lock of a project's job."""
    from .. import analysis
    from .. import lock as locks
    from ..configuration import load

    environment = env or environment_name()
    with reading(as_json):
        configuration = load(project.conf, environment)
        analysis.prepare(project)
        found = analysis.of_project(project, environment, configuration, judged=False)
    if not as_json:
        _show_notes(found)
    return locks.lock_of(found.jobs[0])


def _show_changes(revision: Revision, *, as_json: bool) -> None:
    from ..tables import changes

    if as_json:
        document(revision.to_json())
    elif revision.changes:
        out.print(changes(revision.changes))


def _outcome(*, is_there: bool, was_there: bool, is_written: bool) -> str:
    if is_there:
        return "flink.lock is that of the job."
    if is_written:
        return "flink.lock is written. Review it with the change, and commit both."
    return f"{'flink.lock is not that of the job' if was_there else 'There is no flink.lock'}. Write it: jobkit lock"


def _exit_code_against(revision: Revision, kept: Lock | None, against: str, *, as_json: bool) -> int:
    """Say what would be lost since a revision of Git, and was not given up in the lock of today."""
    losses = revision.losses(kept.dropped if kept else ())
    if not as_json:
        lost = ", ".join(dict.fromkeys(change.target for change in losses))
        notes.print(f"Since {against} would be lost: {lost}" if losses else f"Nothing would be lost since {against}.", markup=False)
    return 1 if losses else 0


def compat(
    snapshot: Annotated[
        str | None, typer.Argument(help="The folder of a checkpoint (…/chk-42) or savepoint, or its address; none for a first start.")
    ] = None,
    lock_file: Annotated[
        Path | None, typer.Option("--lock", help="The lock of the job that took it; by default the one that its start left beside it.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1, too, when something could not be found out.")] = False,
    env: OptionalEnv = None,
    as_json: Json = False,
) -> None:
    """Tell whether the job may start from a snapshot: for each operator what becomes of its state, and how much that is."""
    from ..configuration import load
    from . import comparison

    if snapshot is not None and not snapshot.strip():
        raise ConfigurationError("No snapshot is named: the argument is empty.", remedy="Leave it out for a first start, without state.")
    project, environment = find_project(Path.cwd()), env or environment_name()
    configuration = load(project.conf, environment)
    with reading(as_json):
        read, found = comparison.compare(project, environment, configuration, snapshot, lock_file)
    if as_json:
        document(found.to_json())
    else:
        from ..tables import fates

        wide().print(fates(found))
        _show_notes(read)
        notes.print(_about_the_lock(found), style="dim", markup=False, soft_wrap=True)
    raise typer.Exit(0 if found.is_compatible and not (strict and found.is_open) else 1)


def _about_the_lock(found: Compatibility) -> str:
    if found.snapshot is None:
        return "No snapshot was named: the job would begin without state."
    if found.lock is None:
        return "No lock was found for the snapshot: types were not compared. Name it, or the environment of the job: --lock, --env"
    return f"What took the snapshot is in {found.lock}."


def _show_notes(found: Analysis) -> None:
    for note in found.notes:
        notes.print(note, style="dim")
