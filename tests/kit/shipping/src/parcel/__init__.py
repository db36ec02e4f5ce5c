"""A job that tells in what it writes which version of each of its modules has run."""
