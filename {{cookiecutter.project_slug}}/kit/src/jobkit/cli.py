"""The `jobkit` command: the only module that prints and exits."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from .deployment import commands
from .errors import ConfigurationError, JobkitError, NoProject
from .project import LOCAL, Project, environment_name, find_project
from .rehearsal.command import rehearse
from .terminal import Env, Json, OptionalEnv, debugging, document, notes, out, reading, wide

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


@app.command()
def lock(
    check_only: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 when the lock is not that of the job.")] = False,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="UID[/STATE]", help="State that may be lost; * is all. May be repeated.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why it may be lost; kept in the lock.")] = None,
    env: OptionalEnv = None,
    as_json: Json = False,
) -> None:
    """Write flink.lock, what the job's state depends on; or show what has changed since it was written."""
    from . import lock as locks
    from .tables import changes

    if check_only and (drop or reason):
        raise ConfigurationError("--check writes nothing, and so drops nothing.", remedy="Leave --check out, or --drop and --reason.")
    file = find_project(Path.cwd()).root / locks.FILE
    old = locks.read(file)
    with reading(as_json):
        found = _analysis(None, env or environment_name(), None, None, judged=False)
    revision = locks.Revision(old, locks.lock_of(found.jobs[0]))
    if as_json:
        document(revision.to_json())
    else:
        for note in found.notes:
            notes.print(note, style="dim")
        if revision.changes:
            out.print(changes(revision.changes))
    if not check_only:
        locks.write(revision.next(drop or (), reason), file)
    if not as_json:
        if revision.is_current:
            note = f"{file.name} is that of the job."
        elif not check_only:
            note = f"{file.name} is written. Review it with the change, and commit both."
        else:
            what = f"There is no {file.name}" if old is None else f"{file.name} is not that of the job"
            note = f"{what}. Write it: jobkit lock"
        notes.print(note, markup=False)
    raise typer.Exit(1 if check_only and not revision.is_current else 0)


@app.command()
def compat(
    snapshot: Annotated[
        str | None, typer.Argument(help="The folder of a checkpoint (…/chk-42) or savepoint, or its address; none for a first start.")
    ] = None,
    lock_file: Annotated[
        Path | None, typer.Option("--lock", help="The lock of the job that took it; by default the one that its start left beside it.")
    ] = None,
    env: OptionalEnv = None,
    as_json: Json = False,
) -> None:
    """Tell whether the job may start from a snapshot: for each operator what becomes of its state, and how much that is."""
    from .state import comparison

    project, environment = find_project(Path.cwd()), env or environment_name()
    configuration = _configuration(project, environment)
    with reading(as_json):
        read, found = comparison.compare(project, environment, configuration, snapshot, lock_file)
    if as_json:
        document(found.to_json())
    else:
        from .tables import fates

        wide().print(fates(found))
        for note in read.notes:
            notes.print(note, style="dim")
        if found.snapshot is None:
            note = "No snapshot was named: the job would begin without state."
        elif found.lock is None:
            note = "No lock was found for the snapshot: types were not compared. Name it, or the environment of the job: --lock, --env"
        else:
            note = f"What took the snapshot is in {found.lock}."
        notes.print(note, style="dim", markup=False, soft_wrap=True)
    raise typer.Exit(0 if found.is_compatible else 1)


@app.command()
def run(
    env: Env = "local",
    snapshot: Annotated[
        str | None, typer.Option("--from", metavar="SNAPSHOT", help="Resume from a checkpoint or savepoint of the last run.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the cluster and its web UI up until Ctrl-C.")] = False,
    parallelism: Annotated[int | None, typer.Option("--parallelism", "-p", min=1, help="The job's parallelism (default 2).")] = None,
    as_json: Json = False,
) -> None:
    """Run the job on a local cluster and broker over the sample, and judge what comes out."""
    from .cluster import display, interruption
    from .cluster.local import Options
    from .cluster.run import Interrupted, LocalRun

    stdout = Console(file=sys.stdout, highlight=False)
    options = Options(environment=env, snapshot=snapshot, parallelism=parallelism)
    try:
        with interruption.listening(), contextlib.redirect_stdout(sys.stderr), display.Display(notes) as shown:
            local = LocalRun(find_project(Path.cwd()), options, shown)
            with local.execute() as outcome:
                shown.close()
                display.show(outcome, stdout, as_json=as_json)
                if keep:
                    notes.print(f"The web UI is up at {outcome.url} until Ctrl-C.")
                    interruption.wait()
    except (JobkitError, KeyboardInterrupt) as caught:
        error = caught if isinstance(caught, JobkitError) else Interrupted(Path(snapshot) if snapshot else None)
        if any(debugging):
            raise
        display.show_failure(error, stdout, notes, as_json=as_json)
        raise typer.Exit(error.exit_code) from error
    raise typer.Exit(1 if outcome.verdict.differences else 0)


@app.command()
def bench(
    env: Env = "local",
    records: Annotated[int, typer.Option("--records", min=1, help="How many records the job is fed, before it starts.")] = 2_000_000,
    warm_up: Annotated[
        float, typer.Option("--warm-up", min=0, help="Seconds from its first record on in which the job is not measured.")
    ] = 10,
    limit: Annotated[float, typer.Option("--limit", min=1, help="Seconds after which it is measured as far as it got.")] = 180,
    parallelism: Annotated[int | None, typer.Option("--parallelism", "-p", min=1, help="The job's parallelism (default 2).")] = None,
    as_json: Json = False,
) -> None:
    """Measure how fast the job goes on this machine over the sample without end, what it needs, and which task holds it up."""
    from .bench import report
    from .bench.job import JobBench, Load
    from .cluster import display, interruption
    from .cluster.local import Options

    options, load = Options(environment=env, parallelism=parallelism), Load(records, warm_up, limit)
    with interruption.listening(), reading(quiet=True), display.Display(notes) as shown:
        figures = JobBench(find_project(Path.cwd()), options, load, shown).run()
    if as_json:
        document(figures.to_json())
        return
    wide().print(report.table(figures))
    for note in report.notes(figures):
        notes.print(note, style="dim", markup=False)


@app.command()
def profile(
    url: Annotated[str, typer.Option("--url", help="The JobManager's address: that of the web UI.")] = "http://127.0.0.1:8081",
    job: Annotated[str | None, typer.Option("--job", help="The job's id, when more than one runs.")] = None,
    seconds: Annotated[int, typer.Option("--seconds", min=1, max=3600, help="For how long to sample.")] = 20,
    out: Annotated[Path, typer.Option("--out", help="The flame graph: .html, or .folded for the stacks as text.")] = Path("profile.html"),
    as_json: Json = False,
) -> None:
    """Show where the Python of a running job spends its time, by operator: a table, and a flame graph for the browser."""
    from .cluster import display, interruption
    from .profile.flamegraph import Drawing
    from .profile.profiling import Profiling

    drawing = Drawing(out)
    found = Profiling(url, job)
    with interruption.listening(), reading(quiet=True), display.Display(notes) as shown:
        outcome = found.run(seconds, lambda: _analysis(None, LOCAL, None, None, judged=False).jobs, shown)
        drawing.draw(outcome.profile.job.name, outcome.profile.lines())
    if as_json:
        document({**outcome.profile.to_json(), "file": str(out), "notes": outcome.notes})
        return
    wide().print(outcome.profile.table())
    for note in outcome.notes:
        notes.print(note, style="dim", markup=False)
    notes.print(f"The flame graph is in {out}.", markup=False)


app.command()(rehearse)
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
    """Run the command line; a mistake of the user's ends as one paragraph, never as a traceback."""
    try:
        app()
    except JobkitError as error:
        if any(debugging):
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
