"""A profile of the Python side of a running job, by operator."""
