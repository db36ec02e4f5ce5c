"""What can go wrong with a benchmark, besides what goes wrong in the kit."""

from __future__ import annotations

from jobkit.errors import JobkitError


class BenchmarkError(JobkitError):
    """An input or a tool that is missing, or a run that cannot be measured."""


class WrongOutput(JobkitError):
    """A contender has written something else than the input gives."""

    exit_code = 1
