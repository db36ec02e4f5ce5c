"""Every variable is read and checked, and no password is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobkit.errors import ConfigurationError

from {{ cookiecutter.package_name }}.settings import Settings

SASL = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_USER": "job"}


def test_nothing_set_is_the_defaults() -> None:
    """An empty environment gives the settings for a local run."""
    assert Settings.from_environment({}) == Settings()


def test_variables_are_read() -> None:
    """A variable replaces its default."""
    settings = Settings.from_environment({"KAFKA_BOOTSTRAP_SERVERS": "a:9092, [::1]:9093", "OUT_OF_ORDERNESS_SECONDS": "60"})
    assert (settings.kafka.servers, settings.out_of_orderness) == ("a:9092,[::1]:9093", 60)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("JOB_NAME", ""),
        ("JOB_NAME", "a job"),
        ("FLIGHTS_TOPIC", "a/b"),
        ("FLIGHTS_TOPIC", "delay-stats"),
        ("KAFKA_BOOTSTRAP_SERVERS", ""),
        ("KAFKA_BOOTSTRAP_SERVERS", "host"),
        ("KAFKA_BOOTSTRAP_SERVERS", "host:0"),
        ("KAFKA_BOOTSTRAP_SERVERS", "host:65536"),
        ("OUT_OF_ORDERNESS_SECONDS", "-1"),
        ("IDLENESS_SECONDS", "0"),
        ("IDLENESS_SECONDS", "1.5"),
        ("TRANSACTION_TIMEOUT_SECONDS", "901"),
        ("TRANSACTION_TIMEOUT_SECONDS", "9" * 5000),
        ("KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("KAFKA_USER", "job"),
        ("KAFKA_CA_FILE", "/nowhere/ca.pem"),
    ],
)
def test_unfit_value_is_refused(variable: str, value: str) -> None:
    """A value that cannot be used is refused, and the variable is named."""
    with pytest.raises(ConfigurationError, match=variable) as refusal:
        Settings.from_environment({variable: value})
    assert refusal.value.remedy


def test_password_in_a_file_is_only_named(tmp_path: Path) -> None:
    """Flink's clients get a reference to the file, Python's the password."""
    file = tmp_path / "password"
    file.write_text("h4rd to guess")
    settings = Settings.from_environment({**SASL, "KAFKA_PASSWORD_FILE": str(file)})
    properties = settings.kafka.properties()
    assert 'password="${directory:' + f"{tmp_path}:password" + '}"' in properties["sasl.jaas.config"]
    assert "h4rd" not in f"{settings!r} {properties}"
    assert settings.kafka.client()["sasl_plain_password"] == "h4rd to guess"


def test_password_in_the_environment_is_never_shown() -> None:
    """The password reaches Kafka, and neither repr nor an error."""
    environ = {**SASL, "KAFKA_PASSWORD": 'h4rd "to" guess'}
    settings = Settings.from_environment(environ)
    assert 'password="h4rd \\"to\\" guess"' in settings.kafka.properties()["sasl.jaas.config"]
    assert "h4rd" not in repr(settings)
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environment({**environ, "KAFKA_PASSWORD": "h4rd\n"})
    assert "h4rd" not in str(refusal.value)


@pytest.mark.parametrize("content", ["", "h4rd\n", 'h4"rd'])
def test_unfit_password_file_is_refused(tmp_path: Path, content: str) -> None:
    """What Kafka would misread is refused here, where the file can still be named."""
    file = tmp_path / "password"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match="KAFKA_PASSWORD_FILE"):
        Settings.from_environment({**SASL, "KAFKA_PASSWORD_FILE": str(file)})


def test_password_is_needed_once() -> None:
    """SASL without a password, or with two, is refused."""
    with pytest.raises(ConfigurationError, match="must be set, and not both"):
        Settings.from_environment(SASL)
    with pytest.raises(ConfigurationError, match="must be set, and not both"):
        Settings.from_environment({**SASL, "KAFKA_PASSWORD": "a", "KAFKA_PASSWORD_FILE": __file__})


def test_certificate_and_key_are_references(tmp_path: Path) -> None:
    """A client's certificate and key go together; the key stays in its file."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    key.write_text("secret")
    certificate.write_text("public")
    environ = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CERTIFICATE_FILE": str(certificate)}
    with pytest.raises(ConfigurationError, match="go together"):
        Settings.from_environment(environ)
    kafka = Settings.from_environment({**environ, "KAFKA_KEY_FILE": str(key)}).kafka
    assert kafka.properties()["ssl.keystore.key"] == "${directory:" + f"{tmp_path}:key.pem" + "}"
    assert "secret" not in str(kafka.properties())
    assert kafka.client()["ssl_keyfile"] == str(key)
