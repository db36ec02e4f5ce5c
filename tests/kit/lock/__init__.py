"""Tests of flink.lock."""
