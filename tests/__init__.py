"""Tests of the template, of its kit and of the documentation."""
