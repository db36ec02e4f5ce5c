"""Submit the job: through jobkit, or, to see what happens without it, past it."""

from __future__ import annotations

import os

from jobkit.launch import launch
from pyflink.datastream import StreamExecutionEnvironment

from .pipeline import Settings, build

if os.environ.get("PARCEL_PAST_JOBKIT"):
    env = StreamExecutionEnvironment.get_execution_environment()
    build(env, Settings.from_environment(os.environ))
    env.execute("parcel")
else:
    launch(build)
