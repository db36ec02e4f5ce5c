"""What is generated from the code is up to date, and says something about all of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from jobkit.bench.job import Figures, Vertex
from jobkit.bench.measure import Checkpoints
from jobkit.deployment import failures, views
from jobkit.deployment.instance import Instance, Specification
from jobkit.deployment.rolled_back import RolledBack
from jobkit.doctor import Check
from jobkit.errors import ConfigurationError
from jobkit.findings import Finding
from jobkit.graph import JobGraph, Operator, State
from jobkit.guardrails import RULES, Result
from jobkit.lock import Change, Lock, Revision
from jobkit.rehearsal.copying import Copied
from jobkit.rehearsal.outcome import OperatorRow, Outcome, StateRow, Taken
from jobkit.state.compatibility import Start, without_snapshot
from jobkit.state.fates import Fate
from jobkit.terminal import facts

from tests.conftest import ROOT

REFERENCE = ROOT / "docs" / "reference"


def test_pages_are_up_to_date() -> None:
    """`make docs` would write the same pages again."""
    command = [sys.executable, "scripts/make_docs.py", "--check"]
    check = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout + check.stderr


def test_pictures_are_up_to_date() -> None:
    """`make docs` would draw the same pictures again."""
    command = [sys.executable, "scripts/make_pictures.py", "--check"]
    check = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout + check.stderr


def test_every_rule_has_an_example() -> None:
    """The program that breaks all rules does break all of them."""
    page = (REFERENCE / "guardrails.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE))
    assert set(sections) == {rule.id for rule in RULES}
    assert [name for name, text in sections.items() if "!!! example" not in text or "Write: " not in text] == []


def test_every_variable_of_the_job_is_listed() -> None:
    """A variable that the job reads is on the page of the settings."""
    package = ROOT / "{{cookiecutter.project_slug}}" / "src" / "{{cookiecutter.package_name}}"
    source = "".join((package / name).read_text(encoding="utf-8") for name in ("settings.py", "connection.py"))
    read = set(re.findall(r'environ(?:\.get\(|, )"([A-Z_]+)"', source))
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", (REFERENCE / "settings.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert read
    assert listed == read | {"JOBKIT_ENV"}


def test_json_examples_are_json() -> None:
    """What is shown as JSON can be parsed."""
    page = (REFERENCE / "json.md").read_text(encoding="utf-8")
    assert len([json.loads(text) for text in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]) == 11


def test_json_fields_are_those_of_the_commands() -> None:
    """The examples have the fields that the code writes: none is missing, none is invented."""
    page = (REFERENCE / "json.md").read_text(encoding="utf-8")
    documents = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    wrong, graph, check, lock, compat, instance, failure, rehearsed, bench, config, doctor = documents
    assert wrong["error"].keys() == facts(ConfigurationError("w")).keys()
    state = State("hours", "map", "?")
    operator = Operator("a", "b", "c", "source", 1, 1, None, False, (), None, None, None, 1, (), states=(state,))  # noqa: FBT003
    written = JobGraph("job", [operator], {}, None).to_json()
    assert graph["jobs"][0].keys() == written.keys()
    assert graph["jobs"][0]["operators"][0].keys() == written["operators"][0].keys()
    assert graph["jobs"][0]["operators"][0]["states"][0].keys() == state.to_json().keys()
    assert check["results"][0].keys() == {*Result("r", "pass", "b", "m").to_json(), "job"}
    lock_of_nothing = Lock("2.2", "rocksdb", ())
    revision = Revision(None, lock_of_nothing)
    assert lock.keys() == revision.to_json().keys()
    assert lock["changes"][0].keys() == Change("harmless", "w").to_json().keys()
    compared = without_snapshot(Start(lock_of_nothing, {}))
    assert compat.keys() == compared.to_json().keys()
    assert compat["operators"][0].keys() == asdict(Fate(None, "a", None, "dropped")).keys()
    specification = Specification.from_json({})
    written = views.to_json(Instance("u", "d", 1, datetime.now(timezone.utc), "b", specification))
    assert instance.keys() == written.keys()
    assert instance["specification"].keys() == written["specification"].keys()
    rolled_back = RolledBack({"reason": "r", "way_back": "s", "back": "b"})
    assert failure["error"].keys() == failures.facts(rolled_back).keys()
    row = OperatorRow(Fate(None, "a", None, "dropped"), 0, (StateRow("n", "value"),))
    copied = Copied(Path(), 0, 0, 0, (), 0)
    written = Outcome(compared, copied, False, (row,), {}, {}, 0.0, Taken(0.0, 0), Taken(0.0, 0), (), Path()).to_json()  # noqa: FBT003
    assert rehearsed.keys() == written.keys()
    assert rehearsed["copied"].keys() == written["copied"].keys()
    assert rehearsed["operators"][0].keys() == written["operators"][0].keys()
    assert rehearsed["operators"][0]["states"][0].keys() == written["operators"][0]["states"][0].keys()
    vertex = Vertex("a", 0.5, 0.5)
    measured = Figures(1, True, False, 1.0, 1.0, 1.0, 1.0, 2, 2, Checkpoints(0, (), (), 0), [vertex], [])  # noqa: FBT003
    assert bench.keys() == measured.to_json().keys()
    assert bench["checkpoints"].keys() == measured.to_json()["checkpoints"].keys()
    assert bench["vertices"][0].keys() == measured.to_json()["vertices"][0].keys()
    assert config["findings"][0].keys() == Finding("k", "conflict", "m", "r", "o").to_json().keys()
    assert doctor["checks"][0].keys() == Check("n", "ok", "f").to_json().keys()
