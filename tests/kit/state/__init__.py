"""Tests of what snapshots hold."""
