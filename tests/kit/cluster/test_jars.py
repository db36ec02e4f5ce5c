"""Jars are fetched once, whole and checked; what goes wrong is one sentence. The repository is a real HTTP server."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from jobkit.cluster import distribution, jars
from jobkit.errors import ConfigurationError
from jobkit.project import Project

COORDINATE = "org.example:connector:1.0"
PLACE = "/org/example/connector/1.0/connector-1.0.jar"


def jar_of(text: str) -> bytes:
    """Make a jar."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("text", text)
    return content.getvalue()


JAR = jar_of("a connector")


@dataclass
class Maven:
    """A Maven repository.

    Attributes:
        files: What it serves.
        cut: How many bytes it leaves out at the end of each jar, though it announces them.
        requests: The paths that were asked for.
    """

    files: dict[str, bytes]
    cut: int = 0
    requests: list[str] = field(default_factory=list)
    server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        """Start to serve."""
        maven = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                maven.requests.append(self.path)
                content = maven.files.get(self.path)
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write((content or b"")[: len(content or b"") - (maven.cut if self.path.endswith(".jar") else 0)])

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Be down."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Maven]:
    """A repository with one jar; the user's configuration names it, and the local repository is empty."""
    maven = Maven({PLACE: JAR, f"{PLACE}.sha1": hashlib.sha1(JAR).hexdigest().encode()})  # noqa: S324  (Maven's own checksum)
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    (home / ".config" / "jgo.conf").write_text(f"[repositories]\ncentral = http://127.0.0.1:{maven.server.server_port}\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    yield maven
    maven.stop()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that needs the jar."""
    return Project(tmp_path / "project", jars=(COORDINATE,))


def files_of(repository: Path) -> list[str]:
    """Return the names of all files in a local repository."""
    return sorted(path.name for path in repository.rglob("*") if path.is_file())


def test_the_library_has_flinks_jars_and_the_projects(maven: Maven, project: Project) -> None:
    """FLINK_LIB_DIR holds links: nothing is copied, and the PyFlink package is left alone."""
    library = jars.library(project)
    own = {jar.name for jar in (distribution.home() / "lib").glob("*.jar")}
    own |= {jar.name for jar in (distribution.home() / "opt").glob("flink-python-*.jar")}  # thread mode needs it there
    assert {link.name for link in library.iterdir()} == own | {"connector-1.0.jar"}
    assert all(link.is_symlink() for link in library.iterdir())
    assert (library / "connector-1.0.jar").read_bytes() == JAR
    assert maven.requests == [PLACE, f"{PLACE}.sha1"]


def test_progress_is_reported(maven: Maven, project: Project) -> None:
    """The last report is of all bytes."""
    reports: list[tuple[str, int, int]] = []
    jars.library(project, lambda *report: reports.append(report))
    assert reports[-1] == ("connector-1.0.jar", len(JAR), len(JAR))
    assert maven.requests


def test_the_second_time_needs_no_network(maven: Maven, project: Project) -> None:
    """Neither in the same project nor in another one."""
    jars.library(project)
    maven.stop()
    jars.library(project)
    other = Project(project.root.with_name("other"), jars=(COORDINATE,))
    assert (jars.library(other) / "connector-1.0.jar").read_bytes() == JAR


def test_a_jar_that_is_no_longer_wanted_goes(maven: Maven, project: Project) -> None:
    """A class path holds what pyproject.toml says, and nothing from before."""
    jars.library(project)
    library = jars.library(Project(project.root))
    assert not (library / "connector-1.0.jar").exists()
    assert maven.requests


def test_an_unknown_coordinate_is_named(maven: Maven, tmp_path: Path) -> None:
    """The error says which one, and where it was looked for."""
    with pytest.raises(ConfigurationError, match=r"org\.example:connector:2\.0 .* it is in none of them") as caught:
        jars.library(Project(tmp_path / "project", jars=("org.example:connector:2.0",)))
    assert str(maven.server.server_port) in str(caught.value)


def test_without_a_network_the_error_says_so(maven: Maven, project: Project, tmp_path: Path) -> None:
    """A repository that is down is not an unknown jar."""
    maven.stop()
    with pytest.raises(ConfigurationError, match="the server cannot be reached"):
        jars.library(project)
    assert files_of(tmp_path / "m2") == []


def test_half_a_download_leaves_nothing(maven: Maven, project: Project, tmp_path: Path) -> None:
    """A connection that breaks is tried again, and leaves no half jar for the next time."""
    maven.cut = 10
    with pytest.raises(ConfigurationError, match=r"connector-1\.0\.jar"):
        jars.library(project)
    assert maven.requests.count(PLACE) == 3
    assert files_of(tmp_path / "m2") == []
    maven.cut = 0
    assert (jars.library(project) / "connector-1.0.jar").read_bytes() == JAR


def test_a_wrong_checksum_is_refused(maven: Maven, project: Project, tmp_path: Path) -> None:
    """What arrives must be what the repository means."""
    maven.files[PLACE] = jar_of("something else")
    with pytest.raises(ConfigurationError, match="it arrived damaged"):
        jars.library(project)
    assert files_of(tmp_path / "m2") == []


def test_a_damaged_jar_is_fetched_again(maven: Maven, project: Project, tmp_path: Path) -> None:
    """Another tool's half download in the local repository is mended."""
    cached = tmp_path / "m2" / PLACE[1:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(JAR[:-10])
    assert (jars.library(project) / "connector-1.0.jar").read_bytes() == JAR
    assert maven.requests


def test_a_jar_that_is_damaged_at_its_origin_is_an_error(maven: Maven, project: Project) -> None:
    """What is no jar is not put on a class path."""
    maven.files |= {PLACE: b"no jar", f"{PLACE}.sha1": hashlib.sha1(b"no jar").hexdigest().encode()}  # noqa: S324
    with pytest.raises(ConfigurationError, match="A jar is damaged"):
        jars.library(project)


def test_a_project_without_a_kafka_version_is_told_what_to_write(tmp_path: Path) -> None:
    """The broker is the user's choice."""
    with pytest.raises(ConfigurationError, match=r'Write kafka = "'):
        jars.broker_classpath(Project(tmp_path))
