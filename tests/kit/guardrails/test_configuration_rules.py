"""The rules about the state backend and checkpoints, each with the configuration that breaks it."""

from __future__ import annotations

import pytest
from jobkit.guardrails import RULES, Result
from pyflink.datastream import StreamExecutionEnvironment

from . import jobs
from .judging import PRODUCTION, by_rule, judged, judged_with_states

pytestmark = pytest.mark.usefixtures("jvm")

RETENTION = "execution.checkpointing.externalized-checkpoint-retention"
DIRECTORY = "execution.checkpointing.dir"
SAVEPOINTS = "execution.checkpointing.savepoint-dir"

BREAKING = [
    ("rocksdb-backend", "state.backend.type", None, "not set (hashmap)"),
    ("rocksdb-backend", "state.backend.type", "hashmap", "hashmap"),
    ("incremental-checkpoints", "execution.checkpointing.incremental", None, "not set (false)"),
    ("incremental-checkpoints", "execution.checkpointing.incremental", "false", "false"),
    ("checkpoint-interval", "execution.checkpointing.interval", None, "not set"),
    ("exactly-once", "execution.checkpointing.mode", "AT_LEAST_ONCE", "AT_LEAST_ONCE"),
    ("checkpoint-pause", "execution.checkpointing.min-pause", None, "not set (0 ms)"),
    ("checkpoint-pause", "execution.checkpointing.min-pause", "0 s", "0 ms"),
    ("checkpoint-timeout", "execution.checkpointing.timeout", None, "not set (600000 ms)"),
    ("retained-checkpoints", RETENTION, None, "not set (NO_EXTERNALIZED_CHECKPOINTS)"),
    ("retained-checkpoints", RETENTION, "DELETE_ON_CANCELLATION", "DELETE_ON_CANCELLATION"),
    ("checkpoint-directory", DIRECTORY, None, "not set"),
    ("checkpoint-directory", DIRECTORY, "file:///data/checkpoints", "a local directory"),
    ("checkpoint-directory", DIRECTORY, "/data/checkpoints", "without a scheme"),
    ("checkpoint-directory", DIRECTORY, "file:/tmp/checkpoints", "a temporary directory"),
    ("checkpoint-directory", DIRECTORY, "hdfs:///tmp/checkpoints", "a temporary directory"),
    ("checkpoint-directory", "execution.checkpointing.storage", "jobmanager", "jobmanager"),
    ("savepoint-directory", SAVEPOINTS, None, "not set"),
    ("savepoint-directory", SAVEPOINTS, "file:///var/tmp/savepoints", "a temporary directory"),
]


def failed(results: list[Result]) -> set[str]:
    """Return the rules that stop the job."""
    return {result.rule for result in results if result.status == "fail"}


def test_the_production_configuration_breaks_no_rule() -> None:
    """Every rule is judged, and passes."""
    results = judged_with_states(jobs.sound)
    assert [(result.rule, result.status) for result in results] == [(rule.id, "pass") for rule in RULES]
    assert {rule for rule, *_ in BREAKING} < {result.rule for result in results}


@pytest.mark.parametrize(("rule", "key", "value", "found"), BREAKING)
def test_one_wrong_value_breaks_its_rule_and_no_other(rule: str, key: str, value: str | None, found: str) -> None:
    """The finding names the key, what was found and what to write."""
    results = judged(jobs.sound, {key: value})
    (result,) = by_rule(results, rule)
    assert failed(results) == {rule}
    assert key in result.message
    assert found in result.message
    assert f"Set {key}: " in str(result.remedy)
    assert "conf/base.yaml" in str(result.remedy)


@pytest.mark.parametrize("address", ["s3a://b/c", "hdfs://name/flink", "abfss://c@a.dfs.core.windows.net/x", "gs://b/c", "oss://b/tmp"])
def test_a_remote_directory_is_fine(address: str) -> None:
    """Object stores and HDFS outlive the machine."""
    assert failed(judged(jobs.sound, {DIRECTORY: address, SAVEPOINTS: address})) == set()


def test_a_directory_without_a_scheme_is_wrong_in_every_environment() -> None:
    """Flink refuses it when the job starts (`ExternalizedSnapshotLocation`)."""
    assert failed(judged(jobs.sound, {SAVEPOINTS: "/savepoints"}, "local")) == {"savepoint-directory"}


def test_a_local_directory_is_fine_in_the_local_environment_only() -> None:
    """The rule is milder there, and nowhere else."""
    changes = {DIRECTORY: "file:///tmp/checkpoints", SAVEPOINTS: "file:///tmp/savepoints"}
    assert failed(judged(jobs.sound, changes, "local")) == set()
    assert failed(judged(jobs.sound, changes, "dev")) == {"checkpoint-directory", "savepoint-directory"}


def test_all_violations_are_reported_at_once() -> None:
    """An empty configuration breaks every rule that has no good default."""
    empty: dict[str, str | None] = dict.fromkeys(PRODUCTION)
    assert failed(judged(jobs.sound, empty)) == {
        "auto-generated-uids",
        "max-parallelism",
        "rocksdb-backend",
        "incremental-checkpoints",
        "checkpoint-interval",
        "checkpoint-pause",
        "checkpoint-timeout",
        "retained-checkpoints",
        "checkpoint-directory",
        "savepoint-directory",
        "timers-in-process-mode",
    }


def test_old_keys_count_as_the_new_ones() -> None:
    """Flink still resolves them."""
    old = {
        "state.backend.type": None,
        "state.backend": "rocksdb",
        DIRECTORY: None,
        "state.checkpoints.dir": "s3://b/c",
        SAVEPOINTS: None,
        "state.savepoints.dir": "s3://b/s",
        "execution.checkpointing.incremental": None,
        "state.backend.incremental": "true",
    }
    assert failed(judged(jobs.sound, old)) == set()


def test_what_the_code_sets_is_judged_as_well() -> None:
    """The code goes before the configuration."""

    def build(env: StreamExecutionEnvironment) -> None:
        env.enable_checkpointing(1000)
        env.get_checkpoint_config().set_min_pause_between_checkpoints(0)
        env.get_checkpoint_config().set_checkpoint_timeout(60_000)
        jobs.sound(env)

    changes = {"execution.checkpointing.interval": None, "execution.checkpointing.timeout": None}
    assert failed(judged(build, changes)) == {"checkpoint-pause"}


def test_a_batch_job_is_not_held_to_rules_about_checkpoints_and_restored_state() -> None:
    """It takes no checkpoints; a rolling aggregate is sound there."""
    results = judged(jobs.batch_reduce, {**dict.fromkeys(PRODUCTION), "pipeline.max-parallelism": "128", "execution.runtime-mode": "BATCH"})
    assert failed(results) == {"auto-generated-uids"}
    assert {result.rule for result in results if result.status == "not-applicable"} == {
        *("rocksdb-backend", "incremental-checkpoints", "checkpoint-interval", "exactly-once", "checkpoint-pause", "checkpoint-timeout"),
        *("retained-checkpoints", "checkpoint-directory", "savepoint-directory"),
        *("rolling-aggregates", "random-state-names", "unknown-states", "timers-in-process-mode"),
    }
