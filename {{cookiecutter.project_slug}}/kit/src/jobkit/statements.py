"""The calls of PyFlink's Table API that submit a job of their own, past the environment's `execute`."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from py4j.java_gateway import get_java_class
from pyflink.java_gateway import get_gateway

_CALLS = (
    ("table", "Table", "execute"),
    ("table", "Table", "execute_insert"),
    ("table", "Table", "to_pandas"),
    ("table_pipeline", "TablePipeline", "execute"),
    ("statement_set", "StatementSet", "execute"),
    ("compiled_plan", "CompiledPlan", "execute"),
)
"""Module of pyflink.table, class and method; Flink 1.20 does not have them all."""
_SUBMITTING = (
    "ModifyOperation",
    "QueryOperation",
    "StatementSetOperation",
    "CompileAndExecutePlanOperation",
    "command.ExecutePlanOperation",
    "CreateTableASOperation",
)
"""Flink's classes of the statements that `execute_sql` submits; all others, such as CREATE TABLE, run at once."""


@contextmanager
def refused(refuse: Callable[..., Any]) -> Iterator[None]:
    """Call a function in place of everything that would submit SQL; let other statements through."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # PyFlink imports what it has deprecated itself
        from pyflink.table import TableEnvironment

        calls = [(owner, name, refuse) for owner, name in _present()]
    execute_sql = TableEnvironment.execute_sql

    def execute(tables: TableEnvironment, statement: str) -> Any:
        return refuse() if _submits(tables, statement) else execute_sql(tables, statement)

    with ExitStack() as stack:
        for owner, name, replacement in ((TableEnvironment, "execute_sql", execute), *calls):
            stack.callback(setattr, owner, name, owner.__dict__[name])
            setattr(owner, name, replacement)
        yield


def _present() -> Iterator[tuple[type, str]]:
    """Yield the classes and methods that this version of PyFlink has."""
    for module, kind, method in _CALLS:
        name = f"pyflink.table.{module}"
        owner = getattr(importlib.import_module(name), kind, None) if importlib.util.find_spec(name) else None
        if owner is not None and method in owner.__dict__:
            yield owner, method


def _submits(tables: Any, statement: str) -> bool:
    """Return whether Flink's own parser takes a statement for one that becomes a job."""
    operations = get_gateway().jvm.org.apache.flink.table.operations
    kinds = []
    for name in _SUBMITTING:
        kind = operations
        for part in name.split("."):
            kind = getattr(kind, part)
        kinds.append(get_java_class(kind))
    parsed = tables._j_tenv.getParser().parse(statement)
    return any(kind.isInstance(operation) for operation in parsed for kind in kinds)
