"""The page and the tables say what the JSON document says."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import pytest
from jobkit.errors import ClusterError

from bench import environments, page, ratios, report, sessions, tables
from bench.benchmark import Turns
from bench.contenders import takes_part
from bench.errors import BenchmarkError
from bench.runs import Result


def throughput(rate: float, **changes: Any) -> dict[str, Any]:
    """Return the figures of a run."""
    return {
        "records": 1000,
        "distinct_keys": 117,
        "records_per_second": rate,
        "startup_seconds": 2.0,
        "cpu_seconds_per_million": 12.5,
        "peak_mib": 900.0,
        "by_second": [100, 900],
        "memory_mib": [(0.5, 600), (2.5, 800), (3.5, 900)],
        **changes,
    }


@pytest.fixture
def document() -> dict[str, Any]:
    """Three rounds of one contender, the last of which has failed, and one of another that was stopped."""
    runs: list[dict[str, Any]] = [
        {"contender": "a", "keys": 229, "round": 1, "complete": True, "error": None, "kind": "throughput", "figures": throughput(1000)},
        {"contender": "a", "keys": 229, "round": 2, "complete": True, "error": None, "kind": "throughput", "figures": throughput(4000)},
        {"contender": "a", "keys": 229, "round": 3, "complete": False, "error": "Wrong.", "kind": "throughput", "figures": {}},
        {"contender": "b", "keys": 229, "round": 1, "complete": False, "error": None, "kind": "throughput", "figures": throughput(70)},
    ]
    facts = {"guarantee": "exactly once", "output": "all", "workers": "one process"}
    return {
        "machine": {
            "processors_of_a_run": 2,
            "contenders": {"a": {"one": "1.0"}, "b": {"two": "2.0"}},
            "model": "M",
            "processors": 4,
            "memory_gib": 8,
            "system": "Linux",
            "python": "3.11.7",
            "java": 17,
            "kafka": "4.1.1",
        },
        "settings": {
            "records": 1000,
            "keys": [229],
            "latency_rate": 10_000.0,
            "latency_seconds": 20.0,
            "rounds": 3,
            "partitions": 4,
            "commit_seconds": 2.0,
            "warm_up_seconds": 10.0,
        },
        "sessions": [{"command": "python -m bench --all", "kit": "1.2.3", "commit": "c0ffee", "sources": "5ea1"}],
        "contenders": {"a": facts, "b": facts},
        "runs": runs,
    }


def test_a_table_has_the_median_of_the_runs_that_passed(document: dict[str, Any]) -> None:
    """A failed run has no say; a stopped one is marked."""
    rows = list(tables.throughput(document))
    assert rows[0][:4] == ["229", "a", "2,500", "1,000 - 4,000 (2)"]
    assert rows[1][:3] == ["229", "b", "70 *"]


def test_a_disturbed_run_does_not_count_beside_one_that_was_not(document: dict[str, Any]) -> None:
    """Its figure is no finding."""
    document["runs"][1]["figures"]["foreign_share"] = 0.2
    assert next(iter(tables.throughput(document)))[2:4] == ["1,000", "1,000 - 1,000 (1)"]
    assert "! other processes took" not in page.text(document)


def test_disturbed_runs_are_marked_where_there_are_no_others(document: dict[str, Any]) -> None:
    """A mark says that it is no finding."""
    for run in document["runs"][:2]:
        run["figures"]["foreign_share"] = 0.2
    assert next(iter(tables.throughput(document)))[2] == "2,500 !"
    assert "! other processes took" in page.text(document)


def test_a_contender_that_never_passed_has_no_figure(document: dict[str, Any]) -> None:
    """Not even a nought."""
    document["runs"] = [document["runs"][2]]
    assert list(tables.throughput(document)) == [["229", "a", "failed", "", "", "", ""]]


def test_the_page_holds_the_tables(document: dict[str, Any]) -> None:
    """Every row, every version, and the note on stopped runs."""
    text = page.text(document)
    assert "| 229 | a | 2,500 | 1,000 - 4,000 (2) | 2.0 | 12.5 | 900 |" in text
    assert "| b | one process | all | exactly once | two 2.0 |" in text
    assert "stopped at the time limit" in text
    assert "in the records there are 117 of 229." in text
    assert "## Latency" not in text


def test_the_page_has_latency_when_it_was_measured(document: dict[str, Any]) -> None:
    """A contender that does not keep up is named as such."""
    times = {"p50": 5.0, "p99": 20.0, "max": 44.4}
    figures = {"written_ms": times, "visible_ms": {"p50": 1000.0, "p99": 2000.0, "max": 2100.0}, "keeps_up": False}
    run = {"contender": "a", "keys": 229, "round": 1, "complete": True, "error": None, "kind": "latency", "figures": figures}
    text = page.text({**document, "runs": [*document["runs"], run]})
    assert "At 10,000 records a second" in text
    assert "| 229 | a (does not keep up) | 5 | 20 | 44 | 1,000 | 2,000 |" in text


def test_the_page_can_be_written_when_no_latency_was_measured_well(document: dict[str, Any]) -> None:
    """It says so."""
    run = {"contender": "a", "keys": 229, "round": 1, "complete": False, "error": "Late.", "kind": "latency", "figures": {}}
    assert "| 229 | a | failed |  |  |  |  |" in page.text({**document, "runs": [*document["runs"], run]})


def test_results_name_no_folder_of_this_machine() -> None:
    """What failed is told on the terminal in full, and in the document in one sentence."""
    result = Result("a", 229, 1)
    with result.or_reason():
        raise ClusterError("It has ended.", where="/some/where/its.log")
    findings = report.Report({"runs": []})
    findings.add(result)
    assert "/some/where" in tables.line(result)
    assert "/some/where" not in str(findings.document)
    assert findings.has_errors


def test_memory_is_told_by_its_growth_after_the_first_million(document: dict[str, Any]) -> None:
    """What starting takes, and what was sampled before and after, has no say."""
    memory = [(1.0, 9000), (3.5, 100), (4.5, 110), (5.5, 120), (9.0, 9000)]
    figures = throughput(1000, by_second=[500_000, 500_000, 1_000_000, 1_000_000], memory_mib=memory)
    run = {"contender": "b", "keys": 229, "round": 2, "complete": True, "error": None, "kind": "throughput", "figures": figures}
    assert list(tables.memory({**document, "runs": [run]})) == [["229", "b", "100", "120", "+10.0"]]
    assert "| 229 | b | 100 | 120 | +10.0 |" in page.text({**document, "runs": [run]})


def test_short_runs_have_no_growth(document: dict[str, Any]) -> None:
    """A thousand records say nothing of it."""
    assert list(tables.memory(document)) == []
    assert "## Memory" not in page.text(document)


def test_the_page_has_a_curve_when_several_bounds_were_measured(document: dict[str, Any]) -> None:
    """One point is no curve."""
    times = {"p50": 5.0, "p99": 20.0, "max": 44.4}
    figures = {"written_ms": times, "visible_ms": times, "keeps_up": True}
    run = {"keys": 229, "round": 1, "complete": True, "error": None, "kind": "latency", "figures": figures}
    facts = dict.fromkeys(("jobkit-0ms", "jobkit-20ms"), document["contenders"]["a"])
    pins: dict[str, Any] = {name: {} for name in facts}
    several = {**document, "contenders": facts, "machine": {**document["machine"], "contenders": pins}}
    one = {**several, "runs": [{**run, "contender": "jobkit-0ms"}]}
    two = {**several, "runs": [{**run, "contender": name} for name in facts]}
    assert page.BOUNDS not in page.text(one)
    assert page.BOUNDS in page.text(two)


def test_later_runs_are_added_to_earlier_ones(document: dict[str, Any]) -> None:
    """Of other contenders, or with other keys; none of the earlier ones is lost."""
    facts = {"c": document["contenders"]["a"]}
    later = {
        "machine": {**document["machine"], "contenders": {"c": {"three": "3.0"}}},
        "settings": {**document["settings"], "keys": [20_000, 229], "rounds": 1, "latency_rate": None},
        "sessions": document["sessions"],
        "contenders": facts,
        "runs": [],
    }
    joined = report.joined(document, later)
    assert joined["runs"] == document["runs"]
    assert list(joined["contenders"]) == list(joined["machine"]["contenders"]) == ["a", "b", "c"]
    assert (joined["settings"]["keys"], joined["settings"]["rounds"], joined["settings"]["latency_rate"]) == ([229, 20_000], 3, 10_000.0)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [("machine", "processors", 64), ("machine", "kafka", "3.9"), ("settings", "records", 5), ("settings", "commit_seconds", 9.0)],
)
def test_runs_that_cannot_be_compared_are_not_added(document: dict[str, Any], part: str, name: str, value: object) -> None:
    """The message says what differs."""
    later = {**document, part: {**document[part], name: value}}
    with pytest.raises(BenchmarkError, match=f"measured differently.*{name} was .*, and is {value}"):
        report.joined(document, later)


def test_another_version_of_a_contender_is_not_added(document: dict[str, Any]) -> None:
    """Nor one of the same name that is made of other parts."""
    later = {**document, "machine": {**document["machine"], "contenders": {"a": {"one": "2.0"}}}}
    with pytest.raises(BenchmarkError, match="a's version"):
        report.joined(document, later)


def test_a_figure_with_start_up_in_it_is_marked(document: dict[str, Any]) -> None:
    """It is less than the pace that the contender has."""
    run = {**document["runs"][3], "figures": throughput(70, with_startup=True)}
    marked = {**document, "runs": [run]}
    assert [row[2] for row in tables.throughput(marked)] == ["70 * +"]
    assert "start-up included" in page.text(marked)
    assert "start-up included" not in page.text(document)


def sourced(document: dict[str, Any], digest: str, command: str = "python -m bench --add") -> dict[str, Any]:
    """Return a document, without runs, of a command that was run with some sources."""
    return {**document, "runs": [], "sessions": [{"command": command, "kit": "1.2.4", "commit": "bea7", "sources": digest}]}


def test_runs_of_other_sources_are_not_added_unless_that_is_asked_for(document: dict[str, Any]) -> None:
    """And then the page says so."""
    with pytest.raises(BenchmarkError, match=r"has changed since.*c0ffee.*bea7.*--mixed"):
        report.joined(document, sourced(document, "0dd"))
    joined = report.joined(document, sourced(document, "0dd"), may_mix=True)
    assert "were made with different sources" in page.text(joined)
    assert "different sources" not in page.text(report.joined(document, sourced(document, "5ea1")))


def test_runs_of_a_document_that_does_not_say_what_it_was_made_with_are_not_added_to(document: dict[str, Any]) -> None:
    """It may have been anything."""
    del document["sessions"]
    with pytest.raises(BenchmarkError, match="has changed since"):
        report.joined(document, sourced(document, "5ea1"))


@pytest.mark.parametrize("peer", ["quix", "bytewax", "pathway"])
def test_peers_read_json_with_the_same_version_of_the_library(peer: str) -> None:
    """As the jobs on Flink."""
    assert environments.versions(peer)["msgspec"] == importlib.metadata.version("msgspec")


def test_the_page_tells_how_its_runs_were_made(document: dict[str, Any]) -> None:
    """Each with its command, without a place on the machine, its rounds, the kit's version, and the commit."""
    joined = report.joined({**document, "runs": [{**run, "session": 1} for run in document["runs"]]}, sourced(document, "5ea1"))
    joined["runs"].append({**joined["runs"][0], "round": 4, "session": 2})
    text = page.text(joined)
    assert "| `python -m bench --all` | 1 - 3 | 1.2.3 | c0ffee | 5ea1 |" in text
    assert "| `python -m bench --add` | 4 | 1.2.4 | bea7 | 5ea1 |" in text
    assert sessions.command(["--out", "/home/me/x", "--keys", "229", "--flights=/data/f.parquet"]) == "python -m bench --keys 229"


def test_a_run_that_is_added_is_of_a_round_of_its_own(document: dict[str, Any]) -> None:
    """Else two commands would each have a round 1, and seem to have taken turns."""
    assert list(Turns({}, before=sessions.rounds(document)).rounds(2)) == [4, 5]
    findings = report.Report(report.joined(document, sourced(document, "5ea1")))
    findings.add(Result("a", 229, 4))
    assert [run.get("session") for run in findings.document["runs"]][-1] == 2


def test_a_figure_that_is_no_finding_is_marked(document: dict[str, Any]) -> None:
    """A second at full pace, or one that began before others were warm."""
    document["runs"][0]["figures"] |= {"is_short": True, "warm_up_seconds": 5.0}
    assert next(iter(tables.throughput(document)))[2] == "2,500 ^ ~"
    assert "for less than five seconds" in page.text(document)
    assert "for less than five seconds" not in page.text({**document, "runs": document["runs"][1:]})


def rates(**found: list[tuple[int, float]]) -> list[dict[str, Any]]:
    """Return runs: for each contender rounds and records a second."""
    return [
        {"contender": name.replace("_", "-"), "keys": 229, "round": number, "complete": True, "error": None}
        | {"kind": "throughput", "figures": throughput(rate)}
        for name, runs in found.items()
        for number, rate in runs
    ]


def compared(document: dict[str, Any], runs: list[dict[str, Any]]) -> list[list[str]]:
    """Return the ratios of some runs."""
    names = dict.fromkeys(run["contender"] for run in runs)
    return list(ratios.ratios({**document, "contenders": names, "runs": runs}))


def test_a_ratio_is_against_the_faster_of_two_ways_to_run_a_peer(document: dict[str, Any]) -> None:
    """One process may be worth more than two, or less."""
    rows = compared(document, rates(jobkit=[(1, 900)], quix=[(1, 100)], quix_2=[(1, 150)]))
    assert rows == [["229", "jobkit", "Quix Streams, exactly once", "quix-2", "6.0", "1"]]


def test_a_ratio_is_over_the_rounds_in_which_both_ran(document: dict[str, Any]) -> None:
    """The machine may have been another one at other times; where there is no such round, it says so."""
    runs = rates(jobkit=[(1, 900), (2, 100)], bytewax=[(1, 300), (3, 1)])
    assert compared(document, runs)[0][-2:] == ["3.0", "1"]
    runs = rates(jobkit=[(1, 900)], bytewax=[(2, 300)])
    assert compared(document, runs)[0][-2:] == ["3.0", "none in common"]


def test_one_taskmanager_is_compared_with_one(document: dict[str, Any]) -> None:
    """Two against one would be credited to the batches."""
    runs = rates(jobkit=[(1, 900)], jobkit_one_taskmanager=[(1, 800)], pyflink_thread_one_taskmanager=[(1, 20)])
    assert [row[1:4:2] + row[4:5] for row in compared(document, runs)] == [
        ["jobkit-one-taskmanager", "pyflink-thread-one-taskmanager", "40"],
        ["jobkit", "jobkit-one-taskmanager", "1.12"],
    ]


def test_the_page_has_the_ratios(document: dict[str, Any]) -> None:
    """So that no other page has to repeat them."""
    runs = rates(jobkit=[(1, 900)], bytewax=[(1, 300)])
    names = dict.fromkeys(("jobkit", "bytewax"), document["contenders"]["a"])
    pins: dict[str, Any] = {name: {} for name in names}
    text = page.text({**document, "contenders": names, "machine": {**document["machine"], "contenders": pins}, "runs": runs})
    assert "| 229 | jobkit | Bytewax, which has no transactions | bytewax | 3.0 | 1 |" in text
    assert "## Ratios" not in page.text(document)


def test_the_page_has_the_checkpoints_and_the_size_of_the_state(document: dict[str, Any]) -> None:
    """Of the runs that had any."""
    document["runs"][0]["figures"]["checkpoints"] = {"count": 2, "seconds": [0.2, 0.4], "bytes": [1_000_000, 3_000_000], "state_bytes": 9e6}
    assert "| 229 | a | 2 | 0.30 | 0.40 | 2.0 | 9.0 |" in page.text(document)


def test_a_contender_that_is_far_behind_has_no_latency(document: dict[str, Any]) -> None:
    """What it never wrote would be missing from the percentiles."""
    run = {"contender": "a", "keys": 229, "round": 1, "complete": False, "error": None, "kind": "latency", "figures": {"keeps_up": False}}
    assert "| 229 | a (does not keep up) |  |  |  |  |  |" in page.text({**document, "runs": [*document["runs"], run]})


def test_all_means_each_contender_where_the_page_has_it() -> None:
    """Bounds are a matter of latency; how many TaskManagers there are is measured once."""
    throughput = [name for name in ("jobkit", "jobkit-50ms", "jobkit-one-taskmanager") if takes_part(name, "throughput", few_keys=True)]
    assert throughput == ["jobkit", "jobkit-one-taskmanager"]
    assert not takes_part("jobkit-one-taskmanager", "throughput", few_keys=False)
    assert takes_part("jobkit-50ms", "latency", few_keys=True)
