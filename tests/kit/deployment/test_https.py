"""The life of a job on a cluster whose REST interface speaks TLS, as the configuration of both ends says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12
from cryptography.x509 import load_pem_x509_certificate

from . import stage

PASSWORD = "changeit"


@dataclass(frozen=True)
class Certificates:
    """Files of an authority, and of a certificate for 127.0.0.1 that it has signed.

    Attributes:
        authority: The authority's certificate, as Python's clients want it.
        server: Flink's configuration of a JobManager.
        client: Flink's configuration of a client.
    """

    authority: Path
    server: dict[str, str]
    client: dict[str, str]


def certificates(folder: Path) -> Certificates:
    """Write them, as Java wants them too."""
    authority = trustme.CA(key_type=trustme.KeyType.RSA)  # Flink's default for security.ssl.algorithms has no others
    pem, trusted, kept = folder / "authority.pem", folder / "trusted.p12", folder / "kept.p12"
    authority.cert_pem.write_to_path(str(pem))
    encryption = BestAvailableEncryption(PASSWORD.encode())
    of_authority = load_pem_x509_certificate(authority.cert_pem.bytes())
    trusted.write_bytes(pkcs12.serialize_java_truststore([pkcs12.PKCS12Certificate(of_authority, b"authority")], encryption))
    issued = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    chain = [load_pem_x509_certificate(blob.bytes()) for blob in issued.cert_chain_pems]
    kept.write_bytes(pkcs12.serialize_key_and_certificates(b"server", key, chain[0], [*chain[1:], of_authority], encryption))
    client = {
        "security.ssl.rest.enabled": "true",
        "security.ssl.rest.truststore": str(trusted),
        "security.ssl.rest.truststore-password": PASSWORD,
    }
    server = {
        "security.ssl.rest.keystore": str(kept),
        "security.ssl.rest.keystore-password": PASSWORD,
        "security.ssl.rest.key-password": PASSWORD,
    }
    return Certificates(pem, {**client, **server}, client)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The certificates."""
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def deployment(found: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[stage.Deployment]:
    """A project that is configured for such a cluster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(found.authority))
        with stage.stage(tmp_path_factory.mktemp("stage"), more=found.server) as started:
            deployment = started.deployment()
            with (deployment.root / "conf" / "test.yaml").open("a") as file:
                file.writelines(f"{key}: {value}\n" for key, value in found.client.items())
            deployment.lock()
            yield deployment


def test_a_certificate_that_nobody_vouches_for_ends_a_deploy_before_it_begins(deployment: stage.Deployment, tmp_path: Path) -> None:
    """And the message says how to vouch for it."""
    others = tmp_path / "others.pem"
    trustme.CA().cert_pem.write_to_path(str(others))
    done = deployment.jobkit("deploy", "--without-state", REQUESTS_CA_BUNDLE=str(others))
    assert done.returncode == 2, done.stderr
    assert "The JobManager's certificate is not trusted." in done.stderr
    assert "REQUESTS_CA_BUNDLE" in done.stderr
    assert "Traceback" not in done.stderr
    assert deployment.running() == []


def test_a_job_lives_as_it_does_without_tls(deployment: stage.Deployment) -> None:
    """Deployed, upgraded and stopped, with each record counted."""
    deployment.send(["a", "b", "a"])
    deployment.ok("deploy", "--without-state")
    with deployment.ledger() as ledger:
        assert ledger.instances("ordinals/test")[0].specification.url.startswith("https://127.0.0.1:")
    deployment.expect_all()
    deployment.version("two")
    deployment.send(["a"])
    deployment.ok("upgrade")
    deployment.send(["b"])
    assert {version for _, _, version in deployment.expect_all()} >= {"two"}
    deployment.ok("stop")
    assert deployment.running() == []
