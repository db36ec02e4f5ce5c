"""What the job imports when it is needed, and not before."""

LATE = "a"
