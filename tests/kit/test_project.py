"""`[tool.jobkit]` is found from anywhere in a project, and every mistake in it is named with its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobkit.errors import ConfigurationError
from jobkit.project import NamesForTests, Waiver, environment_name, find_project

WHOLE = """\
[project]
name = "a"

[tool.jobkit]
pipeline = "a.pipeline:build"
flink = "2.2.1"
kafka = "4.1.1"
jars = ["org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2"]
sample = "sample.flights:Flights"

[tool.jobkit.testing]
topics = { flights = "FLIGHTS_TOPIC" }
group = "KAFKA_GROUP_ID"
names = ["JOB_NAME"]

[[tool.jobkit.waivers]]
rule = "checkpoint-timeout"
reason = "The platform sets it"

[[tool.jobkit.waivers]]
rule = "missing-uids"
reason = "Old"
operator = "Map"
"""


def test_a_whole_table(tmp_path: Path) -> None:
    """Each key arrives, from a file deep below as well."""
    (tmp_path / "pyproject.toml").write_text(WHOLE, encoding="utf-8")
    file = tmp_path / "src" / "a" / "pipeline.py"
    file.parent.mkdir(parents=True)
    file.touch()
    project = find_project(file)
    assert project == find_project(tmp_path)
    assert (project.root, project.pipeline, project.flink, project.kafka) == (tmp_path, "a.pipeline:build", "2.2.1", "4.1.1")
    assert project.jars == ("org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2",)
    assert project.sample == "sample.flights:Flights"
    assert project.waivers == (Waiver("checkpoint-timeout", "The platform sets it"), Waiver("missing-uids", "Old", "Map"))
    assert project.testing == NamesForTests({"flights": "FLIGHTS_TOPIC"}, "KAFKA_GROUP_ID", ("JOB_NAME",), "KAFKA_BOOTSTRAP_SERVERS")
    assert (project.work, project.conf) == (tmp_path / ".jobkit", tmp_path / "conf")


def test_a_pyproject_without_the_table_is_passed_by(tmp_path: Path) -> None:
    """As that of the kit inside a project is."""
    (tmp_path / "pyproject.toml").write_text("[tool.jobkit]\n", encoding="utf-8")
    inner = tmp_path / "kit"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    assert find_project(inner).root == tmp_path


MISTAKES = {
    "no TOML": ("[tool.jobkit\n", "not valid TOML", "line 1"),
    "two tables of one name": ("[tool.jobkit]\n[tool.jobkit]\n", "not valid TOML", "tool"),
    "tool is no table": ("tool = 1\n", "tool must be a table", "1"),
    "no table": ("[tool]\njobkit = 3\n", "must be a table", "3"),
    "an unknown key": ("[tool.jobkit]\npipline = 'a:b'\n", "unknown key", "pipline"),
    "a number": ("[tool.jobkit]\nflink = 2.2\n", "flink must be a text", "2.2"),
    "an empty text": ("[tool.jobkit]\npipeline = ''\n", "pipeline must be a text", "''"),
    "one jar": ("[tool.jobkit]\njars = 'a:b:c'\n", "jars must be a list", "a:b:c"),
    "a jar without version": ("[tool.jobkit]\njars = ['a:b']\n", "jars must be a list", "a:b"),
    "waivers that are texts": ("[tool.jobkit]\nwaivers = ['missing-uids']\n", "A waiver needs a rule and a reason", "missing-uids"),
    "waivers that are a table": ("[tool.jobkit.waivers]\nrule = 'missing-uids'\n", "waivers must be a list", "missing-uids"),
    "testing that is a text": ("[tool.jobkit]\ntesting = 'all'\n", "must name environment variables", "all"),
    "testing without a group": ("[tool.jobkit.testing]\ntopics = { a = 'A' }\n", "must name environment variables", "'A'"),
    "testing with topics in a list": ("[tool.jobkit.testing]\ntopics = ['A']\ngroup = 'G'\n", "must name environment variables", "['A']"),
    "testing with a number": ("[tool.jobkit.testing]\ntopics = { a = 1 }\ngroup = 'G'\n", "must name environment variables", "1"),
    "more in testing": ("[tool.jobkit.testing]\ntopics = { a = 'A' }\ngroup = 'G'\nname = 'N'\n", "must name environment variables", "'N'"),
    "no reason": ("[[tool.jobkit.waivers]]\nrule = 'missing-uids'\n", "A waiver needs a rule and a reason", "missing-uids"),
    "a blank reason": ("[[tool.jobkit.waivers]]\nrule = 'missing-uids'\nreason = ' '\n", "A waiver needs a rule and a reason", "reason"),
    "more in a waiver": ("[[tool.jobkit.waivers]]\nrule = 'a'\nreason = 'b'\nuntil = 'c'\n", "A waiver needs a rule and a reason", "until"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_file(mistake: str, tmp_path: Path) -> None:
    """What, what was found, and where, in one paragraph."""
    text, what, found = MISTAKES[mistake]
    file = tmp_path / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        find_project(tmp_path)
    assert what in refused.value.what
    assert found in (refused.value.found or "")
    assert (refused.value.where or "").startswith(str(file))
    assert "\n" not in str(refused.value)


def test_what_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """TOML is UTF-8."""
    (tmp_path / "pyproject.toml").write_bytes(b'[tool.jobkit]\npipeline = "\xff"\n')
    with pytest.raises(ConfigurationError, match=r"not valid TOML"):
        find_project(tmp_path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A link to itself stands for whatever the file system refuses."""
    (tmp_path / "pyproject.toml").symlink_to("pyproject.toml")
    with pytest.raises(ConfigurationError, match="no jobkit project"):
        find_project(tmp_path)


def test_no_project(tmp_path: Path) -> None:
    """The way out is named."""
    with pytest.raises(ConfigurationError, match="There is no jobkit project here") as refused:
        find_project(tmp_path)
    assert str(tmp_path) in (refused.value.found or "")
    assert "--program" in (refused.value.remedy or "")


@pytest.mark.parametrize(("environ", "name"), [({}, "prod"), ({"JOBKIT_ENV": ""}, "prod"), ({"JOBKIT_ENV": " dev "}, "dev")])
def test_the_environment_is_the_strictest_unless_named(environ: dict[str, str], name: str) -> None:
    """What is forgotten is judged as production."""
    assert environment_name(environ) == name
