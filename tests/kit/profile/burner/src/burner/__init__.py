"""Burn time."""
