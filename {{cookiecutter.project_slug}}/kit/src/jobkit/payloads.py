"""The messages in which PyFlink packs Python functions, without the seconds that their package takes to import.

`pyflink.fn_execution` imports all of Beam, pandas included, to find out whether PyFlink's compiled parts are there. Who builds
or reads a job never asks that. So the package is made to find it out when it is asked, and not before.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

_PACKAGE = "pyflink.fn_execution"
_ANSWER = "PYFLINK_CYTHON_ENABLED"


def _defer() -> None:
    spec = importlib.util.find_spec(_PACKAGE)
    if _PACKAGE in sys.modules or spec is None or spec.loader is None:
        return
    loader, package = spec.loader, importlib.util.module_from_spec(spec)

    def find_out(name: str) -> Any:
        if name != _ANSWER:
            raise AttributeError(f"module {_PACKAGE!r} has no attribute {name!r}")
        loader.exec_module(package)
        return vars(package)[_ANSWER]

    vars(package)["__getattr__"] = find_out
    sys.modules[_PACKAGE] = package
    sys.modules["pyflink"].fn_execution = package  # type: ignore[attr-defined]


_defer()

from pyflink.fn_execution.flink_fn_execution_pb2 import UserDefinedDataStreamFunction  # noqa: E402

__all__ = ["UserDefinedDataStreamFunction"]
