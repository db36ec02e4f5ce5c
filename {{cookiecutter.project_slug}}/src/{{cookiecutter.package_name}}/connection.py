"""How to reach Kafka: servers, SASL and TLS, with secrets by reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobkit.errors import ConfigurationError

_CLASSES = "{{ cookiecutter._flink_versions[cookiecutter.flink_version].kafka_classes }}.common"
"""The package that this project's connector jar keeps Kafka's own classes in."""

_SERVER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_LOGIN_MODULES = {
    "PLAIN": "plain.PlainLoginModule",
    "SCRAM-SHA-256": "scram.ScramLoginModule",
    "SCRAM-SHA-512": "scram.ScramLoginModule",
}


@dataclass(frozen=True)
class Connection:
    """Servers and credentials. What is secret stays in its file; a password in the environment is never shown.

    Attributes:
        servers: The brokers to ask first, as `host:port,host:port`.
        protocol: Kafka's `security.protocol`.
        mechanism: Kafka's `sasl.mechanism`, or None without SASL.
        user: The SASL user, or None without SASL.
        password_file: The file that holds the password, at the same path wherever the job runs, or None.
        password: The password itself, or None; it becomes part of the submitted job, which a file does not.
        ca_file: The certificates to trust (PEM), or None for those that Java and Python trust.
        certificate_file: This client's certificate and its chain (PEM), or None.
        key_file: This client's private key (PEM, PKCS 8), or None.
    """

    servers: str = "localhost:9092"
    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    user: str | None = None
    password_file: Path | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Connection:
        """Read the connection from environment variables; with none set it is a local broker without security.

        Raises:
            ConfigurationError: For the first variable that cannot be used, or that does not go with the others.
        """
        protocol = _choice(environ, "KAFKA_SECURITY_PROTOCOL", _PROTOCOLS, cls.protocol)
        sasl, tls = protocol.startswith("SASL"), protocol.endswith("SSL")
        for given, needed, names in (
            (sasl, "SASL_PLAINTEXT or SASL_SSL", ("KAFKA_SASL_MECHANISM", "KAFKA_USER", "KAFKA_PASSWORD", "KAFKA_PASSWORD_FILE")),
            (tls, "SSL or SASL_SSL", ("KAFKA_CA_FILE", "KAFKA_CERTIFICATE_FILE", "KAFKA_KEY_FILE")),
        ):
            ignored = [] if given else [name for name in names if environ.get(name)]
            if ignored:
                _refuse(ignored[0], f"is set, but the protocol is {protocol}", f"Set KAFKA_SECURITY_PROTOCOL to {needed}, or leave it out.")
        connection = cls(
            servers=_servers(environ, "KAFKA_BOOTSTRAP_SERVERS", cls.servers),
            protocol=protocol,
            mechanism=_choice(environ, "KAFKA_SASL_MECHANISM", tuple(_LOGIN_MODULES), "SCRAM-SHA-512") if sasl else None,
            user=_text(environ, "KAFKA_USER") if sasl else None,
            password_file=_file(environ, "KAFKA_PASSWORD_FILE") if sasl else None,
            password=environ.get("KAFKA_PASSWORD") or None,
            ca_file=_file(environ, "KAFKA_CA_FILE"),
            certificate_file=_file(environ, "KAFKA_CERTIFICATE_FILE"),
            key_file=_file(environ, "KAFKA_KEY_FILE"),
        )
        if sasl:
            connection._check_password()
        if (connection.certificate_file is None) != (connection.key_file is None):
            _refuse("KAFKA_CERTIFICATE_FILE", "and KAFKA_KEY_FILE go together", "Set both, or neither.")
        return connection

    def properties(self) -> dict[str, str]:
        """Return the properties for Flink's Kafka source and sinks; files are named in them, not read."""
        if self.protocol == "PLAINTEXT":
            return {}
        properties = {"security.protocol": self.protocol}
        if self.mechanism is not None:
            module = f"{_CLASSES}.security.{_LOGIN_MODULES[self.mechanism]}"
            secret = _reference(self.password_file) if self.password_file else _quoted(self.password or "")
            properties["sasl.mechanism"] = self.mechanism
            properties["sasl.jaas.config"] = f'{module} required username="{_quoted(self.user or "")}" password="{secret}";'
        if self.ca_file:
            properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(self.ca_file)}
        if self.certificate_file and self.key_file:
            chain, key = _reference(self.certificate_file), _reference(self.key_file)
            properties |= {"ssl.keystore.type": "PEM", "ssl.keystore.certificate.chain": chain, "ssl.keystore.key": key}
        if self.password_file or self.key_file:
            # Kafka's own clients read the files, in the processes that connect: no secret is in the job's graph.
            provider = f"{_CLASSES}.config.provider.DirectoryConfigProvider"
            properties |= {"config.providers": "directory", "config.providers.directory.class": provider}
        return properties

    def client(self) -> dict[str, Any]:
        """Return the arguments for the clients of `kafka-python`."""
        arguments: dict[str, Any] = {"bootstrap_servers": self.servers.split(","), "security_protocol": self.protocol}
        if self.mechanism is not None:
            password = self.password_file.read_text(encoding="utf-8") if self.password_file else self.password
            arguments |= {"sasl_mechanism": self.mechanism, "sasl_plain_username": self.user, "sasl_plain_password": password}
        files = {"ssl_cafile": self.ca_file, "ssl_certfile": self.certificate_file, "ssl_keyfile": self.key_file}
        return arguments | {name: str(file) for name, file in files.items() if file}

    def _check_password(self) -> None:
        if (self.password is None) == (self.password_file is None):
            _refuse(
                "KAFKA_PASSWORD_FILE",
                "or KAFKA_PASSWORD must be set, and not both",
                "Name a file that holds the password and nothing else.",
            )
        password = self.password_file.read_text(encoding="utf-8", errors="replace") if self.password_file else self.password or ""
        unfit = [character for character in password if not character.isprintable()]
        if unfit or not password:
            variable = "KAFKA_PASSWORD_FILE" if self.password_file else "KAFKA_PASSWORD"
            _refuse(
                variable,
                "holds a line break, another control character, or nothing",
                'Write it without a newline: printf %s "$PASSWORD" > FILE.',
            )
        if self.password_file and set('"\\') & set(password):
            _refuse(
                "KAFKA_PASSWORD_FILE",
                "holds a quote or a backslash, which Kafka would misread",
                "Choose another password, or use KAFKA_PASSWORD.",
            )


def _refuse(variable: str, why: str, remedy: str) -> None:
    raise ConfigurationError(f"{variable} {why}.", where=f"environment variable {variable}", remedy=remedy)


def _reference(file: Path) -> str:
    return "${directory:" + f"{file.parent}:{file.name}" + "}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _choice(environ: Mapping[str, str], variable: str, choices: tuple[str, ...], default: str) -> str:
    text = environ.get(variable) or default
    if text not in choices:
        _refuse(variable, f"is {text!r}", f"Write one of {', '.join(choices)}.")
    return text


def _text(environ: Mapping[str, str], variable: str) -> str:
    text = environ.get(variable, "")
    if not text or not text.isprintable():
        _refuse(variable, "is empty or holds a control character", "Write the name of the user.")
    return text


def _servers(environ: Mapping[str, str], variable: str, default: str) -> str:
    text = environ.get(variable, default)
    for server in text.split(","):
        match = _SERVER.fullmatch(server.strip())
        if match is None or not 0 < int(match[2]) < 65536:  # noqa: PLR2004 - the largest port
            _refuse(variable, f"holds {server.strip()!r}, which is no server", "Write host:port, or several with commas between.")
    return ",".join(server.strip() for server in text.split(","))


def _file(environ: Mapping[str, str], variable: str) -> Path | None:
    text = environ.get(variable, "")
    if not text:
        return None
    if not Path(text).is_file():
        _refuse(variable, f"names {text!r}, which is no file", "Write the path of a file that exists wherever the job runs.")
    return Path(text).absolute()
