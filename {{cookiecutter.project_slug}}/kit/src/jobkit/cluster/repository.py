"""Fetch files from Maven repositories: whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import requests
import tenacity
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver

from ..errors import ConfigurationError
from .jars import Progress

if TYPE_CHECKING:
    from jgo.maven import Artifact

_HTTP_NOT_FOUND = 404
_CHUNK = 1 << 17
_TIMEOUT_SECONDS = 20


class _Incomplete(OSError):
    """What arrived is not what the repository holds."""


class Repository(PythonResolver):
    """jgo's resolver, with downloads that survive a break: jgo itself writes into the shared cache as bytes arrive."""

    def __init__(self, progress: Progress) -> None:
        """Take a function to call as bytes arrive."""
        super().__init__()
        self._progress = progress

    def download(self, artifact: Artifact) -> Path:
        """Bring one file into the local Maven repository and return its path.

        Raises:
            ConfigurationError: When no repository has it, none can be reached, or it arrives damaged.
        """
        context = artifact.context
        target = context.repo_cache / artifact.component.path_prefix / artifact.filename
        problem = "it is in none of them"
        for url in context.remote_repos.values():
            source = f"{url.rstrip('/')}/{artifact.component.path_prefix.as_posix()}/{artifact.filename}"
            try:
                if self._fetch(source, target):
                    return target
            except OSError as error:  # those of requests, too
                problem = _reason(error)
        raise ConfigurationError(
            f"{artifact.component} could not be fetched from a Maven repository.",
            found=f"{artifact.filename}: {problem}",
            where=", ".join(context.remote_repos.values()),
            remedy="Check the version in [tool.jobkit] of pyproject.toml and the network. A mirror is named under [repositories] "
            "in ~/.config/jgo.conf, as central = https://….",
        )

    @tenacity.retry(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_exponential(max=4),
        retry=tenacity.retry_if_exception_type(OSError),
        reraise=True,
    )
    def _fetch(self, source: str, target: Path) -> bool:
        with requests.get(source, stream=True, timeout=_TIMEOUT_SECONDS) as response:
            if response.status_code == _HTTP_NOT_FOUND:
                return False
            response.raise_for_status()
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
            part = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    digest = self._receive(response, target.name, file.write)
                _check(source, digest)
                part.chmod(0o644)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
        return True

    def _receive(self, response: requests.Response, name: str, write: Callable[[bytes], object]) -> str:
        total = int(response.headers.get("content-length", 0))
        digest, received = hashlib.sha1(usedforsecurity=False), 0
        for chunk in response.iter_content(_CHUNK):
            write(chunk)
            digest.update(chunk)
            received += len(chunk)
            self._progress(name, received, total)
        return digest.hexdigest()


def connect(progress: Progress) -> MavenContext:
    """Return the local Maven repository, and the remote ones that the user's jgo configuration names."""
    settings = GlobalSettings.load()
    remote = {"central": MAVEN_CENTRAL_URL, **settings.repositories}
    cache = None if "M2_REPO" in os.environ else settings.repo_cache
    return MavenContext(resolver=Repository(progress), repo_cache=cache, remote_repos=remote)


def _check(source: str, digest: str) -> None:
    answer = requests.get(f"{source}.sha1", timeout=_TIMEOUT_SECONDS)
    if answer.status_code == _HTTP_NOT_FOUND:
        return
    answer.raise_for_status()
    if answer.text.split()[:1] != [digest]:
        raise _Incomplete("it arrived damaged (its checksum is wrong)")


def _reason(error: OSError) -> str:
    if isinstance(error, _Incomplete):
        return str(error)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, requests.Timeout):
        return "the server does not answer"
    if isinstance(error, requests.RequestException):
        return "the server cannot be reached"
    return f"it cannot be written: {error}"
