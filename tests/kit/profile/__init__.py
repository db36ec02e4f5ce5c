"""The tests of `jobkit profile`."""
