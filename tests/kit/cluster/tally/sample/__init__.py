"""What local runs feed the job."""
