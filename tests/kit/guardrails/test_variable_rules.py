"""The rules about state that Flink does not know of, each with the functions that break it and those that only look so."""

from __future__ import annotations

import pytest

from . import jobs
from .judging import Build, by_rule, judged, line_of

pytestmark = pytest.mark.usefixtures("jvm")

ATTRIBUTES: list[tuple[Build, str, str]] = [
    (jobs.processing(jobs.InAttribute()), "attribute", "self.count"),
    (jobs.processing(jobs.InDictionary()), "dictionary", "self.counts"),
    (jobs.processing(jobs.InList()), "list", "self.buffer"),
    (jobs.processing(jobs.Inherited()), "attribute", "self.count"),
    (jobs.processing(jobs.BySetattr()), "setattr", "self.last"),
    (jobs.processing(jobs.InHelper()), "helper", "self.total"),
    (jobs.keyed_map, "keyed-map", "self.count"),
    (jobs.windowed, "window", "self.windows"),
]

VARIABLES: list[tuple[Build, str, str]] = [
    (jobs.mapping(jobs.in_module_dictionary), "module-dictionary", "SEEN"),
    (jobs.mapping(jobs.in_global), "global", "TOTAL"),
    (jobs.mapping(jobs.in_closure()), "closure", "count"),
    (jobs.flat_mapped, "module-helper", "SEEN"),
]


@pytest.mark.parametrize(("build", "mark", "name"), ATTRIBUTES)
def test_state_in_an_attribute_of_a_keyed_function_is_a_warning_at_the_line_that_changes_it(build: Build, mark: str, name: str) -> None:
    """It cannot be proved that a result depends on it, so that the job may start."""
    results = judged(build)
    (result,) = by_rule(results, "instance-variables")
    assert (result.status, result.operator) == ("unknown", "count")
    assert (result.file, result.line) == (jobs.__file__, line_of(jobs.__file__, mark))
    assert name in result.message
    assert "runtime context" in str(result.remedy)
    assert [entry.rule for entry in results if entry.status != "pass"] == ["instance-variables"]


@pytest.mark.parametrize(("build", "mark", "name"), VARIABLES)
def test_state_in_a_variable_outside_the_function_is_a_warning_at_the_line_that_changes_it(build: Build, mark: str, name: str) -> None:
    """Of the module, of the enclosing function, directly or in a helper."""
    results = judged(build)
    (result,) = by_rule(results, "module-variables")
    assert (result.status, result.operator) == ("unknown", "map")
    assert (result.file, result.line) == (jobs.__file__, line_of(jobs.__file__, mark))
    assert name in result.message
    assert [entry.rule for entry in results if entry.status != "pass"] == ["module-variables"]


@pytest.mark.parametrize("build", [jobs.sound, jobs.aggregated, jobs.mapping(jobs.local_names), jobs.routed])
def test_states_metrics_clients_accumulators_and_local_variables_are_fine(build: Build) -> None:
    """What careful functions do is not reported."""
    results = judged(build)
    assert [by_rule(results, rule)[0].status for rule in ("instance-variables", "module-variables")] == ["pass", "pass"]
