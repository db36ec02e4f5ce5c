"""Tests of the local cluster: real processes, a real broker, a real Flink."""
