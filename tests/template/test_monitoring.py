"""The alerts and the dashboard ask for what Flink's Prometheus reporter serves, and for operators that the job has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import BakedProject

Bake = Callable[..., BakedProject]

SEEN = {line for line in Path(__file__).with_name("flink_metrics.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")}
MINUTE = 60 * 1000


@pytest.fixture
def project(bake: Bake) -> BakedProject:
    """Return a project whose name has characters that the reporter replaces in labels."""
    return bake(project_name="Wait Times", project_slug="wait-times-2")


def read(project: BakedProject, path: str) -> Any:
    """Return the parsed content of a YAML file."""
    return yaml.safe_load((project.path / path).read_text(encoding="utf-8"))


def alerts(project: BakedProject) -> list[dict[str, Any]]:
    """Return all alerts."""
    return [rule for group in read(project, "monitoring/alerts.yaml")["groups"] for rule in group["rules"]]


def dashboard(project: BakedProject) -> dict[str, Any]:
    """Return the Grafana dashboard."""
    content: dict[str, Any] = json.loads((project.path / "monitoring/grafana-dashboard.json").read_text(encoding="utf-8"))
    return content


def expressions(project: BakedProject) -> list[str]:
    """Return every expression that Prometheus is asked, of alerts and dashboard."""
    board = dashboard(project)
    panels = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    variables = [variable["query"]["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    return [alert["expr"] for alert in alerts(project)] + panels + variables


def test_every_metric_was_seen_on_a_cluster(project: BakedProject) -> None:
    """No expression waits for a name that Flink does not serve: it would be silent for ever."""
    for expression in expressions(project):
        names = set(re.findall(r"\bflink_\w+", expression))
        assert names, expression
        assert names <= SEEN, f"{names - SEEN} in {expression}"


def test_list_of_metrics_holds_what_is_used(project: BakedProject) -> None:
    """The list stays as small as what relies on it."""
    assert {name for expression in expressions(project) for name in re.findall(r"\bflink_\w+", expression)} == SEEN


def test_every_operator_is_one_of_the_job(project: BakedProject) -> None:
    """An operator in an expression has a name that the pipeline gives, as the reporter writes it."""
    pipeline = (project.path / "src/wait_times_2/pipeline.py").read_text(encoding="utf-8")
    given = set(re.findall(r'\.name\("([^"]+)"\)', pipeline))
    source = re.search(r'from_source\(.*, "([^"]+)"\)', pipeline)
    assert source is not None
    served = {re.sub(r"[^A-Za-z0-9:]", "_", f"{name}: Writer") for name in given} | {f"Source:_{source[1]}"}
    asked = {name for expression in expressions(project) for name in re.findall(r'operator_name="([^"]+)"', expression)}
    assert len(asked) > 3
    assert asked <= served


def test_alerts_are_about_this_job(project: BakedProject) -> None:
    """Each alert names the job, as the reporter writes its name; the dashboard begins with it."""
    for alert in alerts(project):
        assert set(re.findall(r'job_name="([^"]*)"', alert["expr"])) == {"wait_times_2"}, alert["alert"]
    (job,) = [variable for variable in dashboard(project)["templating"]["list"] if variable["name"] == "job"]
    assert job["current"]["value"] == "wait_times_2"


def test_every_alert_says_what_to_do(project: BakedProject) -> None:
    """Each alert has a name of its own, a severity, a summary and a runbook of at least a sentence."""
    found = alerts(project)
    assert len({alert["alert"] for alert in found}) == len(found) > 8
    for alert in found:
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert alert["annotations"]["summary"].endswith("."), alert["alert"]
        assert re.search(r"\w+ \w+ .*\.$", alert["annotations"]["runbook"]), alert["alert"]


def test_scraped_ports_are_those_of_the_reporter(project: BakedProject) -> None:
    """Prometheus asks the ports that conf/prod.yaml opens, and reads the alerts."""
    first, last = map(int, read(project, "conf/prod.yaml")["metrics.reporter.prometheus.port"].split("-"))
    scraped = read(project, "monitoring/prometheus.yaml")
    targets = [target for job in scraped["scrape_configs"] for config in job["static_configs"] for target in config["targets"]]
    assert targets
    assert all(first <= int(target.rpartition(":")[2]) <= last for target in targets)
    assert [(project.path / "monitoring" / name).is_file() for name in scraped["rule_files"]] == [True]


def test_thresholds_follow_the_configuration(project: BakedProject) -> None:
    """A checkpoint is reported before it is given up."""
    timeout = re.fullmatch(r"(\d+) min", read(project, "conf/base.yaml")["execution.checkpointing.timeout"])
    assert timeout is not None
    (alert,) = [alert for alert in alerts(project) if alert["alert"] == "CheckpointsNearTimeout"]
    threshold = int(alert["expr"].rpartition("> ")[2])
    assert MINUTE < threshold < int(timeout[1]) * MINUTE
