"""The `jobkit` command: reads the command line, and exits; what cluster, bench, profile, deployment and rehearsal do is theirs."""

from __future__ import annotations

import os
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from .bench.command import bench
from .cluster.command import run
from .deployment import commands
from .errors import ConfigurationError, JobkitError, NoProject
from .profile.command import profile
from .project import Project, environment_name, find_project
from .rehearsal.command import rehearse
from .state.commands import compat, lock
from .terminal import INTERRUPTED, Env, Json, OptionalEnv, debugging, document, failed, notes, out, printed, reading, wide

if TYPE_CHECKING:
    from .analysis import Analysis
    from .configuration import Configuration

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Program = Annotated[Path | None, typer.Option("--program", help="Any PyFlink program instead of this project's pipeline.")]

Jars = Annotated[list[Path] | None, typer.Option("--jar", help="A connector jar for --program; may be repeated.")]
Arguments = Annotated[list[str] | None, typer.Argument(help="Arguments of --program, after --.")]


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False) -> None:
    """Start, test and run a PyFlink job."""
    debugging.append(debug)


@app.command()
def config(env: OptionalEnv = None, as_json: Json = False) -> None:
    """Show an environment's Flink configuration: each value, where it is written, Flink's default, every mistake."""
    from .configuration import read
    from .findings import check as find_mistakes
    from .known_options import Options
    from .reports import configuration_json, configuration_table

    project = find_project(Path.cwd())
    configuration = read(project.conf, env or environment_name())
    _provide_jvm(project)
    with reading(as_json):
        known = Options.of_flink()
    mistakes = find_mistakes(configuration, known)
    if as_json:
        document(configuration_json(configuration, known, mistakes))
    else:
        wide().print(configuration_table(configuration, known, mistakes))
    raise typer.Exit(2 if any(finding.is_wrong for finding in mistakes) else 0)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Tell whether this machine is fit: Python, PyFlink, Java, jars and versions that match, tools, Docker, the kit."""
    from .doctor import examine
    from .reports import doctor_table

    checks = examine(find_project(Path.cwd()))
    if as_json:
        document({"checks": [result.to_json() for result in checks]})
    else:
        wide().print(doctor_table(checks))
    raise typer.Exit(1 if any(result.status == "fail" for result in checks) else 0)


def _provide_jvm(project: Project) -> None:
    """Give PyFlink's JVM a Java, a place for its log, and the connectors' jars if they are there; fetch nothing."""
    from .cluster import java

    java.provide()
    logs, library = project.work / "logs", project.work / "flink" / "lib"
    logs.mkdir(parents=True, exist_ok=True)
    os.environ["FLINK_LOG_DIR"] = str(logs)
    if (library / f"flink-dist-{project.flink}.jar").exists():
        os.environ["FLINK_LIB_DIR"] = str(library)


@app.command()
def graph(
    program: Program = None,
    env: Env = "local",
    jar: Jars = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="Write a picture of the graph to this file.")] = None,
    as_json: Json = False,
    arguments: Arguments = None,
) -> None:
    """Show the operators as Flink sees them, with their uids; with --svg a picture of them."""
    with reading(as_json):
        found = _analysis(program, env, jar, arguments, judged=False)
    if svg is not None:
        from .pictures import svg as draw

        for number, job in enumerate(found.jobs):
            file = svg if number == 0 else svg.with_stem(f"{svg.stem}-{number + 1}")
            _write(file, draw(job))
            notes.print(f"The picture of {job.name} is in {file}.")
    if as_json:
        document({"jobs": [job.to_json() for job in found.jobs]})
        return
    from .tables import operators

    for job in found.jobs:
        out.print(operators(job))
    for note in found.notes:
        notes.print(note, style="dim")


@app.command()
def check(program: Program = None, env: OptionalEnv = None, jar: Jars = None, as_json: Json = False, arguments: Arguments = None) -> None:
    """Hold the job and its configuration to the guardrails, without starting anything."""
    with reading(as_json):
        found = _analysis(program, env or environment_name(), jar, arguments, judged=True)
    pairs = list(zip(found.jobs, found.results, strict=True))
    if as_json:
        document({"results": [{**result.to_json(), "job": job.name} for job, results in pairs for result in results]})
    else:
        from .tables import findings

        for job, results in pairs:
            out.print(f"[bold]{job.name}[/bold]")
            out.print(findings(results))
        for note in found.notes:
            notes.print(note, style="dim")
    if any(result.status == "fail" for _, results in pairs for result in results):
        raise typer.Exit(1)


for command in (lock, compat, run, bench, profile, rehearse):
    app.command()(command)
commands.register(app)


def _analysis(program: Path | None, env: str, jars: list[Path] | None, arguments: list[str] | None, *, judged: bool) -> Analysis:
    from . import analysis

    if program is not None:
        analysis.prepare(None)
        values = _program_values(env)
        from .program import graphs

        return analysis.of_program(partial(graphs, program, arguments or [], values, jars or []), env, judged=judged)
    project = find_project(Path.cwd())
    configuration = _configuration(project, env)
    analysis.prepare(project)
    return analysis.of_project(project, env, configuration, judged=judged)


def _program_values(env: str) -> dict[str, str]:
    """Return the configuration of the project that one stands in; a program outside of one has Flink's defaults."""
    try:
        return _configuration(find_project(Path.cwd()), env).values
    except NoProject:
        return {}


def _configuration(project: Project, env: str) -> Configuration:
    from .configuration import load

    return load(project.conf, env)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError("The file cannot be written.", found=error.strerror, where=str(file)) from error


def main() -> None:
    """Run the command line; a mistake of the user's ends as one paragraph, never as a traceback, and with --json as a document too."""
    printed.clear()
    arguments = sys.argv[1:]
    as_json = "--json" in arguments[: arguments.index("--")] if "--" in arguments else "--json" in arguments
    try:
        code = app(standalone_mode=not as_json)
    except JobkitError as error:
        if any(debugging):
            traceback.print_exc()
        _end(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if not hasattr(error, "format_message"):  # click's own way to say that the command line is wrong
            raise
        _end(ConfigurationError(error.format_message(), remedy="See jobkit COMMAND --help."), as_json=as_json)
    if code == INTERRUPTED and as_json:
        failed(JobkitError("Interrupted."))
    sys.exit(code if isinstance(code, int) else 0)


def _end(error: JobkitError, *, as_json: bool) -> NoReturn:
    print(f"error: {error}", file=sys.stderr)
    if as_json:
        failed(error)
    sys.exit(error.exit_code)
