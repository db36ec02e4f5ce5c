"""Guardrails, a local cluster and a test harness for PyFlink DataStream jobs."""

__version__ = "0.1.0"
