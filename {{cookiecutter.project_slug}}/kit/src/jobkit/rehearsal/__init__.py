"""`jobkit rehearse`: the new version of a job, started from a copy of a snapshot of production, with nothing of production written to."""
