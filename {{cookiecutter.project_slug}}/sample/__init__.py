"""What local runs feed the job, and how they know that its result is right."""
