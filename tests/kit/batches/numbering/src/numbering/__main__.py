"""Submit the job."""

from __future__ import annotations

import os

from pyflink.datastream import StreamExecutionEnvironment

from .pipeline import Settings, build

env = StreamExecutionEnvironment.get_execution_environment()
build(env, Settings.from_environment(os.environ))
env.execute("numbering")
