"""In what two instances differ, and what is shown of one."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest
from jobkit.deployment import views
from jobkit.deployment.address import LedgerError
from jobkit.deployment.comparison import Comparison
from jobkit.deployment.instance import Operation, Specification
from rich.console import Console, RenderableType

from tests.kit import projects

from . import ledgers

LOCK = projects.LOCK % "2.2.1" if "%s" in projects.LOCK else projects.LOCK


def archive(**files: bytes) -> bytes:
    """Return an artefact."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        for name, content in files.items():
            opened.writestr(f"src/{name}.py", content)
    return packed.getvalue()


ONE = replace(ledgers.specification(), lock=LOCK, artefact="one")
OTHER = replace(ONE, lock=LOCK.replace("type: Long", "type: String"), artefact="other")
ARTEFACTS = {
    "one": archive(kept=b"1\n", gone=b"2\n", edited=b"a = 1\nb = 2\n"),
    "other": archive(kept=b"1\n", new=b"\xff", edited=b"a = 1\nb = 3\n"),
}


def text(shown: RenderableType) -> str:
    """Return what a reader sees."""
    console = Console(width=160, file=io.StringIO())
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


def test_code_and_locks_are_compared() -> None:
    """The lock in the words of `jobkit lock`, the code by file and, when asked, by line."""
    found = Comparison(ONE, OTHER, ARTEFACTS.__getitem__)
    assert [(each.name, each.what) for each in found.files] == [
        ("src/edited.py", "changed"),
        ("src/gone.py", "removed"),
        ("src/new.py", "added"),
    ]
    assert [change.verdict for change in found.lock] == ["loses-state"]
    assert "-b = 2\n+b = 3" in found.code
    shown = text(views.differences(found))
    assert "src/edited.py" in shown
    assert found.lock[0].what.split()[0] in shown
    document = found.to_json(code=False)
    assert document["files"][0] == {"file": "src/edited.py", "change": "changed"}
    assert document["lock"][0]["uid"] == "count"
    assert "+b = 3" in found.to_json(code=True)["files"][0]["lines"]


def test_what_cannot_be_compared_is_said() -> None:
    """Code that the ledger has no more, a lock of another kit: the rest is shown."""

    def missing(_: str) -> bytes:
        raise LedgerError("The ledger has no such artefact.")

    found = Comparison(ONE, replace(OTHER, lock="format: 99\n"), missing)
    assert len(found.notes) == 2
    assert {each.path for each in found.differences} == {"artefact", "lock"}


def test_an_instance_is_shown_with_its_lock_its_packages_and_who_changed_it() -> None:
    """Each in one line; what is long is in JSON."""
    what = replace(ONE, packages={"apache-flink": "2.2.1", "numpy": "2"}, defaults={"python.execution-mode": "process"})
    instance, before = (
        replace(ledgers.entry(), specification=what),
        replace(ledgers.entry(), specification=Specification.from_json(ONE.to_json())),
    )
    operation = Operation(
        "c" * 32, "d", "rollback", "STOPPING", {"old": instance.uid}, ledgers.now(), "bob@host", ledgers.now(), "completed"
    )
    shown = text(views.details(instance, before, [operation]))
    assert "by bob@host, completed" in shown
    assert "apache-flink 2.2.0 → 2.2.1, numpy - → 2" in shown
    assert "count: count" in shown
    assert "1 more options" in shown
    assert views.operation_json(operation)["by"] == "bob@host"


@pytest.mark.parametrize("lock", [None, "format: 99\n", "{"])
def test_an_instance_without_a_lock_that_can_be_read_is_shown(lock: str | None) -> None:
    """It may be of an older or a newer kit."""
    assert "prod" in text(views.details(replace(ledgers.entry(), specification=replace(ONE, lock=lock)), None, []))
