"""What a job is tested with."""
