"""What Flink's own option classes say about a configuration: unknown, wrong, old and contradicting keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from jobkit.configuration import Configuration, load, write
from jobkit.findings import Finding, check
from jobkit.known_options import Options
from py4j.java_gateway import JavaGateway
from pyflink.find_flink_home import _find_flink_home
from pyflink.java_gateway import get_gateway
from ruamel.yaml import YAML

TEMPLATE = Path(__file__).parents[2] / "{{cookiecutter.project_slug}}"


@pytest.fixture(scope="session")
def gateway(jvm: None) -> JavaGateway:  # noqa: ARG001
    """The JVM that PyFlink starts."""
    return get_gateway()


@pytest.fixture(scope="session")
def options(gateway: JavaGateway) -> Options:
    """Flink's options, asked once."""
    return Options(gateway)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """The template's conf/ with its answers filled in."""
    folder = tmp_path / "conf"
    folder.mkdir()
    for file in (TEMPLATE / "conf").iterdir():
        text = file.read_text(encoding="utf-8")
        (folder / file.name).write_text(re.sub(r"\{\{ *cookiecutter\.\w+ *\}\}", "flights", text), encoding="utf-8")
    return folder


def configured(folder: Path, base: Mapping[str, str], prod: Mapping[str, str] | None = None) -> Configuration:
    """Load the environment `prod` of these values: one key a line, so that lines count from 1."""
    write(base, folder / "conf" / "base.yaml")
    write(prod or {}, folder / "conf" / "prod.yaml")
    return load(folder / "conf", "prod")


def only(findings: list[Finding]) -> Finding:
    """Return the one finding there must be."""
    (finding,) = findings
    return finding


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("execution.checkpointing.intervall", "execution.checkpointing.interval"),
        ("exection.checkpointing.interval", "execution.checkpointing.interval"),
        ("taskmanager.numberOfTaskslots", "taskmanager.numberOfTaskSlots"),
        ("python.exectuable", "python.executable"),
        ("restart-strategy.exponential_delay.max-backoff", "restart-strategy.exponential-delay.max-backoff"),
    ],
)
def test_a_misspelt_key_is_told_what_was_meant(key: str, meant: str, tmp_path: Path, options: Options) -> None:
    """The nearest of Flink's keys is in the remedy, the line in the origin."""
    finding = only(check(configured(tmp_path, {key: "1"}), options))
    assert (finding.kind, finding.key, finding.origin, finding.is_wrong) == ("unknown-key", key, "conf/base.yaml:1", True)
    assert meant in finding.remedy


@pytest.mark.parametrize("key", ["kubernetes.foo", "env.foo", "execution.wait", "lookup.cache", "path"])
def test_a_key_that_nobody_reads_is_wrong(key: str, tmp_path: Path, options: Options) -> None:
    """It begins like Flink's keys, or belongs to a table or connector: Flink would ignore it in silence."""
    finding = only(check(configured(tmp_path, {key: "1"}), options))
    assert (finding.kind, finding.is_wrong) == ("unknown-key", True)


WRONG = {
    "execution.checkpointing.interval": ("5 parsecs", "a duration"),
    "taskmanager.memory.process.size": ("1 gigantic", "a size"),
    "taskmanager.numberOfTaskSlots": ("2.5", "a whole number"),
    "execution.checkpointing.incremental": ("yes", "true or false"),
    "execution.checkpointing.mode": ("TWICE", "EXACTLY_ONCE, AT_LEAST_ONCE"),
    "execution.checkpointing.externalized-checkpoint-retention": ("RETAIN", "RETAIN_ON_CANCELLATION"),
    "restart-strategy.exponential-delay.jitter-factor": ("a tenth", "a number"),
    "taskmanager.memory.managed.consumer-weights": ("PYTHON", "a map"),
    "python.fn-execution.bundle.time": ("500 ms", "a whole number"),
}


@pytest.mark.parametrize("key", WRONG)
def test_a_value_of_the_wrong_type_is_told_the_right_one(key: str, tmp_path: Path, options: Options) -> None:
    """Flink's own parser refuses it; the remedy says what it would take."""
    value, expected = WRONG[key]
    finding = only(check(configured(tmp_path, {key: value}), options))
    assert (finding.kind, finding.key, finding.is_wrong) == ("wrong-type", key, True)
    assert value in finding.message
    assert expected in finding.remedy


def test_an_enum_and_a_list_are_taken_in_any_of_their_spellings(tmp_path: Path, options: Options) -> None:
    """Case, `-` for `_`, and both of Flink's notations for lists are right."""
    values = {
        "execution.runtime-mode": "streaming",
        "pipeline.jars": "file:///a.jar;file:///b.jar",
        "pipeline.classpaths": "[file:///a, file:///b]",
    }
    assert check(configured(tmp_path, values), options) == []


OLD = {
    "state.backend": ("state.backend.type", "rocksdb"),
    "state.backend.incremental": ("execution.checkpointing.incremental", "true"),
    "state.checkpoints.dir": ("execution.checkpointing.dir", "s3://b/c"),
    "state.savepoints.dir": ("execution.checkpointing.savepoint-dir", "s3://b/s"),
    "state.checkpoints.num-retained": ("execution.checkpointing.num-retained", "3"),
    "restart-strategy": ("restart-strategy.type", "fixed-delay"),
    "high-availability": ("high-availability.type", "zookeeper"),
    "env.java.opts": ("env.java.opts.all", "-Dx=y"),
}


@pytest.mark.parametrize("key", OLD)
def test_an_old_key_is_told_its_new_name(key: str, tmp_path: Path, options: Options) -> None:
    """Flink still reads it, and may not for long."""
    new, value = OLD[key]
    finding = only(check(configured(tmp_path, {key: value}), options))
    assert (finding.kind, finding.key, finding.is_wrong) == ("old-key", key, True)
    assert f"Write {new} instead." in finding.remedy


def test_a_wrong_value_under_an_old_key_is_found_too(tmp_path: Path, options: Options) -> None:
    """Both mistakes are reported at once."""
    findings = check(configured(tmp_path, {"state.backend.incremental": "perhaps"}), options)
    assert [finding.kind for finding in findings] == ["old-key", "wrong-type"]


def test_an_old_and_a_new_key_that_disagree_fight(tmp_path: Path, options: Options, gateway: JavaGateway) -> None:
    """The environment's old key loses against the base's new one: said as Flink decides it."""
    configuration = configured(tmp_path, {"state.backend.type": "rocksdb"}, {"state.backend": "hashmap"})
    finding = only(check(configuration, options))
    assert (finding.kind, finding.key, finding.origin) == ("conflict", "state.backend", "conf/prod.yaml:1")
    assert "conf/base.yaml:1" in finding.message
    assert "Flink takes state.backend.type" in finding.message
    configuration.write(tmp_path / "config.yaml")
    flink = gateway.jvm.org.apache.flink.configuration
    read = flink.GlobalConfiguration.loadConfiguration(str(tmp_path)).get(flink.StateBackendOptions.STATE_BACKEND)
    assert read == "rocksdb"


def test_two_old_keys_that_disagree_fight(tmp_path: Path, options: Options) -> None:
    """Each of them is told of the other."""
    values = {"high-availability": "zookeeper", "recovery.mode": "kubernetes"}
    findings = check(configured(tmp_path, values), options)
    assert [(finding.kind, finding.key) for finding in findings] == [("conflict", key) for key in values]


def test_an_old_and_a_new_key_that_agree_are_an_old_key(tmp_path: Path, options: Options) -> None:
    """Nothing is lost, and the old line can go."""
    configuration = configured(tmp_path, {"state.backend.type": "rocksdb", "state.backend": "rocksdb"})
    assert only(check(configuration, options)).kind == "old-key"


OPEN = {
    "metrics.reporter.prometheus.port": "MetricOptions",
    "traces.reporter.otel.exporter.endpoint": "TraceOptions",
    "external-resource.gpu.amount": "ExternalResourceOptions",
    "flink.hadoop.fs.defaultFS": "YarnConfigOptions",
    "containerized.master.env.TZ": "ResourceManagerOptions",
    "s3.endpoint": "S3",
    "fs.azure.account.key.x": "file system",
    "kubernetes.operator.savepoint.trigger.grace-period": "Kubernetes operator",
    "zookeeper.heap.mb": "bin/config.sh",
    "openlineage.transport.type": "plug-in",
}


@pytest.mark.parametrize("key", OPEN)
def test_an_open_family_is_unknown_and_not_wrong(key: str, tmp_path: Path, options: Options) -> None:
    """Who reads the key is named."""
    finding = only(check(configured(tmp_path, {key: "x"}), options))
    assert (finding.kind, finding.is_wrong, finding.to_json()["status"]) == ("open-family", False, "unknown")
    assert OPEN[key] in finding.message


def test_keys_that_the_start_scripts_read_are_known(options: Options) -> None:
    """Each key of Flink's bin/config.sh is an option or in a family."""
    script = (Path(_find_flink_home()) / "bin" / "config.sh").read_text(encoding="utf-8")
    keys = re.findall(r'^KEY_\w+="([a-z][\w.-]+)"', script, re.MULTILINE)
    assert len(keys) > 15
    assert [key for key in keys if not (options.find(key) or options.family(key))] == []


def test_the_members_of_a_map_are_known(tmp_path: Path, options: Options) -> None:
    """Flink takes `<option>.<name>` for an option that is a map, and for no other."""
    assert check(configured(tmp_path, {"pipeline.global-job-parameters.colour": "red"}), options) == []
    finding = only(check(configured(tmp_path, {"parallelism.default.x": "1"}), options))
    assert finding.kind == "unknown-key"


def test_every_option_is_found_with_its_default(options: Options, gateway: JavaGateway) -> None:
    """A sample over Flink's parts: core, RocksDB, Python, Kubernetes, YARN, Table API; each takes its own default."""
    sample = {
        "execution.checkpointing.min-pause": "PT0S",
        "state.backend.rocksdb.memory.managed": "true",
        "python.fn-execution.bundle.time": "1000",
        "kubernetes.namespace": "default",
        "yarn.appmaster.vcores": "1",
        "table.exec.state.ttl": "PT0S",
    }
    assert {key: options.known[key].default for key in sample} == sample
    assert len(options.known) > 800
    unset = gateway.jvm.org.apache.flink.configuration.Configuration()
    for option in options.known.values():
        unset.get(option.java)


def test_flinks_own_configuration_has_no_finding(tmp_path: Path, options: Options) -> None:
    """The config.yaml that comes with Flink is right."""
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "base.yaml").write_bytes((Path(_find_flink_home()) / "conf" / "config.yaml").read_bytes())
    (folder / "prod.yaml").write_text("")
    assert check(load(folder, "prod"), options) == []


def test_a_secret_is_not_shown_in_a_finding(tmp_path: Path, options: Options) -> None:
    """Flink's own rule says which keys hold secrets; Flink's message would quote the value."""
    findings = check(configured(tmp_path, {"user.artifacts.http-headers": "hunter2", "security.ssl.rest.key-passwort": "hunter2"}), options)
    assert [finding.kind for finding in findings] == ["wrong-type", "unknown-key"]
    assert not [finding for finding in findings if "hunter2" in str(finding.to_json())]
    assert options.is_sensitive("s3.secret-key")
    assert not options.is_sensitive("state.backend.type")


@pytest.mark.parametrize("environment", ["local", "dev", "prod"])
def test_the_templates_configuration_is_right(environment: str, conf: Path, options: Options, gateway: JavaGateway) -> None:
    """Nothing is wrong with it, and Flink reads back what was loaded."""
    configuration = load(conf, environment)
    assert [finding for finding in check(configuration, options) if finding.is_wrong] == []
    configuration.write(conf / "out" / "config.yaml")
    assert (
        dict(gateway.jvm.org.apache.flink.configuration.GlobalConfiguration.loadConfiguration(str(conf / "out")).toMap())
        == configuration.values
    )


def test_the_template_opens_java_as_flinks_own_configuration_does(conf: Path) -> None:
    """base.yaml takes the place of Flink's config.yaml, and so must have its JVM options."""
    flink = YAML(typ="safe").load((Path(_find_flink_home()) / "conf" / "config.yaml").read_text(encoding="utf-8"))
    ours = load(conf, "prod").values["env.java.default-opts.all"].split()
    assert set(flink["env"]["java"]["opts"]["all"].split()) <= set(ours)
