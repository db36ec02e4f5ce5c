"""Tests of `jobkit bench`."""
