"""What the commands of a deployed job share: its ledger, and how they show what goes on, what it came to, and what is unfinished."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import ConfigurationError, JobkitError
from ..project import environment_name, find_project
from ..terminal import INTERRUPTED, debugging, document, failed, notes, out

if TYPE_CHECKING:
    from .deployed import DeployedJob
    from .instance import Instance, Operation
    from .ledger import Ledger


@contextlib.contextmanager
def opened_ledger() -> Iterator[Ledger]:
    """Open the ledger for a command."""
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


def name_of(env: str | None) -> str:
    """Return the name of the deployment of the working folder's project, `project/environment`."""
    return f"{find_project(Path.cwd()).name}/{env or environment_name()}"


@contextlib.contextmanager
def working(env: str | None, *, as_json: bool) -> Iterator[DeployedJob]:
    """Give the job of the working folder's project; show how it goes on, and how it failed."""
    from ..cluster import display, interruption

    project = find_project(Path.cwd())
    with opened_ledger() as ledger:
        from .deployed import DeployedJob

        try:
            with interruption.listening(), display.Display(notes) as shown:
                yield DeployedJob(project, env or environment_name(), ledger, shown)
        except KeyboardInterrupt:
            notes.print("Interrupted.")
            with contextlib.suppress(JobkitError):
                show_unfinished(ledger.unfinished(name_of(env)))
            if as_json:
                failed(JobkitError("Interrupted.", remedy="The next command finishes what was begun, or takes it back."))
            raise typer.Exit(INTERRUPTED) from None
        except (JobkitError, OSError) as caught:
            if any(debugging):
                raise
            from . import failures

            error = caught if isinstance(caught, JobkitError) else of_file(caught)
            failures.show(error, as_json=as_json)
            raise typer.Exit(error.exit_code) from error


def of_file(error: OSError) -> ConfigurationError:
    """Return the error about a file that the system refuses."""
    return ConfigurationError("A file cannot be written or read.", found=str(error.strerror), where=str(error.filename))


def show_unfinished(*left: Operation | None) -> None:
    """Show operations that were begun and are not finished."""
    from . import unfinished

    for operation in filter(None, left):
        text = f"Unfinished: {operation.deployment}, {unfinished.described(operation)}. {unfinished.remedy(operation)}"
        notes.print(text, soft_wrap=True, markup=False)


def show(instance: Instance, *, as_json: bool) -> None:
    """Print an instance: its uid, or all that is known of it."""
    from . import views

    if as_json:
        document(views.to_json(instance))
    else:
        out.print(instance.uid)
