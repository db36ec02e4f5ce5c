"""The contenders, by name; a new one is added to `everyone`."""

from __future__ import annotations

import re

from ..place import Place
from .contender import Contender, Contract
from .flink import FlinkContender
from .peer import PeerContender, script

_THREAD = {"python.execution-mode": "thread"}
_PROCESS = {"python.execution-mode": "process"}
_BYTEWAX = "at least once: a recovery store with a snapshot each interval; the sink has no transactions"
_PATHWAY = "at least once: input and state are persisted each interval; the sink has no transactions"
_QUIX = "exactly once: transactions that end with each commit; RocksDB, with a changelog topic"
_THREADS = {"PATHWAY_THREADS": "2"}

BOUNDS = (0, 20, 50, 100, 200, 500)
"""For how many milliseconds the job collects records, in its variants."""


def everyone(place: Place) -> dict[str, Contender]:
    """Return all contenders, in the order in which they run."""
    programs = "bench.programs"
    contenders: list[Contender] = [
        FlinkContender("jvm-pass-through", f"{programs}.pass_through_job:build", place, contract=Contract.SAME),
        FlinkContender("flink-sql", f"{programs}.sql_job:build", place),
        FlinkContender("flink-sql-group-by", f"{programs}.sql_job:build_grouped", place),
        FlinkContender("pyflink-thread", f"{programs}.pyflink_job:build", place, configuration=_THREAD),
        FlinkContender("pyflink-process", f"{programs}.pyflink_job:build", place, configuration=_PROCESS),
        FlinkContender("jobkit", f"{programs}.jobkit_job:build", place, configuration=_THREAD),
        PeerContender("quix", "quix", _QUIX, script("quix_app.py"), place.cache),
        PeerContender("quix-2", "quix", _QUIX, script("quix_app.py"), place.cache, processes=2, workers="two processes"),
        PeerContender("bytewax", "bytewax", _BYTEWAX, script("bytewax_app.py"), place.cache, workers="two processes, a worker each"),
        PeerContender("pathway", "pathway", _PATHWAY, script("pathway_app.py"), place.cache, contract=Contract.FINAL),
        PeerContender(
            "pathway-2",
            "pathway",
            _PATHWAY,
            script("pathway_app.py"),
            place.cache,
            contract=Contract.FINAL,
            workers="one process, two worker threads",
            variables=_THREADS,
        ),
        FlinkContender(
            "template-job", f"{programs}.template_job:build", place, contract=Contract.HOURS, configuration=_THREAD, is_template=True
        ),
        PeerContender(
            "pathway-hours",
            "pathway",
            _PATHWAY,
            script("pathway_hours_app.py"),
            place.cache,
            contract=Contract.LATEST_HOURS,
            workers="one process, two worker threads",
            variables=_THREADS,
        ),
    ]
    return {contender.name: contender for contender in contenders}


def variants(place: Place) -> dict[str, Contender]:
    """Return jobs that run in other ways, and where they are asked for only.

    Plain PyFlink's and jobkit's in one TaskManager; jobkit's with updates instead of a record for each record, as Pathway has them, and
    with other bounds.
    """
    build = "bench.programs.jobkit_job:build"
    latest, variables = f"{build}_latest", {"BENCH_WITHIN": "200"}
    plain = "bench.programs.pyflink_job:build"
    contenders = [
        FlinkContender("jobkit-updates", latest, place, contract=Contract.FINAL, configuration=_THREAD, variables=variables),
        FlinkContender("pyflink-thread-one-taskmanager", plain, place, configuration=_THREAD, slots=2),
        FlinkContender("jobkit-one-taskmanager", build, place, configuration=_THREAD, slots=2),
    ]
    for bound in BOUNDS:
        variables = {"BENCH_WITHIN": str(bound)}
        contenders.append(FlinkContender(f"jobkit-{bound}ms", build, place, configuration=_THREAD, variables=variables))
    return {contender.name: contender for contender in contenders}


def takes_part(name: str, kind: str, *, few_keys: bool) -> bool:
    """Say whether a contender runs in a kind of measurement where all of them are asked for, `--all`.

    Args:
        name: The contender's.
        kind: `throughput` or `latency`.
        few_keys: Whether the input has a key for each airport, and no more.
    """
    if re.fullmatch(r"jobkit-\d+ms", name):
        return kind == "latency"
    return not name.endswith("-one-taskmanager") or (kind == "throughput" and few_keys)
