"""The benchmark's job, once for each contender: what runs in the contender's own processes."""
