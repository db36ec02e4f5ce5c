"""On a cluster that has run one version of a job, another one runs its own code: both may run side by side."""

from __future__ import annotations

import compileall
import gc
import inspect
import pickle
import pickletools
import re
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import pytest
import yaml
from jobkit import shipping
from jobkit.cluster import java, snapshots, submission
from jobkit.cluster.flink import FlinkCluster
from jobkit.cluster.machine import Machine
from jobkit.cluster.waiting import until
from jobkit.functions import load
from jobkit.project import find_project

SECONDS = 600
PROJECT = Path(__file__).parent / "shipping"


FUNCTIONS = """\
import threading
VERSION = {version!r}

class Record:
    version = VERSION

def tell():
    from .late import VERSION as late
    return VERSION + late

def pickled():
    import pickle
    return pickle.loads(pickle.dumps(Record())).version

def told_in_a_thread():
    told = []
    thread = threading.Thread(target=lambda: told.append(tell()))
    thread.start()
    thread.join()
    return told[0]
"""
"""A module whose functions tell the version that they are of, and that of the module which they import."""


class TaskManager:
    """Stands for the interpreter of a TaskManager, which gets functions: what is shipped with them is all that it knows."""

    def __init__(self, arrived: ModuleType, folder: Path) -> None:
        """Take the kit's module, as it arrives there."""
        self.shipping, self._folder = arrived, folder

    def put(self, version: str, package: str = "freight", copy: str = "", **more: str) -> Path:
        """Put a version of a package where the files of a job are, and first on the path."""
        folder = self._folder / f"{package}-{version}{copy}"
        for name, text in {"__init__": "", "functions": FUNCTIONS, "late": "VERSION = {version!r}\n", **more}.items():
            file = folder / package / f"{name}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("{version!r}", repr(version)))
        sys.path.insert(0, str(folder))
        return folder

    def digest(self, place: Path) -> tuple[str, str]:
        """Return a package's name and digest."""
        package = place.name.partition("-")[0]
        return package, self.shipping.digest(str(place), package)

    def receive(self, *wanted: tuple[str, str], function: str = "tell") -> Any:
        """Unpickle a function of the last one of some packages."""
        return self.shipping.receive(f"c{wanted[-1][0]}.functions\n{function}\n.".encode(), wanted)

    def run(self, *wanted: tuple[str, str], function: str = "tell") -> Any:
        """Unpickle a function in a thread of its own, as tasks have, and call it there."""
        return in_a_thread(lambda: self.receive(*wanted, function=function)())  # noqa: PLW0108  (both in that thread)


@pytest.fixture
def task_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TaskManager]:
    """An interpreter, as far as its modules and its path go."""
    arrived = ModuleType("arrived")
    exec(inspect.getsource(shipping), vars(arrived))  # noqa: S102  (as a TaskManager does)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    before = set(sys.modules)
    yield TaskManager(arrived, tmp_path)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def in_a_thread(call: Callable[[], Any]) -> Any:
    """Return what a call returns."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result(SECONDS)


def zipped(folder: Path) -> Path:
    """Make a zip of a folder, and put it in its place on the path."""
    archive = Path(shutil.make_archive(str(folder), "zip", folder))
    sys.path[sys.path.index(str(folder))] = str(archive)
    shutil.rmtree(folder)
    return archive


def test_the_digest_is_of_paths_and_contents(task_manager: TaskManager) -> None:
    """Not of line ends, nor of what else lies there; what is in a zip counts as what is in a folder."""
    one, same, renamed = task_manager.put("a"), task_manager.put("a", copy="2"), task_manager.put("a", copy="3")
    digest = task_manager.digest(one)
    for file in (same / "freight").iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    (same / "freight" / "data.txt").touch()
    (renamed / "freight" / "late.py").rename(renamed / "freight" / "later.py")
    assert task_manager.digest(same) == digest
    assert task_manager.digest(renamed) != digest
    assert task_manager.digest(task_manager.put("b")) != digest
    assert task_manager.digest(zipped(one)) == digest


def test_what_was_digested_is_read_again_when_it_has_changed(task_manager: TaskManager) -> None:
    """As on a developer's machine, where a TaskManager imports a job from the folder in which it is written."""
    folder = task_manager.put("a")
    before = task_manager.digest(folder)
    assert task_manager.run(before) == "aa"
    task_manager.put("bb", copy="")
    shutil.copytree(folder.with_name("freight-bb"), folder, dirs_exist_ok=True)
    shutil.rmtree(folder.with_name("freight-bb"))
    assert task_manager.run(task_manager.digest(folder)) == "bbbb"


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped], ids=["folder", "zip"])
def test_versions_alternate(task_manager: TaskManager, pack: Callable[[Path], Path]) -> None:
    """Each time the job's own code, and one set of modules for each."""
    digests = [task_manager.digest(pack(task_manager.put(version))) for version in "ab"]
    assert [task_manager.run(digests[number]) for number in (1, 0, 1, 0)] == ["bb", "aa", "bb", "aa"]
    assert in_a_thread(lambda: task_manager.receive(digests[0])) is in_a_thread(lambda: task_manager.receive(digests[0]))


def test_one_version_is_imported_as_ever(task_manager: TaskManager) -> None:
    """Nothing stands between a job and its modules where there is no other version, as in process mode."""
    finders, digest = list(sys.meta_path), task_manager.digest(task_manager.put("a"))
    assert [task_manager.run(digest) for _ in range(2)] == ["aa", "aa"]
    assert sys.meta_path == finders
    assert type(sys.modules["freight.late"]) is ModuleType


@pytest.mark.parametrize("function", ["tell", "pickled", "told_in_a_thread"])
def test_a_running_job_goes_on_with_its_modules(task_manager: TaskManager, function: str) -> None:
    """After a newer one has come it imports, pickles and unpickles what is its own, also in threads of its own."""
    with ThreadPoolExecutor(1) as old, ThreadPoolExecutor(1) as new:
        first = old.submit(task_manager.receive, task_manager.digest(task_manager.put("a")), function=function).result()
        second = new.submit(task_manager.receive, task_manager.digest(task_manager.put("b")), function=function).result()
        assert new.submit(second).result(SECONDS).strip("b") == ""
        assert old.submit(first).result(SECONDS).strip("a") == ""


def test_records_are_of_the_jobs_own_class(task_manager: TaskManager) -> None:
    """It is Flink that pickles them and their state, with none of the job's functions at work; a class is found by its name."""
    with ThreadPoolExecutor(1) as old, ThreadPoolExecutor(1) as new:
        threads = {"a": old, "b": new}
        for version, thread in threads.items():
            thread.submit(task_manager.receive, task_manager.digest(task_manager.put(version)), function="Record").result()
        for version, thread in threads.items():
            record = thread.submit(lambda: sys.modules["freight.functions"].Record).result()()
            content = thread.submit(pickle.dumps, record).result()
            assert thread.submit(pickle.loads, content).result().version == version


def test_a_job_need_not_be_first_on_the_path(task_manager: TaskManager) -> None:
    """Another one may have started meanwhile, and put its own files there."""
    digest = task_manager.digest(task_manager.put("a"))
    task_manager.put("b")
    assert task_manager.run(digest) == "aa"


def test_jobs_that_start_at_once_find_their_own_code(task_manager: TaskManager) -> None:
    """Many tasks of two jobs unpickle together, and import the same module."""
    slow = "import time\ntime.sleep(0.3)\nVERSION = {version!r}\n"
    digests = [task_manager.digest(task_manager.put(version, late=slow)) for version in "ab"]
    barrier = threading.Barrier(12)

    def run(number: int) -> Any:
        tell = task_manager.receive(digests[number % 2])
        barrier.wait(SECONDS)
        return tell()

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(run, range(12))) == ["aa", "bb"] * 6


def test_a_version_is_imported_from_what_is_left_of_it(task_manager: TaskManager) -> None:
    """Each job has a copy of its files, which goes when it ends; another one of that version may still have to import."""
    first = task_manager.put("a")
    digest = task_manager.digest(first)
    in_a_thread(lambda: task_manager.receive(digest))
    task_manager.put("a", copy="2")
    with ThreadPoolExecutor(1) as second:
        tell = second.submit(task_manager.receive, digest).result()
        shutil.rmtree(first)
        assert second.submit(tell).result(SECONDS) == "aa"


def test_a_version_that_no_job_has_any_more_is_forgotten(task_manager: TaskManager) -> None:
    """Its files are gone, and so are its modules when the next version comes: a TaskManager does not fill up with them."""
    folder = task_manager.put("a")
    module = weakref.ref(in_a_thread(lambda: task_manager.receive(task_manager.digest(folder))) and sys.modules["freight.functions"])
    shutil.rmtree(folder)
    assert task_manager.run(task_manager.digest(task_manager.put("b"))) == "bb"
    gc.collect()
    assert module() is None


def test_a_job_does_not_share_modules_with_another_kits(task_manager: TaskManager) -> None:
    """A job's modules hold what they have imported of the kit: with another kit they are other modules, though the same code."""
    calls = FUNCTIONS.replace("def tell():", "from kit import VERSION as kit\ndef tell():\n    return kit\ndef other():")
    job = task_manager.digest(task_manager.put("a", functions=calls))
    kits = [task_manager.digest(task_manager.put(version, "kit", __init__="VERSION = {version!r}\n")) for version in "xy"]
    assert [task_manager.run(kits[number], job) for number in (0, 1, 0)] == ["x", "y", "x"]


def test_who_looks_through_all_modules_has_none_of_them_run(task_manager: TaskManager) -> None:
    """As `inspect` does, which asks each for its file."""
    digests = [task_manager.digest(task_manager.put(version)) for version in "ab"]
    with ThreadPoolExecutor(1) as old:
        tell = old.submit(task_manager.receive, digests[0]).result()
        assert task_manager.run(digests[1]) == "bb"
        assert not old.submit(lambda: hasattr(sys.modules["freight.late"], "__file__")).result()
        assert old.submit(tell).result() == "aa"
        assert old.submit(lambda: hasattr(sys.modules["freight.late"], "__file__")).result()


def test_a_module_of_one_version_is_not_in_the_other(task_manager: TaskManager) -> None:
    """An import says so."""
    wanting = FUNCTIONS.replace("from .late import VERSION as late", "from .more import VERSION as late")
    old, new = (task_manager.put("a", functions=wanting), task_manager.put("b", functions=wanting, more="VERSION = {version!r}\n"))
    assert task_manager.run(task_manager.digest(new)) == "bb"
    with pytest.raises(ImportError, match="VERSION"):
        task_manager.run(task_manager.digest(old))
    assert task_manager.run(task_manager.digest(new)) == "bb"


def test_another_version_that_is_installed_is_refused(task_manager: TaskManager) -> None:
    """Whether it is loaded or not; the message names package and place, and what to do."""
    wanted = task_manager.digest(missing := task_manager.put("b"))
    shutil.rmtree(missing)
    installed = task_manager.put("a")
    for _ in range(2):
        with pytest.raises(ImportError, match=r"another version of the package freight .+ Ship the package .+python\.files") as refused:
            task_manager.run(wanted)
        assert refused.value.path == str(installed / "freight")
        assert task_manager.run(task_manager.digest(installed)) == "aa"
    shutil.rmtree(installed)
    with pytest.raises(ImportError, match="another version of the package freight"):
        task_manager.run(wanted)


def test_a_package_without_sources_is_taken_as_it_is(task_manager: TaskManager) -> None:
    """There is nothing to compare where only compiled files are installed."""
    folder = task_manager.put("a")
    wanted = task_manager.digest(folder)
    compileall.compile_dir(folder, legacy=True, quiet=2)
    for file in (folder / "freight").glob("*.py"):
        file.unlink()
    assert task_manager.run(wanted) == "aa"


def pickled_by_flink(function: Any) -> bytes:
    """Pickle a function as PyFlink does: it is PyFlink's call that counts."""
    flinks: dict[str, Any] = {"__name__": "pyflink.datastream.data_stream"}
    exec("def pickled(function):\n    import cloudpickle\n    return cloudpickle.dumps(function)\n", flinks)  # noqa: S102
    return bytes(flinks["pickled"](function))


def test_what_is_shipped_is_read_as_what_it_is() -> None:
    """The client sees the functions themselves, and others who pickle meanwhile get what they always got."""
    with shipping.shipped(find_project):
        content, other = pickled_by_flink(find_project), cloudpickle.dumps(find_project)
    assert other == cloudpickle.dumps(find_project) == pickled_by_flink(find_project)
    assert shipping._NAME.encode() in content
    script = f"import pickle, sys; print(pickle.loads({content!r}).__name__, 'jobkit.shipping' in sys.modules)"
    for _ in range(2):
        assert load(content) is find_project
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "find_project False\n", done.stderr


def test_a_program_of_one_file_ships_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its functions are pickled whole; the kit is what it shares with others."""
    monkeypatch.setattr(in_a_thread, "__module__", "__main__")
    with shipping.shipped(in_a_thread):
        content = pickled_by_flink(len)
    strings = {argument for _, argument, _ in pickletools.genops(content) if isinstance(argument, str)}
    assert "jobkit" in strings
    assert "__main__" not in strings


class Runs:
    """Submits versions of jobs to one cluster, and reads what they write."""

    def __init__(self, cluster: FlinkCluster, folder: Path) -> None:
        """Take what is there."""
        self.cluster, self.folder = cluster, folder
        self.signal = folder / "signal"
        self._jobs: list[str] = []

    def source(self, package: str, version: str, folder: Path | None = None) -> Path:
        """Write a version of the job, under the name of a package of its own."""
        target = folder or self.folder / f"{package}-{version}"
        shutil.copytree(PROJECT / "src" / "parcel", target / package, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        for file in (target / package).glob("*.py"):
            file.write_text(re.sub(r'^(VERSION|LATE) = "a"$', rf'\1 = "{version}"', file.read_text(), flags=re.MULTILINE))
        return target

    def submit(self, package: str, version: str, *options: str, count: str = "2", **environment: str) -> str:
        """Submit a version of a job, with its code; return the id."""
        arguments = ["-p", "1", *(options or ["-pyfs", str(self.source(package, version))]), "-pym", package]
        settings = {"JOBKIT_ENV": "local", "PARCEL_COUNT": count, "PARCEL_SIGNAL": str(self.signal)}
        client = self.cluster.submit(arguments, settings | environment)
        job = until(lambda: submission.job_id(client), what=f"{package} {version} is submitted", seconds=SECONDS)
        self._jobs.append(job)
        return job

    def finish(self, job: str) -> str:
        """Wait for the end of a job; return its state, and why it failed."""
        until(lambda: self.cluster.rest.state(job) in ("FINISHED", "FAILED") or None, what="the job ends", seconds=SECONDS)
        return " ".join([self.cluster.rest.state(job), *(failure.root_cause for failure in self.cluster.rest.failures(job))])

    def written(self) -> list[str]:
        """Return what jobs have written so far."""
        texts = [file.read_text() for file in sorted(self.cluster.logs.glob("taskmanager*.out"))]
        return [line for text in texts for line in text.splitlines() if re.fullmatch(r"\w \w \w [\w.] \d+", line)]

    def run(self, package: str, version: str, *options: str, **environment: str) -> list[str]:
        """Run a version of a job; return what it has written."""
        before = len(self.written())
        self.signal.touch()
        assert self.finish(self.submit(package, version, *options, **environment)) == "FINISHED"
        return until(lambda: self.written()[before:][:2] if len(self.written()) >= before + 2 else None, what="it writes", seconds=10)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, flink_lib: Path) -> Iterator[Runs]:
    """A session cluster with one TaskManager of four slots, whose Python runs in threads."""
    folder = tmp_path_factory.mktemp("shipping")
    values = yaml.safe_load((PROJECT / "conf" / "cluster.yaml").read_text())
    places = {name: snapshots.address(folder / name) for name in ("checkpoints", "savepoints")}
    values |= {"execution.checkpointing.dir": places["checkpoints"], "execution.checkpointing.savepoint-dir": places["savepoints"]}
    cluster = FlinkCluster(folder / "run", place=Machine(folder, library=flink_lib, java=java.find()), configuration=values)
    try:
        cluster.start(task_managers=1)
        yield Runs(cluster, folder)
    finally:
        cluster.stop()


def test_each_version_runs_its_own_code(runs: Runs) -> None:
    """One after the other, and the first again: in functions, in what they import, and in the class of the records."""
    for version in ("a", "b", "a", "c"):
        assert runs.run("parcel", version) == [f"{version} {version} {version} . 0", f"{version} {version} {version} {version} 1"]


def test_past_jobkit_the_first_version_runs_again(runs: Runs) -> None:
    """Without the kit's doing, that is what Flink does: when this fails, it is not needed any more."""
    for version in ("a", "b"):
        assert runs.run("stale", version, PARCEL_PAST_JOBKIT="1")[1] == "a a a a 1"
    assert runs.run("stale", "b")[1] == "b b b b 1"


def test_versions_run_side_by_side(runs: Runs) -> None:
    """A job that still runs goes on with its own modules: it imports, pickles and unpickles after a newer version has come."""
    runs.signal.unlink(missing_ok=True)
    before = len(runs.written())
    old = runs.submit("abreast", "a", count="3")
    until(lambda: runs.written()[before:] == ["a a a . 0"] or None, what="the first job has begun", seconds=SECONDS)
    new = runs.submit("abreast", "b", count="3")
    until(lambda: runs.written()[before + 1 :] == ["b b b . 0"] or None, what="the second job has begun", seconds=SECONDS)
    runs.signal.touch()
    assert [runs.finish(job) for job in (old, new)] == ["FINISHED", "FINISHED"]
    assert sorted(runs.written()[before + 2 :]) == ["a a a a 1", "a a a a 2", "b b b b 1", "b b b b 2"]


def test_an_older_version_that_is_installed_is_refused(runs: Runs) -> None:
    """The TaskManager says which package, where it is, and what to do; shipped with the job, the newer one runs."""
    installed = runs.source("depot", "a", runs.folder / "src")
    newer = runs.source("depot", "b")
    paths = [str(newer), *runs.cluster.place.environment(runs.cluster.temporary)["PYTHONPATH"].split(":")]
    assert runs.run("depot", "a", "-D", "pipeline.name=depot")[1] == "a a a a 1"
    state = runs.finish(runs.submit("depot", "b", "-D", "pipeline.name=depot", PYTHONPATH=":".join(paths)))
    assert "The job was submitted with another version of the package depot" in state
    assert f"Found: {installed / 'depot'}. Ship the package with the job (python.files" in state
    assert runs.run("depot", "b")[1] == "b b b b 1"
