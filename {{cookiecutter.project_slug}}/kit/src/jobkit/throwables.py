"""What Java has thrown, as py4j hands it over."""

from __future__ import annotations

from typing import Any

from py4j.protocol import Py4JJavaError


def innermost(error: Py4JJavaError) -> Any:
    """Return the exception of Java's that was thrown first, which all others were made of."""
    cause = error.java_exception
    while cause.getCause() is not None:
        cause = cause.getCause()
    return cause


def root_cause(error: Py4JJavaError) -> tuple[str, str]:
    """Return its class, without package, and the first line of what it says."""
    cause = innermost(error)
    return str(cause.getClass().getSimpleName()), (cause.getMessage() or "").partition("\n")[0].rstrip(".")
