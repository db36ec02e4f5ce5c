"""Which version starts, from what, and what the ledger says of it: the cluster and the process that examines a version are stand-ins."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from jobkit.cluster.display import Display
from jobkit.deployment import deployed, first_start, installed, preparation, replacement, savepoints, version
from jobkit.deployment.deployed import DeployedJob
from jobkit.deployment.examiner import Refused
from jobkit.deployment.instance import FAILED, RUNNING, STARTING, STOPPED, Instance, Operation, difference
from jobkit.deployment.ledger import Ledger, LedgerError
from jobkit.deployment.preparation import Place
from jobkit.errors import ClusterError, ConfigurationError
from jobkit.project import find_project
from rich.console import Console

from tests.kit import projects

from .told import Told

INSTALLED: dict[str, Any] = {"flink": "2.2.1", "python": "3.11.7", "kit": "0.1.0", "packages": {"apache-flink": "2.2.1"}}


class Storage:
    """What snapshots there are, with the time at which each was completed."""

    times: dict[str, int]

    def __init__(self) -> None:
        self.times = {}


class Examiner:
    """Says of each version what this environment has; looks for snapshots in a `Storage`."""

    storage: Storage
    installed: dict[str, Any]
    asked: ClassVar[list[str]] = []

    def __init__(self, unpacked: Path, environment: str, variables: Any, extra: Any) -> None:
        del unpacked, environment, variables
        self.description = {
            "name": "tiny",
            "configuration": {**extra, **FOLDERS},
            "defaults": {},
            "settings": {},
            "lock": "",
            **self.installed,
        }

    def close(self) -> None:
        """Nothing is to be ended."""

    def require_fit(self) -> None:
        """It is."""

    def require_compatible(self, snapshot: str) -> dict[str, Any]:
        """It is."""
        return {"snapshot": snapshot, "leaves_state_behind": False}

    def ends(self) -> dict[str, Any]:
        """Kafka is not there."""
        self.asked.append("ends")
        raise ClusterError("Kafka does not answer.")

    def savepoints(self, folder: str) -> list[str]:
        """Return those in a folder."""
        found = [each for each in self.storage.times if each.rpartition("/")[0] == folder]
        return sorted(found, key=lambda each: self.storage.times[each])

    def times(self, snapshots: list[str]) -> dict[str, int]:
        """Return when they were completed."""
        return {each: self.storage.times[each] for each in snapshots if each in self.storage.times}


FOLDERS = {"execution.checkpointing.dir": "file:/c", "execution.checkpointing.savepoint-dir": "file:/s"}


class Target:
    """A session cluster of which the job runs unless it is said to be gone."""

    gone: bool = False
    configuration: ClassVar[dict[str, str]] = {}
    slots = 8
    own_slots = 0

    def __init__(self) -> None:
        self.rest = SimpleNamespace(
            names=dict,
            url="http://localhost:8081",
            job_manager_configuration=lambda: self.configuration,
            overview=lambda: {"slots-available": self.slots},
            slots=lambda _: self.own_slots,
        )

    def state(self, uid: str) -> str | None:
        """Return the state of the job."""
        del uid
        return None if self.gone else "RUNNING"

    def end(self, uid: str) -> None:
        """Nothing is to be ended."""

    def runs_from_folder(self, uid: str) -> bool:
        """Nothing does."""
        del uid
        return False


class Job(DeployedJob):
    """A job whose operations end at once, with what was to run."""

    def __init__(self, root: Path, ledger: Ledger) -> None:
        self.told, self.root, self.book = Told(), root, ledger
        super().__init__(find_project(root), "prod", ledger, self.told)

    def configure(self, **values: str) -> None:
        """Write conf/prod.yaml anew."""
        (self.root / "conf" / "prod.yaml").write_text("".join(f"{key.replace('_', '.')}: {value}\n" for key, value in values.items()))

    def ended(self, uid: str, status: str, savepoint: str | None = None) -> None:
        """Let an instance be over."""
        self.book.change(uid, status=status, savepoint=savepoint)


def completed(change: Any, operation: Any, new: version.Version) -> Instance:
    """Let the new version run, as `first_start.carry_out` does."""
    change.change(new.uid, status=STARTING, snapshot=operation.details.get("snapshot"))
    change.finish(operation, "completed")
    instance: Instance = change.change(new.uid, status=RUNNING)
    return instance


class Replacement:
    """Replaces the old version at once."""

    def __init__(self, change: Any, operation: Any, versions: tuple[version.Version, version.Version]) -> None:
        self._change, self._operation, self._versions = change, operation, versions

    def carry_out(self) -> Instance:
        """End the one, and let the other run."""
        old, new = self._versions
        self._change.end(old.uid, STOPPED, "stopped with a savepoint", savepoint=f"file:/s/{old.uid}/savepoint-1")
        return completed(self._change, self._operation, new)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    """A job of which nothing runs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(Examiner, "storage", Storage(), raising=False)
    monkeypatch.setattr(Examiner, "installed", dict(INSTALLED), raising=False)
    monkeypatch.setattr(version, "Examiner", Examiner)
    monkeypatch.setattr(version, "target_of", lambda _: Target())
    monkeypatch.setattr(version.Version, "require_startable", lambda _: None)
    monkeypatch.setattr(first_start, "carry_out", completed)
    monkeypatch.setattr(deployed, "Replacement", Replacement)
    monkeypatch.setattr(preparation, "compared", lambda *_: {"snapshot": "file:/c/chk-1", "leaves_state_behind": False})
    monkeypatch.setattr(preparation, "savepoints_folder", lambda _: "file:/s")
    ledger = Ledger.open(str(tmp_path / "ledger.sqlite"))
    made = Job(projects.tiny(tmp_path / "tiny").root, ledger)
    made.configure(**{"parallelism.default": "2"})
    yield made
    ledger.close()


def parallelism(instance: Instance) -> tuple[int, str]:
    """Return the parallelism that an instance is given, and that of its configuration."""
    what = instance.specification
    return int(what.arguments["parallelism"]), what.configuration["parallelism.default"]


def test_an_upgrade_takes_the_parallelism_of_the_new_configuration(job: Job) -> None:
    """What was given at a deploy does not outlast a change of conf/; -p goes before it, and no key keeps what there was."""
    assert parallelism(job.deploy(Place(parallelism=4), None, 1)) == (4, "4")
    job.configure(**{"parallelism.default": "3"})
    assert parallelism(job.upgrade(1)) == (3, "3")
    assert "the parallelism goes from 4 to 3, that of its configuration; -p sets another one" in job.told.said
    assert parallelism(job.upgrade(1, 5)) == (5, "5")
    job.configure(**{"pipeline.max-parallelism": "128"})
    assert parallelism(job.upgrade(1)) == (5, "5")


def test_a_rollback_keeps_the_parallelism_of_the_earlier_version(job: Job) -> None:
    """It says so; -p sets another one."""
    job.deploy(Place(), None, 1)
    job.configure(**{"parallelism.default": "3"})
    job.upgrade(1)
    assert parallelism(job.rollback(1)) == (2, "2")
    assert "the parallelism goes from 3 to 2, that of the earlier version; -p sets another one" in job.told.said
    assert parallelism(job.rollback(1, parallelism=6)) == (6, "6")


def test_a_version_that_runs_already_is_no_instance(job: Job, tmp_path: Path) -> None:
    """It would push out what has run; nothing of it is left on this machine either."""
    first = job.deploy(Place(), None, 1)
    assert job.upgrade(1) == first
    assert job.book.instances() == [first]
    assert [folder.name for folder in (tmp_path / "state" / "jobkit" / "instances").iterdir()] == [first.uid]
    assert job.upgrade(1, again=True).number == 2


def test_a_rollback_is_recorded_as_what_ran(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries do not come back with a version: the instance has those of now, and a diff shows them."""
    first = job.deploy(Place(), None, 1)
    job.configure(**{"parallelism.default": "3"})
    job.upgrade(1)
    monkeypatch.setattr(Examiner, "installed", {**INSTALLED, "kit": "0.2.0", "packages": {"apache-flink": "2.2.2"}})
    back = job.rollback(1)
    found = {entry.path: (entry.one, entry.other) for entry in difference(first.specification, back.specification)}
    assert found == {"kit": ("0.1.0", "0.2.0"), "packages.apache-flink": ("2.2.1", "2.2.2")}


def test_what_is_installed_is_found() -> None:
    """Flink, Python, the kit and all packages."""
    found = installed.versions()
    assert found["packages"]["apache-flink"].startswith(found["flink"])
    assert found["kit"]


def test_a_start_without_state_names_the_savepoint_that_there_is(job: Job) -> None:
    """Unless it is said that the state is given up; nothing is refused when it was removed, or nothing was left."""
    first = job.deploy(Place(), None, 1)
    savepoint = f"file:/s/{first.uid}/savepoint-1"
    job.ended(first.uid, STOPPED, savepoint)
    Examiner.storage.times[savepoint] = 7
    with pytest.raises(ConfigurationError, match=f"Nothing of .* runs.*--from {savepoint}"):
        job.savepoint()
    with pytest.raises(Refused, match=f"jobkit deploy --from {savepoint}.*--discard-state") as refused:
        job.deploy(Place(), None, 1)
    assert refused.value.exit_code == 1
    second = job.deploy(Place(), None, 1, discard_state=True)
    job.ended(second.uid, FAILED)
    Examiner.storage.times.clear()
    assert job.deploy(Place(), None, 1).status == RUNNING


def test_a_start_from_an_older_snapshot_names_the_newer_one(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a job that has failed, its last checkpoint; that one, and what is newer than it, are fine."""
    first = job.deploy(Place(), None, 1)
    older, newer, newest = (f"file:/c/{first.uid}/chk-{number}" for number in (1, 2, 3))
    Examiner.storage.times |= {older: 1, newer: 2}
    monkeypatch.setattr(Target, "gone", True)
    with pytest.raises(Refused, match=f"newer state.*jobkit deploy --from {newer}.*--discard-state"):
        job.deploy(Place(), older, 1)
    again = job.deploy(Place(), newer.replace("file:/", "file:///"), 1)
    job.ended(again.uid, FAILED)
    Examiner.storage.times[newest] = 3
    assert job.deploy(Place(), newest, 1).snapshot == newest
    job.ended(job.book.instances()[0].uid, FAILED)
    assert job.deploy(Place(), older, 1, discard_state=True).snapshot == older


def test_how_many_are_kept_is_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes before the hundred, and must be a number."""
    monkeypatch.setenv("JOBKIT_LEDGER_KEPT", "7")
    ledger = Ledger.open(str(tmp_path / "ledger"))
    ledger.close()
    assert ledger._kept == 7
    for wrong in ("many", "0"):
        monkeypatch.setenv("JOBKIT_LEDGER_KEPT", wrong)
        with pytest.raises(LedgerError):
            Ledger.open(str(tmp_path / "ledger"))


def test_versions_are_told_apart_by_what_a_rollback_brings_back(job: Job) -> None:
    """Not by where they run, nor by what is installed."""
    what = job.deploy(Place(), None, 1).specification
    assert what.is_version_of(replace(what, url="http://elsewhere:1", packages={}, flink="3", commit="other"))
    assert not what.is_version_of(replace(what, artefact="other"))
    assert not what.is_version_of(replace(what, settings={"TOPIC": "other"}))


def test_a_cluster_without_room_is_found_before_anything_is_stopped(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slots of the version that runs become free; a cluster that grows by itself is not judged."""
    monkeypatch.setattr(Target, "slots", 2)
    with pytest.raises(Refused, match=r"not enough slots.*parallelism 3, 2 slots\."):
        job.deploy(Place(parallelism=3), None, 1)
    job.deploy(Place(), None, 1)
    monkeypatch.setattr(Target, "slots", 1)
    monkeypatch.setattr(Target, "own_slots", 2)
    with pytest.raises(Refused, match="parallelism 4, 3 slots with those of the version that runs"):
        job.upgrade(1, 4)
    assert job.upgrade(1, 3).status == RUNNING
    for configuration in ({"kubernetes.cluster-id": "flink"}, {"jobmanager.scheduler": "Adaptive"}):
        monkeypatch.setattr(Target, "configuration", configuration)
        assert job.upgrade(1, 9, again=True).status == RUNNING


def test_kafka_is_asked_before_the_old_version_is_stopped(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is out of reach nobody waits for it later, and it is said."""
    job.deploy(Place(), None, 1)
    found: dict[str, Any] = {}
    real = Replacement.carry_out

    def carry_out(self: Replacement) -> Instance:
        found.update(self._operation.details)
        return real(self)

    monkeypatch.setattr(Replacement, "carry_out", carry_out)
    job.upgrade(1, 3, native=True)
    assert found["countable"] is False
    assert found["native"] is True
    assert "what the new version commits cannot be counted: Kafka does not answer." in job.told.said


def test_the_old_version_comes_back_with_what_is_installed_now(job: Job) -> None:
    """After an upgrade that has failed, too: months may lie between its first start and that."""
    first = job.deploy(Place(), None, 1)
    made: Any = object.__new__(replacement.Replacement)
    made._old, made._new = SimpleNamespace(instance=first), SimpleNamespace(uid="f" * 32)
    made._operation = SimpleNamespace(details={"back": "e" * 32, "way_back": "file:/s/1", "countable": False}, by="ann@host")
    made._change = SimpleNamespace(add=lambda instance: instance)
    assert made._added().specification == replace(first.specification, **installed.versions())
    assert made._ends() is None, "Kafka was out of reach before, and is not asked again"


def test_what_goes_on_is_shown_for_as_long_as_it_does(job: Job) -> None:
    """Also when it fails."""
    job.deploy(Place(), None, 1)
    assert job.told.shown == [("building the version", 0, 0), ("building the version", 1, 1)]
    written = io.StringIO()
    with Display(Console(file=written)) as display:
        display.progress("building the version", 0, 0)
        display.progress("building the version", 1, 1)
    assert "building" not in written.getvalue(), "nothing that was reached"


def test_a_savepoint_that_was_interrupted_holds_nobody_up(job: Job) -> None:
    """Flink goes on with it; the next `jobkit savepoint` waits for it, any other command goes its way."""
    first = job.deploy(Place(), None, 1)
    operation = Operation("d" * 32, job.name, savepoints.KIND, "PREPARED", {"old": first.uid}, first.created, "ann@host")
    with job.book.lease(job.name, "savepoint") as lease:
        job.book.begin(operation, lease)
    assert job.upgrade(1) == first
    assert {each.uid: each.outcome for each in job.book.operations()}[operation.uid] == savepoints.UNDER_WAY
