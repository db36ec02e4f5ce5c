"""The commands `jobkit instances`: what has run, as the ledger remembers it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..terminal import Json, OptionalEnv, document, notes, out, wide
from . import working

app = typer.Typer(help="What has run, as the ledger remembers it; without a command: a list.", invoke_without_command=True)


@app.callback()
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

    with working.opened_ledger() as ledger:
        name = None if everything else working.name_of(env)
        found, left = ledger.instances(name), [operation for operation in ledger.operations(name) if operation.ended is None]
    if as_json:
        document({"instances": [views.to_json(instance) for instance in found], "unfinished": [unfinished.to_json(each) for each in left]})
    elif found:
        wide().print(views.table(found))
    else:
        notes.print("There is none yet. The first: jobkit deploy")
    if not as_json:
        working.show_unfinished(*left)


@app.command()
def move(url: str, env: OptionalEnv = None, as_json: Json = False) -> None:
    """Remember that the cluster's JobManager is at another URL now, if it knows the job."""
    with working.working(env, as_json=as_json) as job:
        working.show(job.move(url), as_json=as_json)


@app.command()
def show(
    uid: str,
    archive: Annotated[Path | None, typer.Option("--artefact", metavar="FILE", help="Write its code to this file, a zip.")] = None,
    as_json: Json = False,
) -> None:
    """Show all that is known of an instance; UID may be its beginning."""
    from . import views

    with working.opened_ledger() as ledger:
        found = ledger.instance(uid)
        before = next((each for each in ledger.instances(found.deployment) if each.uid == found.previous), None)
        concerning = [each for each in ledger.operations(found.deployment) if found.uid in each.details.values()]
        content = ledger.artefact(found.specification.artefact) if archive is not None else b""
    if archive is not None:
        try:
            archive.write_bytes(content)
        except OSError as error:
            raise working.of_file(error) from error
        notes.print(f"The code of {found.uid[:12]} is in {archive}.", markup=False)
    if as_json:
        document({**views.to_json(found), "operations": [views.operation_json(each) for each in concerning]})
    elif archive is None:
        wide().print(views.details(found, before, concerning))


@app.command()
def diff(
    first: str,
    second: str,
    code: Annotated[bool, typer.Option("--code", help="Show the lines of code that differ, too.")] = False,
    as_json: Json = False,
) -> None:
    """Show in what two instances differ: what they are, what their locks say of state, and which files of their code."""
    from . import views
    from .comparison import Comparison

    with working.opened_ledger() as ledger:
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


@app.command()
def logs(
    uid: str,
    unnamed: Annotated[
        bool, typer.Option("--unnamed", help="Lines of TaskManagers without any job's id, too, from while it ran: what Python prints.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the log lines of an instance, from all processes of its cluster."""
    from .logs import Reading

    with working.opened_ledger() as ledger:
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
