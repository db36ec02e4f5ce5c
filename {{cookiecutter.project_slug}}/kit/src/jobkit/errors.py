"""The errors that jobkit raises: each carries what its reader needs to mend the cause."""

from __future__ import annotations


class JobkitError(Exception):
    """Say what is wrong, what was found, where, and what to do.

    Attributes:
        what: One sentence: what is wrong.
        found: The offending value, as it was found, or None.
        where: A file, file and line, key or address, or None.
        remedy: What to write or do instead, or None.
        rule: The guardrail or check that was broken, or None.
    """

    exit_code = 2
    """What the command line exits with: 2 for wrong input, 1 for a refusal."""

    def __init__(
        self,
        what: str,
        *,
        found: str | None = None,
        where: str | None = None,
        remedy: str | None = None,
        rule: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.found = found
        self.where = where
        self.remedy = remedy
        self.rule = rule

    def __str__(self) -> str:
        """Return the error as one short paragraph."""
        parts = [self.what]
        if self.found is not None:
            parts.append(f"Found: {self.found}.")
        if self.where is not None:
            parts.append(f"Where: {self.where}.")
        if self.remedy is not None:
            parts.append(self.remedy)
        return " ".join(parts)


class ConfigurationError(JobkitError):
    """A file, key, value, setting or argument that cannot be used."""


class NoProject(ConfigurationError):
    """A folder that is in no jobkit project."""


class ClusterError(JobkitError):
    """A local process (Flink, Kafka) that did not start, did not answer or stopped."""


class FunctionFailed(JobkitError):
    """A function of the user's that `jobkit.batches` has called raised something.

    What it raised is its cause (`__cause__`), and its traceback ends in the lines of that.
    """

    exit_code = 1


class JobFailed(JobkitError):
    """The job was submitted, and Flink reports that it failed.

    Attributes:
        root_cause: Flink's innermost exception, one line.
        python_traceback: The traceback of the Python worker, or None if Python was not at fault.
    """

    exit_code = 1

    def __init__(self, what: str, *, root_cause: str, python_traceback: str | None = None, where: str | None = None) -> None:
        super().__init__(what, found=root_cause, where=where)
        self.root_cause = root_cause
        self.python_traceback = python_traceback
