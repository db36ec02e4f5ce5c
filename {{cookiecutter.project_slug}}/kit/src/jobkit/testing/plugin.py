"""The pytest plugin: `pytest_plugins = ["jobkit.testing.plugin"]` in tests/conftest.py."""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigurationError
from ..project import ENVIRONMENT_VARIABLE, LOCAL, Project, find_project

if TYPE_CHECKING:  # whoever runs no test with a job does not wait for Kafka's client, PyFlink and Docker to be imported
    from ..cluster.flink import FlinkCluster
    from ..cluster.sample import Sample
    from .backends import Backend
    from .faults import Faults
    from .job import Job
    from .kafka import Kafka
    from .session import Session

_BACKENDS = ("auto", "docker", "process")
_IMAGES = {
    "flink": "the image that the job's own image is built on, instead of the Dockerfile's",
    "kafka": "the image of the broker, instead of apache/kafka",
    "job": "an image of the job that is there already; none is built",
}
# kafka-python forgets the socket of a connection that does not come about, as when a test has the broker down. The
# interpreter would complain in whichever test it finds it.
_FORGOTTEN_SOCKET = r"unclosed <socket.socket [^>]*laddr=\('0.0.0.0', \d+\)>$"
_SESSION = pytest.StashKey["Session"]()
_JOBS = pytest.StashKey["list[Job]"]()
_BEGUN = pytest.StashKey[float]()
_TIMES = pytest.StashKey[dict[str, float]]()
_FIRST = "jobkit_first_test"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; each has a variable of the same name: JOBKIT_FLINK_BACKEND, JOBKIT_FLINK_IMAGE, …."""
    group = parser.getgroup("flink", "Flink clusters for tests (jobkit)")
    group.addoption("--flink-backend", choices=_BACKENDS, default=None, help="where clusters run; auto prefers docker")
    for name, text in _IMAGES.items():
        group.addoption(f"--{name}-image", metavar="IMAGE", default=None, help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Note when the session began."""
    config.stash[_TIMES] = {"begun": time.monotonic()}
    config.addinivalue_line("filterwarnings", f"ignore:{_FORGOTTEN_SOCKET}:ResourceWarning")
    # Beam's workers, threads of this process when a job runs on a mini cluster, report metrics so; Python 3.12 has deprecated it.
    config.addinivalue_line("filterwarnings", "ignore:datetime.datetime.utc:DeprecationWarning:apache_beam")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note when a test began."""
    item.stash[_BEGUN] = time.time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Add to the report of a failed test what its jobs came to."""
    session = item.config.stash.get(_SESSION, None) if "flink" in getattr(item, "fixturenames", ()) else None
    if session is None or call.excinfo is None:
        return (yield)
    from . import report

    kept = session.project.work / "test-results" / re.sub(r"[^\w.-]+", "-", item.nodeid).strip("-")
    if not item.config.getoption("fulltrace"):
        report.clarify(call.excinfo.value, session.logs, kept)
    outcome: Any = yield
    if outcome.failed:
        outcome.sections += list(report.sections(_jobs(item), session.logs, kept, item.stash[_BEGUN]))
    return outcome


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the main process of pytest-xdist when this worker's first test began."""
    first = session.config.stash[_TIMES].get("first")
    if first is not None and hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_FIRST] = first


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take from a worker of pytest-xdist when its first test began."""
    times = node.config.stash[_TIMES]
    first = getattr(node, "workeroutput", {}).get(_FIRST)
    if first is not None:
        times["first"] = min(first, times.get("first", first))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how long it took until the first test with a cluster could begin."""
    times = config.stash[_TIMES]
    if "first" in times:
        seconds = times["first"] - times["begun"]
        terminalreporter.write_line(f"flink: the first test body with a job began after {seconds:.1f} s")


@pytest.fixture(scope="session")
def project(request: pytest.FixtureRequest) -> Project:
    """The project whose job is tested."""
    return _project(request.config)


@pytest.fixture(scope="session")
def flink(request: pytest.FixtureRequest, project: Project) -> Iterator[Session]:
    """The session's broker and clusters. Each worker of pytest-xdist has a session of its own."""
    from .backends import ProcessBackend
    from .session import Session

    chosen = _chosen(request.config, project)
    say = _announcer(request.config)
    say(f"{chosen} backend")

    def backend(folder: Path, held: int) -> Backend:
        if chosen == "process":
            return ProcessBackend(project, held, say)
        from .docker import DockerBackend

        return DockerBackend(project, folder, {name: _option(request.config, f"--{name}-image") for name in _IMAGES}, held, say)

    session = request.config.stash[_SESSION] = Session(project, backend)
    yield session
    session.close()


@pytest.fixture
def kafka(flink: Session) -> Iterator[Kafka]:
    """Topics of the test's own, on a real broker."""
    if flink.project.testing is None:
        raise ConfigurationError(
            "The project does not say how tests give the job topics of its own.",
            where=f"{flink.project.root / 'pyproject.toml'}, [tool.jobkit.testing]",
            remedy='Write topics = { orders = "ORDERS_TOPIC" } and group = "KAFKA_GROUP_ID": the variables that the job\'s settings read.',
        )
    from .kafka import Kafka

    kafka = Kafka(flink.broker, flink.project.testing, uuid.uuid4().hex[:8])
    yield kafka
    kafka.close()


@pytest.fixture
def new_cluster(flink: Session) -> Iterator[Callable[..., FlinkCluster]]:
    """A function that starts a cluster for this test alone; see `Session.new_cluster`."""
    started = []

    def start(**options: Any) -> FlinkCluster:
        started.append(flink.new_cluster(**options))
        return started[-1]

    yield start
    for cluster in started:
        flink.end(cluster)


@pytest.fixture
def new_job(request: pytest.FixtureRequest, flink: Session, kafka: Kafka) -> Iterator[Callable[..., Job]]:
    """A function that prepares a job, on the shared cluster or on one of `new_cluster`; it is cancelled in the end."""
    from .job import Job

    jobs = _jobs(request.node)

    def prepare(cluster: FlinkCluster | None = None) -> Job:
        job = Job(cluster or flink.cluster, kafka, flink.project, flink.own_folder("savepoints"))
        jobs.append(job)
        request.config.stash[_TIMES].setdefault("first", time.monotonic())
        return job

    yield prepare
    for job in jobs:
        job.end()


@pytest.fixture
def job(new_job: Callable[..., Job]) -> Job:
    """The project's job, on the shared cluster; `job.start()` starts it."""
    return new_job()


@pytest.fixture
def new_faults(flink: Session) -> Iterator[Callable[[Job], Faults]]:
    """A function that returns the faults of a job; they are undone in the end."""
    from .faults import Faults

    everything: list[Faults] = []

    def make(job: Job) -> Faults:
        everything.append(Faults(job, flink.broker, flink.own_folder("faults")))
        return everything[-1]

    yield make
    for faults in everything:
        faults.undo()


@pytest.fixture
def faults(flink: Session, new_faults: Callable[[Job], Faults], job: Job) -> Faults:
    """The faults of the job; they are undone in the end."""
    flink.add_spare()
    return new_faults(job)


@pytest.fixture
def sample(project: Project, kafka: Kafka) -> Sample:
    """The project's sample, with the topics of this test: what goes in, and the judge of what comes out."""
    from ..cluster import sample

    return sample.load(project, {ENVIRONMENT_VARIABLE: LOCAL, **kafka.environment})


def _jobs(item: pytest.Item) -> list[Job]:
    return item.stash.setdefault(_JOBS, [])


def _project(config: pytest.Config) -> Project:
    return find_project(config.rootpath)


def _chosen(config: pytest.Config, project: Project) -> str:
    wanted = _option(config, "--flink-backend") or "auto"
    if wanted not in _BACKENDS:
        raise pytest.UsageError(f"JOBKIT_FLINK_BACKEND is {wanted!r}; it must be one of {', '.join(_BACKENDS)}.")
    if wanted != "auto":
        return wanted
    if not (_option(config, "--job-image") or (project.root / "Dockerfile").is_file()):
        return "process"
    from ..cluster.engine import absence

    return "process" if absence() else "docker"


def _announcer(config: pytest.Config) -> Callable[[str], None]:
    """Return a function that tells the user, in the middle of a test, what takes long."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")

    def say(text: str) -> None:
        if reporter is None:  # a worker of pytest-xdist
            return
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            reporter.ensure_newline()
            reporter.write_line(f"flink: {text}")

    return say


def _option(config: pytest.Config, option: str, environ: Mapping[str, str] = os.environ) -> str | None:
    value: str | None = config.getoption(option)
    return value or environ.get(f"JOBKIT_{option.removeprefix('--').replace('-', '_').upper()}") or None
