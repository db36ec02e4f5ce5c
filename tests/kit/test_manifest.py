"""An edited kit is told from the released one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from jobkit import manifest
from jobkit.errors import ConfigurationError

KIT = Path(__file__).parents[2] / "{{cookiecutter.project_slug}}" / "kit"


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """A small kit with its list."""
    folder = tmp_path / "kit"
    (folder / "src").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("[project]\n")
    (folder / "src" / "a.py").write_text("a = 1\n")
    (folder / "src" / "b.py").write_text("b = 2\n")
    manifest.write(folder)
    return folder


def test_the_committed_list_is_that_of_the_kit() -> None:
    """After a change to the kit: python scripts/kit_checksums.py."""
    assert not manifest.changes(KIT)


def test_the_list_is_in_the_format_of_sha256sum(kit: Path) -> None:
    """Anybody can check it without the kit."""
    subprocess.run(["sha256sum", "--check", "--strict", manifest.FILE], cwd=kit, check=True, capture_output=True)


def test_an_untouched_kit_has_no_changes(kit: Path) -> None:
    """Nor do the files that tools leave count as any."""
    for name in ("src/__pycache__/a.cpython-311.pyc", "build/lib/a.py", "src/flink_jobkit.egg-info/PKG-INFO"):
        (kit / name).parent.mkdir(parents=True, exist_ok=True)
        (kit / name).write_text("x")
    changes = manifest.changes(kit)
    assert not changes
    assert str(changes) == ""


def test_each_kind_of_change_is_named(kit: Path) -> None:
    """Edited, missing and added files are told apart."""
    (kit / "src" / "a.py").write_text("a = 2\n")
    (kit / "src" / "b.py").unlink()
    (kit / "src" / "c.py").write_text("")
    changes = manifest.changes(kit)
    assert (changes.edited, changes.missing, changes.added) == (("src/a.py",), ("src/b.py",), ("src/c.py",))
    assert str(changes) == "edited: src/a.py; missing: src/b.py; added: src/c.py"


def test_other_line_ends_are_no_edit(kit: Path) -> None:
    """Git may check files out with CRLF."""
    (kit / "src" / "a.py").write_bytes(b"a = 1\r\n")
    assert not manifest.changes(kit)


@pytest.mark.parametrize("text", [None, "no list\n"])
def test_a_list_that_cannot_be_read_is_an_error(text: str | None, kit: Path) -> None:
    """It names the file."""
    (kit / manifest.FILE).unlink()
    if text is not None:
        (kit / manifest.FILE).write_text(text)
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        manifest.changes(kit)
    assert str(kit / manifest.FILE) in str(caught.value)


def test_copies_that_differ_are_told(kit: Path, tmp_path: Path) -> None:
    """An installed copy that is older than kit/ is found."""
    copy = tmp_path / "copy"
    shutil.copytree(kit, copy)
    assert manifest.differing(kit, copy) == []
    (copy / "src" / "a.py").write_text("a = 0\n")
    (copy / "src" / "b.py").unlink()
    assert manifest.differing(kit, copy) == ["src/a.py", "src/b.py"]
