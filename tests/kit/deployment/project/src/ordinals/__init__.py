"""A job that tests deploy."""
