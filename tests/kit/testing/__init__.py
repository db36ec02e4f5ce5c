"""Tests of what a job is tested with."""
