"""The site builds, all its pages are in its menu, and no link of the README or the kit leads nowhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

DOCS = ROOT / "docs"
OUTSIDE_OF_THE_SITE = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "{{cookiecutter.project_slug}}" / "kit" / "README.md"]


def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    """MkDocs in strict mode also finds links and anchors that lead nowhere."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    build = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stdout
    assert (tmp_path / "site" / "index.html").is_file()
    assert "<svg" in (tmp_path / "site" / "images" / "refused.svg").read_text(encoding="utf-8")


def test_every_page_is_in_the_menu() -> None:
    """A page that nobody can find is no page."""
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    listed = set(re.findall(r"[\w/-]+\.md", str(menu)))
    assert listed == {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}


@pytest.mark.parametrize("page", OUTSIDE_OF_THE_SITE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []
