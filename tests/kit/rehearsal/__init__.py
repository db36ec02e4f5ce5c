"""Tests of `jobkit rehearse`."""
