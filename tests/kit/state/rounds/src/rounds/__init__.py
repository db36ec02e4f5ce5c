"""A job that counts in rounds."""
