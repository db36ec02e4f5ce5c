"""conf/*.yaml is read as Flink itself reads its config.yaml, and every mistake is reported with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobkit.configuration import Configuration, environments, load, read, write
from jobkit.errors import ConfigurationError
from py4j.java_gateway import JavaGateway
from pyflink.java_gateway import get_gateway


@pytest.fixture(scope="session")
def gateway(jvm: None) -> JavaGateway:  # noqa: ARG001
    """The JVM that PyFlink starts."""
    return get_gateway()


def conf(folder: Path, base: str | bytes, prod: str | bytes = "") -> Path:
    """Write a configuration folder with the environment `prod`."""
    folder = folder / "conf"
    folder.mkdir()
    for name, text in (("base", base), ("prod", prod)):
        (folder / f"{name}.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def flink_reads(gateway: JavaGateway, folder: Path) -> dict[str, str]:
    """Return what Flink's own class reads from a folder's config.yaml."""
    return dict(gateway.jvm.org.apache.flink.configuration.GlobalConfiguration.loadConfiguration(str(folder)).toMap())


def findings(folder: Path) -> list[tuple[str, str, str]]:
    """Return kind, key and origin of each finding in `prod`."""
    return [(finding.kind, finding.key, finding.origin) for finding in read(folder, "prod").findings]


AS_FLINK_READS = {
    "dotted": "a.b.c: x\n",
    "nested": "a:\n  b:\n    c: x\n    d: y\n",
    "nested and dotted": "a.b:\n  c: x\na:\n  b.d: y\n",
    "booleans": "a: true\nb: True\nc: FALSE\nd: yes\ne: off\nf: 'true'\n",
    "whole numbers": "a: 10\nb: 0x10\nc: 0o17\nd: 017\ne: 1_000\nf: +5\ng: -3\nh: 12345678901234567890\n",
    "numbers": "a: 0.70\nb: 1.10\nc: 1e9\nd: 1.0e-5\ne: 123456789.5\ng: 1.\nh: .5\ni: -0.0\nj: 1234567.0\nk: 12345678.0\nl: -2.5e-7\n",
    "infinite": "a: .inf\nb: -.inf\nc: .nan\nd: 1e400\n",
    "quoted": "a: '1.10'\nb: \"0x10\"\nc: ''\nd: \"tab\\t and \\u00e9\"\n",
    "durations and sizes": "a: 10 s\nb: 128mb\nc: 2026-01-01\nd: file:///x/y#z\n",
    "lists": "a: [1, two, 'x; y', '3', true, 1.5, null]\nb: []\nc:\n  - p\n  - q\n",
    "lists of maps": "a:\n  - b: c\n    d: [e]\n  - 'f g'\n",
    "long list": "a: [" + ", ".join("org.apache.flink.Class" + "x" * 30 for _ in range(9)) + "]\n",
    "block text": "a: |\n  one\n  two\nb: >\n  one\n  two\n",
    "alias": "a: &x 1\nb: *x\nc: &y {d: e}\nf: *y\n",
    "merge key": "a: {<<: {d: 1}}\n",
    "empty map": "a: {}\nb: 1\n",
    "comments only": "# nothing\n",
    "empty": "",
    "byte order mark": "\ufeffa: 1\n",
    "a YAML 1.1 directive": "%YAML 1.1\n---\na: yes\n",
    "explicit tag": "a: !!str 5\n",
}


@pytest.mark.parametrize("name", AS_FLINK_READS)
def test_a_file_is_read_as_flink_reads_it(name: str, tmp_path: Path, gateway: JavaGateway) -> None:
    """Keys and values equal those of Flink's GlobalConfiguration."""
    folder = conf(tmp_path, AS_FLINK_READS[name])
    (folder / "config.yaml").write_bytes((folder / "base.yaml").read_bytes())
    assert load(folder, "prod").values == flink_reads(gateway, folder)


@pytest.mark.parametrize("name", AS_FLINK_READS)
def test_what_is_written_comes_back(name: str, tmp_path: Path, gateway: JavaGateway) -> None:
    """Flink reads back from a written config.yaml exactly the values that were loaded."""
    configuration = load(conf(tmp_path, AS_FLINK_READS[name]), "prod")
    configuration.write(tmp_path / "out" / "config.yaml")
    assert flink_reads(gateway, tmp_path / "out") == configuration.values


def test_hostile_values_come_back(tmp_path: Path, gateway: JavaGateway) -> None:
    """Quotes, backslashes, line ends, control and wide characters survive writing."""
    values = {
        f"key.{number}": text
        for number, text in enumerate(('a"b', "a\\b", "a\nb\n", " x ", "#", "a: b", "\x7f\u2028", "naïve ☃ 🛫", "~", "null"))
    }
    write(values, tmp_path / "config.yaml")
    assert flink_reads(gateway, tmp_path) == values


REFUSED_BY_FLINK_TOO: dict[str, tuple[str | bytes, tuple[str, str, str]]] = {
    "twice": ("a: 1\na: 2\n", ("conflict", "a", "conf/base.yaml:2")),
    "no value": ("b: 1\na:\n", ("no-value", "a", "conf/base.yaml:2")),
    "null": ("a: ~\n", ("no-value", "a", "conf/base.yaml:1")),
    "list at the top": ("- a\n- b\n", ("not-a-map", "", "conf/base.yaml:1")),
    "text at the top": ("just text\n", ("not-a-map", "", "conf/base.yaml:1")),
    "tab": ("a:\n\tb: 1\n", ("not-readable", "", "conf/base.yaml:2")),
    "unfinished": ("a: [1, 2\nb: 3\n", ("not-readable", "", "conf/base.yaml:2")),
    "two colons": ("a: b: c\n", ("not-readable", "", "conf/base.yaml:1")),
    "two documents": ("a: 1\n---\nb: 2\n", ("not-readable", "", "conf/base.yaml:2")),
    "not UTF-8": (b"a: 1\nb: \xff\n", ("not-readable", "", "conf/base.yaml:2")),
    "a number as key": ("1: x\n", ("not-a-map", "", "conf/base.yaml:1")),
    "a list as key": ("? [x]\n: 1\n", ("not-a-map", "", "conf/base.yaml:1")),
    "foreign tag": ("a: !secret x\n", ("not-readable", "a", "conf/base.yaml:1")),
    "a map in itself": ("a: &x\n  b: *x\n", ("not-readable", "a.b", "conf/base.yaml:2")),
}


@pytest.mark.parametrize("name", REFUSED_BY_FLINK_TOO)
def test_a_mistake_is_found_with_its_line(name: str, tmp_path: Path, gateway: JavaGateway) -> None:
    """What Flink refuses to read is one finding, with file and line."""
    text, expected = REFUSED_BY_FLINK_TOO[name]
    folder = conf(tmp_path, text)
    assert findings(folder) == [expected]
    (folder / "config.yaml").write_bytes((folder / "base.yaml").read_bytes())
    with pytest.raises(Exception, match=r"Error parsing YAML|StackOverflowError"):
        flink_reads(gateway, folder)


def test_a_key_both_nested_and_dotted_is_a_conflict(tmp_path: Path) -> None:
    """Flink takes one of the two in silence; here both lines are named."""
    folder = conf(tmp_path, "state.backend.type: rocksdb\nstate:\n  backend:\n    type: hashmap\n")
    (finding,) = read(folder, "prod").findings
    assert (finding.kind, finding.key, finding.origin) == ("conflict", "state.backend.type", "conf/base.yaml:4")
    assert "conf/base.yaml:1" in finding.remedy


def test_all_mistakes_of_both_files_are_reported_at_once(tmp_path: Path) -> None:
    """The error names each mistake and its line."""
    folder = conf(tmp_path, "a: 1\na: 2\nb:\n", "c: 1\nc: 1\n")
    with pytest.raises(ConfigurationError) as caught:
        load(folder, "prod")
    text = str(caught.value)
    assert caught.value.exit_code == 2
    assert all(place in text for place in ("conf/base.yaml:2", "conf/base.yaml:3", "conf/prod.yaml:2"))


def test_a_syntax_error_does_not_show_the_line(tmp_path: Path) -> None:
    """The line may hold a secret."""
    with pytest.raises(ConfigurationError) as caught:
        load(conf(tmp_path, "s3.secret-key: hunter2: x\n"), "prod")
    assert "hunter2" not in str(caught.value)


def test_the_environment_lies_over_the_base(tmp_path: Path) -> None:
    """A value of the environment wins, and both places are known."""
    configuration = load(conf(tmp_path, "a:\n  b: 1\n  c: 2\n", "# first\n\na.b: 3\nd: 4\n"), "prod")
    assert configuration.values == {"a.b": "3", "a.c": "2", "d": "4"}
    assert [configuration.origin(key) for key in ("a.b", "a.c", "d")] == ["conf/prod.yaml:3", "conf/base.yaml:3", "conf/prod.yaml:4"]
    overridden = configuration.entries["a.b"].overridden
    assert overridden is not None
    assert (overridden.value, overridden.origin) == ("1", "conf/base.yaml:2")
    assert isinstance(configuration, Configuration)


def test_an_unknown_environment_names_those_that_exist(tmp_path: Path) -> None:
    """The message lists the environments; base is none of them, and a path is no name."""
    folder = conf(tmp_path, "a: 1\n")
    (folder / "dev.yaml").write_text("")
    assert environments(folder) == ["dev", "prod"]
    for name in ("prd", "base", "../conf/prod", ""):
        with pytest.raises(ConfigurationError, match="no environment") as caught:
            load(folder, name)
        assert "dev, prod" in str(caught.value)


def test_a_missing_folder_or_base_is_named(tmp_path: Path) -> None:
    """The path that is missing is in the message."""
    with pytest.raises(ConfigurationError, match="folder") as caught:
        load(tmp_path / "nowhere", "prod")
    assert str(tmp_path / "nowhere") in str(caught.value)
    folder = conf(tmp_path, "a: 1\n")
    (folder / "base.yaml").unlink()
    with pytest.raises(ConfigurationError, match="base configuration") as caught:
        load(folder, "prod")
    assert str(folder / "base.yaml") in str(caught.value)
