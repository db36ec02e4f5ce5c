"""Tests of jobkit.batches."""
