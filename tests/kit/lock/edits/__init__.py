"""Edits of a job that Flink really restores, beside what the lock says of them."""
