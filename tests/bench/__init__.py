"""Tests of the comparison benchmark: what needs no cluster."""
