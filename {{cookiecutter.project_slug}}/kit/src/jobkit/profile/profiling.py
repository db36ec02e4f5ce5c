"""From an address to a profile: finds the job and its processes, samples them, and reads the project's graph meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..cluster.local import Reporter
from ..cluster.rest import TERMINAL, RestClient
from ..errors import ClusterError, ConfigurationError, JobkitError, NoProject
from ..graph import JobGraph
from . import samples, targets
from .operators import Operators
from .report import Profile
from .sampling import sample


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        profile: The profile.
        notes: What its reader should know.
    """

    profile: Profile
    notes: tuple[str, ...]


class Profiling:
    """A running job whose processes were found."""

    def __init__(self, url: str, wanted: str | None) -> None:
        """Find the job and the processes.

        Args:
            url: The JobManager's address.
            wanted: The job's id, or None for the only one that runs.

        Raises:
            ConfigurationError: When there is no such job, no Python in it, or no py-spy.
            ClusterError: When the JobManager does not answer, or the TaskManagers are elsewhere.
            NoRights: When a TaskManager is another user's.
        """
        samples.executable()
        self._rest = RestClient(url.rstrip("/"))
        self._job = targets.running_job(self._rest, wanted)
        self._targets = targets.find(self._rest, self._job)

    def run(self, seconds: int, graphs: Callable[[], Iterable[JobGraph]], reporter: Reporter) -> Outcome:
        """Sample the job, and then name its operators.

        Args:
            seconds: For how long to sample.
            graphs: Reads the job graphs of the project; called when the job was sampled, not to slow it down meanwhile.
            reporter: Shows how it goes on.

        Raises:
            ConfigurationError: When no Python was seen.
            ClusterError: When none was seen because the job has ended, or py-spy fails.
            NoRights: When a process may not be looked into.
        """
        sampled = sample(self._targets.found, seconds, lambda passed: reporter.progress("seconds sampled", int(passed), seconds))
        state = _state(self._rest, self._job)
        if not Profile(self._job, sampled, Operators()).samples:
            raise _nothing(self._job, state)
        notes = [f"Not sampled, for it is not on this machine: {manager}." for manager in self._targets.elsewhere]
        if state in TERMINAL:
            notes.append(f"The job has ended meanwhile ({state}): these are the samples until then.")
        reporter.progress("reading the project", 0, 0)
        operators = Operators()
        try:
            operators = Operators(graphs())
        except NoProject:
            notes.append("Operators are called as their functions: in the project's folder they would have their uids.")
        except JobkitError as error:
            notes.append(f"Operators are called as their functions, since the project's graph cannot be read: {error}")
        return Outcome(Profile(self._job, sampled, operators), tuple(notes))


def _state(rest: RestClient, job: targets.Job) -> str:
    try:
        return rest.state(job.id)
    except ClusterError:
        return "SUSPENDED"


def _nothing(job: targets.Job, state: str) -> ClusterError | ConfigurationError:
    if state in TERMINAL:
        what = "The job ended before any of its Python was seen."
        return ClusterError(what, found=state, where=f"{job.name} ({job.id})", remedy="Start it again, and sample it while it runs.")
    return targets.no_python(job)
