"""Build the stand-ins for the official images, out of Debian's, PyPI's and Maven's packages: `python tests/images/build.py`.

Nothing is built twice: an image carries the digest of all that it was made from. An image of the same name that is no
stand-in, the official one that is, is left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
VERSIONS = json.loads((HERE.parents[1] / "cookiecutter.json").read_text(encoding="utf-8"))["_flink_versions"]
LABEL = "jobkit.stand-in"
"""Marks a stand-in; its value is the digest of what it was made from."""

DEBIAN = "jobkit-stand-in/debian:bookworm"
BASE = "jobkit-stand-in/base:bookworm"
PACKAGES = ("openjdk-17-jre-headless", "python3", "python3-venv", "libpython3.11", "procps", "bsdextrautils", "ca-certificates")
"""Thread mode, Flink's `python.execution-mode`, needs libpython; a Python that uv fetches brings it."""

_SETTINGS = {
    "/etc/pip.conf": ("/etc/pip.conf", "~/.config/pip/pip.conf"),
    "/etc/uv/uv.toml": ("/etc/uv/uv.toml", "~/.config/uv/uv.toml"),
    "/root/.m2/settings.xml": ("~/.m2/settings.xml",),
}
"""Where a stand-in has a settings file, and where this machine may have it; the last that is there is taken."""

_VARIABLES = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_DEFAULT_TIMEOUT",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_HTTP_TIMEOUT",
)
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class StandIn:
    """An image to build.

    Attributes:
        name: Its name and tag.
        folder: The folder of its Dockerfile.
        fill: Puts what has to be fetched into the build's context.
        inputs: What the outcome depends on besides the folder.
    """

    name: str
    folder: Path
    fill: Callable[[Path], None] = field(compare=False)
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The digest of all that it is made from."""
        digest = hashlib.sha256(Path(__file__).read_bytes())
        for file in sorted(self.folder.iterdir()):
            digest.update(file.name.encode() + file.read_bytes())
        digest.update(json.dumps(dict(self.inputs), sort_keys=True).encode())
        return digest.hexdigest()


def build(versions: Sequence[str]) -> list[str]:
    """Build what is missing or out of date, and return the names of all stand-ins.

    Args:
        versions: The Flink versions to have, such as `2.2`.
    """
    require_docker()
    certificates, settings = _certificates(), _settings()
    machine = {"certificates": hashlib.sha256("".join(certificates).encode()).hexdigest(), **settings, **_variables()}
    base = StandIn(BASE, HERE / "base", partial(_fill_base, certificates, settings), {**machine, "packages": " ".join(PACKAGES)})
    if _is_wanted(base):
        _debian()
        _make(base)
    inputs = {"base": base.digest}
    brokers = sorted({VERSIONS[version]["kafka"] for version in versions})
    wanted = [
        StandIn("maven:3-eclipse-temurin-17", HERE / "maven", _nothing, inputs),
        StandIn("astral/uv:0.9", HERE / "uv", partial(_install, "uv>=0.9,<0.10")),
        *(StandIn(f"apache/kafka:{broker}", HERE / "kafka", partial(_fill_kafka, broker), inputs) for broker in brokers),
        *(_flink(VERSIONS[version], inputs) for version in versions),
    ]
    for image in wanted:
        if _is_wanted(image):
            _make(image)
    return [image.name for image in wanted]


def require_docker() -> None:
    """Exit with a sentence when no engine answers."""
    done = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"error: no Docker engine answers: {done.stderr.strip()}")


def _flink(pins: Mapping[str, str], inputs: Mapping[str, str]) -> StandIn:
    return StandIn(pins["image"], HERE / "flink", partial(_fill_flink, pins["pyflink"]), {**inputs, "flink": pins["pyflink"]})


def _is_wanted(image: StandIn) -> bool:
    """Say whether an image is missing, or a stand-in that was made from something else."""
    form = f'{{{{index .Config.Labels "{LABEL}"}}}}'
    done = subprocess.run(["docker", "image", "inspect", "--format", form, image.name], capture_output=True, text=True, check=False)
    label = done.stdout.strip()
    return done.returncode != 0 or (bool(label) and label != image.digest)


def _debian() -> None:
    """Import a Debian with the packages that the stand-ins share."""
    missing = [program for program in ("debootstrap", "tar") if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        sys.exit(f"error: the stand-ins are built by root, with debootstrap. Missing: {', '.join(missing) or 'root'}.")
    with _folder() as folder:
        root = folder / "root"
        _run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", "bookworm", str(root))
        for waste in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"):
            shutil.rmtree(root / waste, ignore_errors=True)
        (root / "var/cache/apt/archives/partial").mkdir(parents=True)
        _run("sh", "-c", 'tar -C "$1" -c . | docker import - "$2"', "import", str(root), DEBIAN)


def _make(image: StandIn) -> None:
    """Build one image with this machine's network, which needs no name server of the engine's own."""
    before = _identity(image.name)
    with _folder() as folder:
        shutil.copytree(image.folder, folder, dirs_exist_ok=True)
        image.fill(folder)
        proxies = [argument for name in _PROXIES if name in os.environ for argument in ("--build-arg", name)]
        _run("docker", "build", "--network=host", *proxies, f"--label={LABEL}={image.digest}", f"--tag={image.name}", str(folder))
    if before not in ("", _identity(image.name)):  # without force: what others still use stays
        subprocess.run(["docker", "image", "rm", before], capture_output=True, check=False)


def _identity(name: str) -> str:
    done = subprocess.run(["docker", "image", "inspect", "--format", "{{.Id}}", name], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _fill_base(certificates: list[str], settings: Mapping[str, str], folder: Path) -> None:
    for number, certificate in enumerate(certificates):
        _write(folder / "certificates" / f"{number}.crt", certificate)
    (folder / "settings").mkdir()
    for name, text in settings.items():
        _write(folder / "settings" / name.lstrip("/"), text)
    variables = "".join(f"ENV {name}={json.dumps(value)}\n" for name, value in _variables().items())
    with (folder / "Dockerfile").open("a", encoding="utf-8") as file:
        file.write(variables)


def _fill_flink(version: str, folder: Path) -> None:
    """Take the distribution out of PyFlink's packages."""
    packages = folder / "packages"
    _install([f"apache-flink=={version}", f"apache-flink-libraries=={version}"], packages, "--python-version=3.11")
    for name in ("bin", "conf", "lib", "opt", "plugins"):
        shutil.move(packages / "pyflink" / name, folder / "flink" / name)
    (folder / "flink" / "log").mkdir()
    shutil.rmtree(packages)


def _fill_kafka(version: str, folder: Path) -> None:
    from jobkit.cluster import jars  # noqa: PLC0415  (the other stand-ins need no kit)
    from jobkit.project import Project  # noqa: PLC0415

    libs = folder / "libs"
    libs.mkdir()
    with _folder() as project:
        for jar in jars.broker_classpath(Project(project, kafka=version)):
            shutil.copy(jar, libs)


def _install(packages: str | list[str], folder: Path, *options: str) -> None:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.is_file() else "uv"
    wanted = [packages] if isinstance(packages, str) else packages
    _run(
        uv,
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--link-mode=copy",
        f"--target={folder}",
        f"--python={sys.executable}",
        *options,
        *wanted,
    )


def _nothing(_: Path) -> None:
    """Fetch nothing."""


def _certificates() -> list[str]:
    """Return the certificates of the authorities that this machine trusts: a proxy's may be among them."""
    return [ssl.DER_cert_to_PEM_cert(found) for found in ssl.create_default_context().get_ca_certs(binary_form=True)]


def _settings() -> dict[str, str]:
    found = {}
    for name, places in _SETTINGS.items():
        for place in map(Path.expanduser, map(Path, places)):
            if place.is_file():
                found[name] = place.read_text(encoding="utf-8")
    return found


def _variables() -> dict[str, str]:
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="jobkit-stand-in-") as name:
        yield Path(name)


def _run(*command: str) -> None:
    """Run a command to its end; show what it printed only when it fails."""
    _say(f"{command[0]} {next((argument for argument in command if argument.startswith('--tag=')), command[1])}")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nerror: {' '.join(command)} exited with {done.returncode}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="*", default=["2.2"], help="Flink versions, such as 2.2")
    _say("\n".join(build(parser.parse_args().versions)))
