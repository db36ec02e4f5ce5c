"""Number words, in batches."""
