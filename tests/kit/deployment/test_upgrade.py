"""The life of a job on a real session cluster: what runs, what it has written, what the ledger says."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from jobkit.cluster.waiting import until

from .metrics import Gateway, gateway
from .stage import BASE, FUNCTIONS, OPEN, PIPELINE, SECONDS, Deployment, Stage, another_address, numbered, stage

UPDATE = "        self._count.update(count)"
times = pytest.mark.parametrize("time", range(1, int(os.environ.get("TIMES", "1")) + 1))
"""Again and again, on the same job: `make upgrades COUNT=10`."""


def is_client(process: psutil.Process) -> bool:
    """Say whether a process is Flink's client."""
    try:
        return any("CliFrontend" in argument for argument in process.cmdline())
    except psutil.Error:
        return False  # it has just ended


@pytest.fixture(scope="module")
def sent() -> Iterator[Gateway]:
    """The metrics that the cluster has sent."""
    with gateway() as opened:
        yield opened


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory, sent: Gateway) -> Iterator[Stage]:
    """A session cluster and a broker."""
    with stage(tmp_path_factory.mktemp("session"), more=sent.configuration) as prepared:
        yield prepared


@pytest.fixture(scope="module")
def deployed(theatre: Stage) -> Deployment:
    """A job that runs, and has numbered its first words."""
    deployment = theatre.deployment()
    deployment.send(["a", "b", "a"])
    deployment.ok("deploy", "--without-state")
    deployment.expect_all()
    return deployment


@pytest.fixture
def job(deployed: Deployment) -> Iterator[Deployment]:
    """The job that runs; its files are put back after a test, and one job must run."""
    with deployed.unchanged():
        yield deployed
    assert len(deployed.running()) == 1


def test_the_life_of_a_job(theatre: Stage) -> None:
    """Deploy, upgrade, roll back, savepoint, stop: each record once, by the version that ran, and each start an instance."""
    job = theatre.deployment()
    refused = job.jobkit("deploy")
    assert refused.returncode == 2
    assert "--without-state" in refused.stderr
    job.send(["a", "b", "a"])
    first = job.ok("deploy", "--without-state")["uid"]
    job.expect_all()
    assert job.jobkit("deploy", "--without-state").returncode == 2, "one runs already"

    job.version("two")
    second = job.ok("upgrade")
    assert second["previous"] == first
    assert job.state(first) == "FINISHED"
    job.send(["a", "c"])
    assert {(word, version) for word, _, version in job.expect_all()} >= {("a", "two"), ("c", "two")}, "the new code runs"
    assert job.ok("upgrade")["uid"] == second["uid"], "the same version is not started again"

    third = job.ok("rollback")["uid"]
    job.send(["c", "d"])
    assert ["d", "1", "one"] in job.expect_all(), "the old code runs"
    taken = job.ok("savepoint")["savepoint"].removeprefix("file:")
    assert Path(f"{taken}.lock").read_text() == (job.root / "flink.lock").read_text()
    assert job.running() == [third]
    job.ok("savepoint", "--dispose", taken)
    assert not list(Path(taken).parent.iterdir())

    before, start = Counter(map(tuple, job.read())), job.instances()[-1]["savepoint"]
    fourth = job.ok("rollback", "--to", second["uid"][:8], "--from", start)
    assert fourth["snapshot"] == start
    until(lambda: len(job.read()) >= len(job.sent) + 4 or None, what="all since then is written again", seconds=SECONDS)
    again = Counter(map(tuple, job.read())) - before  # partition by partition, not in the order of time
    assert again == Counter([("a", "3", "two"), ("c", "1", "two"), ("c", "2", "two"), ("d", "1", "two")])

    left = job.ok("stop")["savepoint"]
    assert job.running() == []
    assert job.jobkit("status").returncode == 2
    found = [instance for instance in job.instances() if instance["status"] != "ABANDONED"]
    assert [instance["uid"] for instance in found] == [fourth["uid"], third, second["uid"], first]
    assert {instance["status"] for instance in found} == {"STOPPED"}
    assert found[0]["savepoint"] == left
    assert found[2]["specification"]["settings"]["ORDINALS_TOKEN"] == "******"
    assert "s3cret" not in json.dumps(found)

    job.replace(FUNCTIONS, "Types.LONG()", "Types.DOUBLE()")
    job.lock("--drop", "*", "--reason", "begins anew")
    told = " ".join(job.started_by_flinks_client(left).split())
    assert f"It would start from {left}, and lose state" in told, "although the project's lock is the job's"
    assert "was Long, and is Double" in told
    assert job.running() == []


def test_an_instance_is_found_by_its_uid(job: Deployment, sent: Gateway) -> None:
    """In the configuration of its job, in the log lines and the metrics of every process, and in what two instances differ in."""
    first = job.running()[0]
    assert job.stage.cluster.rest._get(f"/jobs/{first}/config")["jid"] == first
    lines = job.jobkit("instances", "logs", first[:8]).stdout.splitlines()
    assert {"jobmanager", "taskmanager-1"} <= {line.partition("/")[0] for line in lines}
    assert any(f"[{first}]" in line and "switched from" in line for line in lines)
    label = f'job_id="{first}"'
    until(lambda: sum(label in text for text in sent.texts.values()) > 1 or None, what="both send metrics of it", seconds=SECONDS)
    job.replace(BASE, "min-pause: 100 ms", "min-pause: 110 ms")
    second = job.ok("upgrade", ORDINALS_TOKEN="another")["uid"]
    found = {entry["path"]: (entry["first"], entry["second"]) for entry in job.ok("instances", "diff", first, second)["differences"]}
    assert set(found) == {"artefact", "configuration.execution.checkpointing.min-pause"}, "secrets are not compared"
    assert found["configuration.execution.checkpointing.min-pause"] == ("100 ms", "110 ms")
    assert all(second not in line for line in lines)
    shown = job.jobkit("instances", "show", second[:6]).stdout
    assert "110 ms" in shown
    assert "another" not in shown


NOISE = """
        print("printed", value)
        logging.getLogger(__name__).warning("logged é %s", value)
        try:
            raise KeyError(value)
        except KeyError:
            logging.getLogger(__name__).exception("caught")"""


def test_what_python_writes_in_process_mode_is_found(theatre: Stage) -> None:
    """By the folder that the code was shipped as; what is printed has no mark, and comes when it is asked for."""
    job = theatre.deployment()
    job.replace(BASE, "python.execution-mode: thread", "python.execution-mode: process")
    job.replace(FUNCTIONS, UPDATE, UPDATE + NOISE)
    job.replace(FUNCTIONS, "from collections.abc", "import logging\nfrom collections.abc")
    (job.root / "flink.lock").unlink()
    job.lock()
    job.send(["a"])
    uid = job.ok("deploy", "--without-state")["uid"]
    job.expect_all()
    texts = [line["text"] for line in job.ok("instances", "logs", uid)["lines"]]
    assert any("functions.py:" in text and " - logged é a" in text for text in texts)
    assert any(text.startswith("KeyError: 'a'") for text in texts), "the traceback belongs to the line that it follows"
    assert not any("printed a" in text for text in texts)
    assert any("printed a" in line["text"] for line in job.ok("instances", "logs", uid, "--unnamed")["lines"])
    native = job.ok("savepoint", "--native", "--within", "60")["savepoint"]
    job.ok("stop", "--native")
    nothing = job.jobkit("upgrade")
    assert nothing.returncode == 2
    assert f"jobkit deploy --from {job.instances()[0]['savepoint']}" in nothing.stderr
    job.ok("savepoint", "--dispose", native)
    assert not Path(native.removeprefix("file:")).exists(), "through the cluster that it ran on"


BROKEN = {
    "raises in open": (OPEN, "        raise LookupError('not today')\n" + OPEN, "not today"),
    "finds another state": (
        "        count = (self._count.value() or 0) + 1",
        "        count = len(self._count.value() or '') + 1",
        "object of type 'int' has no len()",
    ),
}


@times
@pytest.mark.parametrize("kind", BROKEN)
def test_a_version_that_fails_gives_way_to_the_old_one(job: Deployment, kind: str, time: int) -> None:  # noqa: ARG001
    """The old version runs again from the savepoint that it was stopped with, and each record is there once."""
    old, new, reason = BROKEN[kind]
    before = job.instances()[0]
    job.replace(FUNCTIONS, old, new)
    job.version("broken")
    error = job.taken_back(["a", "b", "c"])
    assert reason in error["root_cause"]
    assert "functions.py" in error["python_traceback"]
    assert error["committed"] == {}, "an exactly-once sink commits with a checkpoint"
    back, broken, first = job.instances()[:3]
    assert first["uid"] == before["uid"]
    assert [back["status"], broken["status"], first["status"]] == ["RUNNING", "FAILED", "STOPPED"]
    assert back["specification"] == first["specification"]
    assert job.running() == [back["uid"]] == [error["instance"]]
    assert back["snapshot"] == first["savepoint"] == error["savepoint"]
    assert Path(error["savepoint"].removeprefix("file:"), "_metadata").exists()
    job.send(["c"])
    assert "broken" not in {version for *_, version in job.expect_all()}


@times
def test_a_version_that_never_checkpoints_gives_way_to_the_old_one(job: Deployment, time: int) -> None:  # noqa: ARG001
    """It runs, and each of its checkpoints fails, until the time that it has is over."""
    before = job.instances()[0]
    job.replace(BASE, "execution.checkpointing.timeout: 1 min", "execution.checkpointing.timeout: 10 ms")
    job.replace(BASE, "tolerable-failed-checkpoints: 3", "tolerable-failed-checkpoints: 1000")
    error = job.taken_back(["c"], "--within", "10")
    assert "The job has no completed checkpoint after 10 s" in error["found"]
    assert "expired" in error["root_cause"]
    assert error["committed"] == {}
    back, broken, first = job.instances()[:3]
    assert [back["status"], broken["status"], first["status"]] == ["RUNNING", "FAILED", "STOPPED"]
    assert first["uid"] == before["uid"]
    assert back["snapshot"] == first["savepoint"] == error["savepoint"]
    job.send(["c"])
    job.expect_all()


def test_an_old_version_that_the_cluster_does_not_take_at_once(job: Deployment) -> None:
    """Its client is killed, as by the kernel for want of memory: the old version is started once more."""
    job.replace(FUNCTIONS, OPEN, "        raise LookupError('not today')\n" + OPEN)
    command = job.begin("upgrade")
    with job.ledger() as ledger:

        def client() -> psutil.Process | None:
            assert command.poll() is None, f"it ended before: {job.log.read_text()}"
            operation = ledger.unfinished("ordinals/test")
            if operation is None or "back" not in operation.details:
                return None
            return next((process for process in psutil.Process(command.pid).children(recursive=True) if is_client(process)), None)

        until(client, what="the old version is being started", seconds=SECONDS, interval=0.05).kill()
    assert job.finish(command) == 1, job.log.read_text()
    said = job.log.read_text()
    assert "the cluster has not taken the old version; once more" in said
    assert "the old one runs again" in said
    assert [instance["status"] for instance in job.instances()[:2]] == ["RUNNING", "FAILED"]
    job.send(["b"])
    job.expect_all()


def test_what_a_failed_version_had_committed_is_counted(theatre: Stage) -> None:
    """A sink that is at least once shows what it writes before any checkpoint: the report says which records, and how many."""
    job = theatre.deployment()
    job.send(["a", "b"])
    job.ok("deploy", "--without-state")
    job.version("broken")
    job.replace(PIPELINE, "GUARANTEE = DeliveryGuarantee.EXACTLY_ONCE", "GUARANTEE = DeliveryGuarantee.AT_LEAST_ONCE")
    job.replace(FUNCTIONS, UPDATE, UPDATE + "\n        if value == 'poison':\n            raise LookupError('a poisonous word')")
    job.replace(BASE, "execution.checkpointing.interval: 2 s", "execution.checkpointing.interval: 1 h")
    committed = job.taken_back([*["c", "d"] * 20, "poison"])["committed"][job.counts]
    require_counted(job, {number: (entry["from"], entry["to"], entry["records"]) for number, entry in committed.items()})
    count = sum(entry["records"] for entry in committed.values())
    until(lambda: len(job.read()) >= len(job.sent) + count or None, what="all is written again", seconds=SECONDS, interval=0.5)
    found = job.read()
    assert count == len([record for record in found if record[2] == "broken"]) > 0
    kept = sorted((word, int(number)) for word, number, version in found if version == "one")
    assert kept == sorted(numbered(job.sent).elements())
    job.ok("stop")


def require_counted(job: Deployment, reported: dict[str, tuple[int, int, int]]) -> None:
    """Compare a report, of first offset, the one after the last, and records by partition, with the topic, read committed."""
    written = {number: offsets for number, offsets in job.offsets("broken").items() if offsets}
    assert {number: len(offsets) for number, offsets in written.items()} == {number: count for number, (*_, count) in reported.items()}
    for number, (first, end, _) in reported.items():
        assert first <= min(written[number])
        assert max(written[number]) < end
        assert not [offset for offset in job.offsets("one")[number] if first <= offset < end], "none of the old version's is among them"


def test_what_an_exactly_once_version_has_committed_with_a_checkpoint_is_counted(theatre: Stage, tmp_path: Path) -> None:
    """It fails between a checkpoint, which commits, and the one that would prove it; the table says what the topic says."""
    job = theatre.deployment()
    job.send(["a", "b"])
    job.ok("deploy", "--without-state")
    fails = tmp_path / "fails"
    job.version("broken")
    guard = f"\n        if pathlib.Path({str(fails)!r}).exists():\n            raise LookupError('not any more')"
    job.replace(FUNCTIONS, UPDATE, UPDATE + guard)
    job.replace(FUNCTIONS, "from collections.abc import Iterator", "import pathlib\nfrom collections.abc import Iterator")
    job.replace(BASE, "execution.checkpointing.interval: 2 s", "execution.checkpointing.interval: 500 ms")
    command = job.begin("upgrade")
    with job.ledger() as ledger:

        def stopped() -> bool | None:
            operation = ledger.unfinished("ordinals/test")
            return (operation is not None and "stopped" in operation.details) or (command.poll() is not None) or None

        until(stopped, what="the old version is stopped", seconds=SECONDS, interval=0.05)
    job.send(["c", "d"] * 20)
    until(lambda: any(job.offsets("broken").values()) or None, what="the new version commits", seconds=SECONDS, interval=0.1)
    fails.touch()
    job.send(["a", "b", "c", "d"])
    assert job.finish(command) == 1, job.log.read_text()
    said = job.log.read_text()
    assert "the old one runs again" in said
    assert "and the old one writes them again" in said
    rows = re.findall(rf"{job.counts}\s+(\d+)\s+(\d+) to (\d+)\s+([\d,]+)", said)
    require_counted(job, {number: (int(first), int(last) + 1, int(count)) for number, first, last, count in rows})
    written = sum(map(len, job.offsets("broken").values()))
    assert written >= 40
    until(lambda: len(job.read()) >= len(job.sent) + written or None, what="all is written again", seconds=SECONDS, interval=0.5)
    kept = Counter((word, int(number)) for word, number, version in job.read() if version != "broken")
    assert kept == numbered(job.sent)
    job.ok("stop")


def test_a_version_that_would_lose_state_does_not_stop_the_old_one(job: Deployment) -> None:
    """Guardrails, lock and snapshot are asked first: the old version has not even been stopped."""
    running = job.running()
    job.replace(FUNCTIONS, 'ValueStateDescriptor("count", Types.LONG())', 'ValueStateDescriptor("count", Types.STRING())')
    refused = job.jobkit("upgrade", "--json")
    assert refused.returncode == 1
    results = json.loads(refused.stdout)["error"]["details"]["results"]
    assert {result["rule"] for result in results} == {"flink-lock"}
    job.replace(PIPELINE, '.uid("number")', '.uid("numbers")')
    (job.root / "flink.lock").unlink()
    job.lock()
    refused = job.jobkit("upgrade", "--json")
    assert refused.returncode == 1
    error = json.loads(refused.stdout)["error"]
    assert "number dropped" in error["found"]
    assert error["details"]["compatible"] is False
    assert job.running() == running
    newest = job.instances()[0]
    assert newest["status"] == "ABANDONED"


def test_a_job_manager_that_forgets_its_jobs_during_an_upgrade(job: Deployment) -> None:
    """Without high availability another JobManager knows nothing: the old version is started from its savepoint."""
    job.version("forgotten")
    command, uid = job.begin_upgrade()
    job.stage.replace_job_manager()
    assert job.finish(command) == 1, job.log.read_text()
    assert "the old one runs again" in job.log.read_text()
    back, forgotten = job.instances()[:2]
    assert (forgotten["uid"], forgotten["status"]) == (uid, "FAILED")
    assert job.running() == [back["uid"]]
    job.send(["a", "c"])
    assert "forgotten" not in {version for *_, version in job.expect_all()}


def test_a_cluster_that_has_another_address_and_one_that_is_gone(theatre: Stage, tmp_path: Path) -> None:
    """What runs at another address is found there; what is written off is deployed anew, also an earlier version."""
    job, url = theatre.deployment(), theatre.cluster.rest.url
    job.send(["a", "b"])
    with another_address(tmp_path, url) as other:
        first = job.ok("deploy", "--without-state", "--url", other)["uid"]
        job.expect_all()
    refused = job.jobkit("stop")
    assert refused.returncode == 2
    assert "does not answer" in refused.stderr
    refused = job.jobkit("deploy", "--without-state", "--lost")
    assert refused.returncode == 2
    assert f"jobkit instances move {url}" in refused.stderr
    assert job.jobkit("instances", "move", "http://127.0.0.1:9").returncode == 2
    assert job.ok("instances", "move", url)["uid"] == first
    assert job.ok("status")["state"] == "RUNNING"

    with another_address(tmp_path, url) as other:
        job.ok("instances", "move", other)
        left = job.ok("savepoint")["savepoint"]
    theatre.cluster.rest.cancel(first)
    until(lambda: not job.running() or None, what="the job has ended", seconds=SECONDS)
    job.version("two")
    refused = job.jobkit("deploy", "--lost", "--version", first[:8], "--from", left, "--url", url)
    assert refused.returncode == 1
    assert "newer state than that snapshot, which would be left behind." in refused.stderr
    newer = re.search(r"--from (\S+)\. To go back", refused.stderr)
    assert newer is not None
    assert f"{job.root.parent}/checkpoints/{first}/chk-" in newer[1]
    again = job.ok("deploy", "--discard-state", "--version", first[:8], "--from", left, "--url", url)
    assert again["specification"]["url"] == url
    job.send(["b", "c"])
    assert {version for *_, version in job.expect_all()} == {"one"}
    assert {instance["uid"]: instance["ending"] for instance in job.instances()}[first] == "written off: no cluster knows of it"
    job.ok("stop")


def test_a_job_that_does_not_run_is_not_upgraded(job: Deployment) -> None:
    """The message names the snapshot to deploy from, and that works."""
    uid = job.running()[0]
    job.stage.cluster.rest.cancel(uid)
    refused = job.jobkit("upgrade")
    assert refused.returncode == 1
    assert "CANCELED" in refused.stderr
    snapshot = refused.stderr.rpartition("--from ")[2].split()[0].rstrip(".")
    assert f"{uid}/chk-" in snapshot
    job.ok("deploy", "--from", snapshot)
    job.send(["b"])
    job.expect_all()
    assert {instance["uid"]: instance["ending"] for instance in job.instances()}[uid] == "found CANCELED at the next deploy"
