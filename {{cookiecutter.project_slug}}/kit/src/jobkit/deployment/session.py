"""A session cluster: it is there already, and outlives the job."""

from __future__ import annotations

import contextlib
import os
import sys
from urllib.parse import urlsplit

from ..cluster import distribution, jars, java, jvm, submission
from ..cluster.http import NoAnswer
from ..cluster.processes import Process
from ..cluster.waiting import until
from ..configuration import write
from ..errors import ClusterError, JobkitError
from ..project import find_project
from . import artefact
from .examiner import python_path
from .rest import Deployed
from .target import Start, folder_of, is_over, occupied

_SECONDS_TO_SUBMIT = 300
_SECONDS_TO_CANCEL = 300
_SECONDS_TO_ANSWER = 120
_SECONDS_TO_END = 30
_LOGGING = """\
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = File
appender.file.name = File
appender.file.type = File
appender.file.fileName = ${sys:log.file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %-5p %c{1.} - %m%n
"""


class SessionCluster:
    """Submits with Flink's own client, `flink run`; a `Target`."""

    def __init__(self, url: str) -> None:
        """Take the address of the JobManager's REST interface."""
        self.rest = Deployed(url)

    def start(self, start: Start) -> None:
        """Submit the job; see `Target`."""
        with occupied(start.folder) as held:
            if self._patiently(start.uid) is not None:
                return
            client = self._submit(start, held)
            try:
                until(lambda: submission.job_id(client), what="the job is submitted", seconds=_SECONDS_TO_SUBMIT, log=client.log)
                until(
                    lambda: client.exit_code is not None or None, what="Flink's client has ended", seconds=_SECONDS_TO_END, log=client.log
                )
            except JobkitError:
                if self._patiently(start.uid) is None:
                    raise
            finally:
                client.stop()

    def state(self, uid: str) -> str | None:
        """Return the state of the job; see `Target`."""
        return self.rest.known_state(uid)

    def runs_from_folder(self, uid: str) -> bool:  # noqa: ARG002  (a Target)
        """Flink's client has copied what the job needs to the cluster; see `Target`."""
        return False

    def end(self, uid: str) -> None:
        """Cancel the job; see `Target`."""
        with occupied(folder_of(uid)):  # a client that was left may submit it yet
            if is_over(self._patiently(uid)):
                return

            def probe() -> bool | None:
                if is_over(self._patiently(uid)):
                    return True
                self.rest.begin_cancel(uid)  # again and again: an order that was not answered may not have come
                return None

            until(probe, what=f"the job {uid} has ended", seconds=_SECONDS_TO_CANCEL, interval=0.5)

    def _patiently(self, uid: str) -> str | None:
        """Return the state of the job; wait for a JobManager that is being replaced."""

        def probe() -> tuple[str | None] | None:
            try:
                return (self.rest.known_state(uid),)
            except NoAnswer:
                return None

        return until(probe, what=f"the JobManager at {self.rest.url} answers", seconds=_SECONDS_TO_ANSWER, interval=0.5)[0]

    def _submit(self, start: Start, held: int) -> Process:
        conf, logs = start.folder / "conf", start.folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        write(
            {**self._of_the_cluster(), **start.configuration, **self._address(), "$internal.pipeline.job-id": start.uid},
            conf / "config.yaml",
        )
        (conf / "log4j-cli.properties").write_text(_LOGGING, encoding="utf-8")
        # Within the project: the job is imported from there, and looks for its waivers and its lock above it.
        code = artefact.importable(start.unpacked, start.unpacked / ".shipped" / artefact.shipped_as(start.uid))
        library = jars.library(find_project(start.unpacked))
        environment = {
            **jvm.environment(java.find(), start.folder / "tmp", start.variables),
            "FLINK_CONF_DIR": str(conf),
            "FLINK_LOG_DIR": str(logs),
            "FLINK_LIB_DIR": os.path.relpath(library, start.unpacked),  # Flink's scripts break at a space in this one
            "PYTHONPATH": python_path(start.unpacked),
        }
        command = [f"{distribution.home()}/bin/flink", "run", "-d", "-t", "remote", "-p", str(start.parallelism), "-pyfs", str(code)]
        if start.snapshot is not None:
            command += ["-s", start.snapshot, *(["-n"] if start.leaves_state_behind else [])]
        command += ["-pym", start.package]
        log = logs / "client.out"
        return Process("the client", command, log=log, environment=environment, folder=start.unpacked, held=[held])

    def _address(self) -> dict[str, str]:
        url = urlsplit(self.rest.url)
        secure = {"security.ssl.rest.enabled": "true"} if url.scheme == "https" else {}
        return {"rest.address": str(url.hostname), "rest.port": str(url.port), **secure}

    def _of_the_cluster(self) -> dict[str, str]:
        """Return the keys that the client takes over where conf/ does not have them: which Python the cluster's workers run."""
        found = {"python.client.executable": sys.executable, "env.java.default-opts.all": distribution.java_options()}
        with contextlib.suppress(ClusterError):
            known = self.rest.job_manager_configuration()
            found |= {key: known[key] for key in ("python.executable",) if key in known}
        return found
