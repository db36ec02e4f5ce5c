"""The comparison benchmark: one job, written for Flink in several ways and for its peers, measured side by side."""
