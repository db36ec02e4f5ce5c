"""Submit the job."""

from __future__ import annotations

import os

from pyflink.datastream import StreamExecutionEnvironment

from .pipeline import Settings, build

env = StreamExecutionEnvironment.get_execution_environment()
settings = Settings.from_environment(os.environ)
build(env, settings)
env.execute(settings.job_name)
