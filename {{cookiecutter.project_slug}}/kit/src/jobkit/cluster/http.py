"""Asks a JobManager over HTTP, and tells one that is away from what is none."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import requests

from ..errors import ClusterError
from . import failure

_TIMEOUT_SECONDS = 60
_PART = 1 << 16
_AWAY = (requests.codes.bad_gateway, requests.codes.service_unavailable, requests.codes.gateway_timeout)
"""What Flink answers while a JobManager is elected, and proxies while none is there."""
_TRUST = "Let REQUESTS_CA_BUNDLE name a PEM file with the certificate of who has signed the JobManager's."
_OF_ANOTHER_NAME = (62, 64)
"""What OpenSSL's `X509_V_ERR_HOSTNAME_MISMATCH` and `X509_V_ERR_IP_ADDRESS_MISMATCH` are."""


class NoAnswer(ClusterError):
    """A JobManager that cannot be reached, or is not there."""


class Unsettled(NoAnswer):
    """A JobManager that answers that it could not say: of itself it waits for its own parts in vain, for a moment mostly."""


class NotFound(ClusterError):
    """A job, or a request, that a JobManager does not know."""

    exit_code = 1


class Declined(ClusterError):
    """A request that a JobManager refuses."""

    exit_code = 1


class HttpClient:
    """Asks one JobManager.

    Attributes:
        url: Its address, that of the web UI too.
    """

    def __init__(self, url: str) -> None:
        """Take the address, as `http://host:port`."""
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy for the outside world must not come between
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True

    def _get(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self._call("GET", path)
        return found

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None, form: type = dict) -> Any:
        answer = self._request(method, path, body)
        strange = ClusterError(
            "What answers there is no JobManager.",
            found=answer.text[:80],
            where=f"{method} {self.url}{path}",
            remedy="Take the address of Flink's web UI.",
        )
        try:
            result: Any = answer.json(object_hook=lambda entries: _Object(entries, strange)) if answer.content else {}
        except ValueError:
            raise strange from None
        if not isinstance(result, form):
            raise strange
        return result

    def _lines(self, path: str) -> Iterator[str]:
        """Yield the lines of a text, as it arrives: UTF-8, which Flink serves without saying so, and ended by line feeds only."""
        left = b""
        with self._request("GET", path, is_stream=True) as answer:
            try:
                for part in answer.iter_content(_PART):
                    *lines, left = (left + part).split(b"\n")
                    yield from map(_text, lines)
            except OSError as error:
                raise self._unanswered(error) from error
        if left:
            yield _text(left)

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None, *, is_stream: bool = False) -> requests.Response:
        where = f"{method} {self.url}{path}"
        try:
            answer = self._session.request(method, self.url + path, json=body, timeout=_TIMEOUT_SECONDS, stream=is_stream)
        except OSError as error:  # as requests says that there are no certificates where it was told to look
            raise self._unanswered(error) from error
        if answer.status_code in _AWAY:
            raise NoAnswer("The JobManager does not answer.", found=f"{answer.status_code} {answer.reason}", where=self.url)
        if answer.status_code == requests.codes.not_found:
            raise NotFound("The JobManager does not know what it was asked for.", found=_reason(answer), where=where)
        if answer.status_code == requests.codes.server_error:  # Flink's word for its own time-outs, as between REST and Dispatcher
            raise Unsettled("The JobManager could not answer.", found=_reason(answer), where=where)
        if not answer.ok:
            raise Declined("The JobManager refused a request.", found=_reason(answer), where=where)
        return answer

    def _unanswered(self, error: OSError) -> ClusterError:
        cause = _cause(error)
        found = (str(cause).splitlines() or [type(cause).__name__])[0]
        if isinstance(cause, ssl.SSLCertVerificationError):
            remedy = "Write the name that it is for." if cause.verify_code in _OF_ANOTHER_NAME else _TRUST
            return ClusterError("The JobManager's certificate is not trusted.", found=found, where=self.url, remedy=remedy)
        if not isinstance(error, requests.RequestException):
            return ClusterError("The certificates to trust cannot be read.", found=found, where=self.url, remedy=_TRUST)
        if getattr(cause, "reason", None) == "WRONG_VERSION_NUMBER":
            return ClusterError("The JobManager does not speak TLS.", found=found, where=self.url, remedy="Write http:// instead.")
        return NoAnswer("The JobManager does not answer.", found=found, where=self.url)


class _Object(dict[str, Any]):
    """An object of an answer, which names who has answered when it has not what a JobManager writes there."""

    def __init__(self, entries: Mapping[str, Any], strange: ClusterError) -> None:
        super().__init__(entries)
        self._strange = strange

    def __missing__(self, key: str) -> Any:
        raise self._strange


def _cause(error: BaseException) -> BaseException:
    """Return what was wrong at first."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    return error


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").removesuffix("\r")


def _reason(answer: requests.Response) -> str:
    try:
        errors = answer.json()["errors"]
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason}"
    return failure.read("\n".join(map(str, errors))).root_cause
