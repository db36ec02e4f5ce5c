"""The function that builds a job is found, imported and called, or the reader learns which line to change."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobkit import entry
from jobkit.errors import ConfigurationError
from jobkit.project import Project

from .projects import TinyProject, tiny


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyProject]:
    """A project whose modules are forgotten after the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in sys.modules if name.split(".")[0] == "tiny"]:
        monkeypatch.delitem(sys.modules, name)
    yield tiny(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "tiny"]:
        del sys.modules[name]


def find(project: TinyProject, pipeline: str | None = "tiny.pipeline:build") -> entry.Build:
    """Import the build function."""
    return entry.find(Project(project.root, pipeline=pipeline))


def test_the_build_function_is_imported_from_src(project: TinyProject) -> None:
    """Without the project being installed."""
    assert entry.settings(find(project), {"TINY_NAME": "x"}).job_name == "x"


REFERENCES = {
    None: "does not say where its job is built",
    "tiny.pipeline": "must be module:attribute",
    ":build": "must be module:attribute",
    "tiny.pipeline:": "must be module:attribute",
    "missing.pipeline:build": "There is no module missing.",
    "tiny.missing:build": "There is no module tiny.missing.",
    "tiny.pipeline:built": "tiny.pipeline has no built",
}


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_that_leads_nowhere(reference: str | None, project: TinyProject) -> None:
    """The key in pyproject.toml is named."""
    with pytest.raises(ConfigurationError, match=REFERENCES[reference]) as refused:
        find(project, reference)
    assert (refused.value.where or "").startswith(f"{project.root / 'pyproject.toml'}, [tool.jobkit]")


RAISING = {
    "import no_such_module": "ModuleNotFoundError: No module named 'no_such_module'",
    "from .settings import Missing": "ImportError: cannot import name 'Missing'",
    "object().attribute": "AttributeError: 'object' object has no attribute 'attribute'",
    "import json; json.loads('{')": "JSONDecodeError: Expecting property name",
    "def build(:": "SyntaxError: invalid syntax",
}


@pytest.mark.parametrize("line", RAISING)
def test_a_module_that_raises_is_named_with_its_line(line: str, project: TinyProject) -> None:
    """The innermost line of the user's own, whatever library raised under it."""
    file = project.write("src/tiny/pipeline.py", f"\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"tiny\.pipeline cannot be imported") as refused:
        find(project)
    assert (refused.value.found or "").startswith(RAISING[line])
    assert refused.value.where == f"{file}:2"


SIGNATURES = {
    "def build(env): ...": "build(env)",
    "def build(env, settings): ...": "build(env, settings)",
    "def build(env, settings: dict): ...": "settings: 'dict'" if sys.version_info >= (3, 14) else "settings: dict",
    "def build(env, settings: Settings, more): ...": "more",
}


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_build_function_that_takes_no_settings(signature: str, project: TinyProject) -> None:
    """What it should look like is in the remedy."""
    file = project.write("src/tiny/pipeline.py", f"from .settings import Settings\n\n{signature}\n")
    with pytest.raises(ConfigurationError, match="does not say what settings it takes") as refused:
        entry.settings(find(project), {})
    assert SIGNATURES[signature] in (refused.value.found or "")
    assert refused.value.where == f"{file}:3"
    assert "settings: Settings" in (refused.value.remedy or "")


def test_what_is_no_function_is_refused(project: TinyProject) -> None:
    """A name that is there but cannot be called."""
    project.write("src/tiny/pipeline.py", "build = 3\n")
    with pytest.raises(ConfigurationError, match="is no function"):
        find(project)


@pytest.mark.usefixtures("jvm")
def test_a_build_that_raises_is_named_with_its_line(project: TinyProject) -> None:
    """An exception of Flink's comes with Flink's own words and the user's line."""
    file = project.write(
        "src/tiny/pipeline.py",
        """\
        from .settings import Settings

        def build(env, settings: Settings) -> None:
            env.set_parallelism(-3)
        """,
    )
    build = find(project)
    with pytest.raises(ConfigurationError, match="The build function raised an exception") as refused:
        entry.build_graph(build, None)
    assert "IllegalArgumentException" in (refused.value.found or "")
    assert refused.value.where == f"{file}:4"


@pytest.mark.usefixtures("jvm")
def test_a_job_without_operators_is_refused(project: TinyProject) -> None:
    """There is nothing to judge."""
    project.write("src/tiny/pipeline.py", "from .settings import Settings\ndef build(env, settings: Settings): ...\n")
    with pytest.raises(ConfigurationError, match="The job has no operators"):
        entry.build_graph(find(project), None)


@pytest.mark.usefixtures("jvm")
def test_a_value_that_flink_cannot_read_is_refused(project: TinyProject) -> None:
    """Flink's own words, no Java stack."""
    with pytest.raises(ConfigurationError, match="Flink refuses the configuration") as refused:
        entry.build_graph(find(project), None, {"parallelism.default": "many"})
    assert "many" in (refused.value.found or "")
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("jvm")
def test_the_job_is_built_with_its_configuration_and_name(project: TinyProject) -> None:
    """The values of conf/ reach the environment; the settings name the job."""
    build = find(project)
    _, graph = entry.build_graph(build, entry.settings(build, {"TINY_NAME": "mine"}), {"pipeline.object-reuse": "true"})
    assert graph.name == "mine"
    assert graph.configuration["pipeline.object-reuse"] == "true"
    assert [operator.uid for operator in graph.operators] == ["source", "count/key-by", "count", "out"]
