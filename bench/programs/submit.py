"""The program that `flink run` runs: it builds the job that BENCH_BUILD names, as `module:function`, and executes it."""

from __future__ import annotations

import importlib
import os

from pyflink.datastream import StreamExecutionEnvironment

from bench.programs.settings import from_environment


def main() -> None:
    """Build the job, and submit it."""
    module, _, function = os.environ["BENCH_BUILD"].partition(":")
    env = StreamExecutionEnvironment.get_execution_environment()
    getattr(importlib.import_module(module), function)(env, from_environment())
    env.execute(module.rpartition(".")[2])


if __name__ == "__main__":
    main()
